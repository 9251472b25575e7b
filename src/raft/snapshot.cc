#include "raft/snapshot.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/log.h"
#include "protocol/control_batch.h"
#include "raft/control_records.h"

namespace samsa::raft {

using protocol::BatchView;
using protocol::ControlType;

namespace {
constexpr std::string_view kSuffix = ".checkpoint";

template <class T>
bool digits(std::string_view text, T& into) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), into);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() && text.front() != '-';
}
}  // namespace

std::string snapshot_name(OffsetAndEpoch id) { return fmt::format("{:020}-{:010}.checkpoint", id.offset, id.epoch); }

std::optional<OffsetAndEpoch> parse_snapshot_name(std::string_view name) {
  if (name.size() != 20 + 1 + 10 + kSuffix.size() || !name.ends_with(kSuffix) || name[20] != '-') return std::nullopt;
  OffsetAndEpoch id;
  if (!digits(name.substr(0, 20), id.offset) || !digits(name.substr(21, 10), id.epoch)) return std::nullopt;
  return id;
}

Result<std::vector<OffsetAndEpoch>> scan_snapshots(io::Disk& disk, const std::string& directory) {
  TRY_ASSIGN(const auto entries, disk.list(directory));
  std::vector<OffsetAndEpoch> found;
  for (const auto& entry : entries) {
    if (entry.directory) continue;
    if (entry.name.ends_with(".checkpoint.part") || entry.name.ends_with(".checkpoint.deleted")) {
      SAMSA_LOG_INFO("removing unfinished or deleted snapshot {}", entry.name);
      TRY(disk.remove_file(io::join_path(directory, entry.name)));
    } else if (const auto id = parse_snapshot_name(entry.name)) {
      found.push_back(*id);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

SnapshotWriter::SnapshotWriter(io::Disk& disk, std::string path, LeaderEpoch epoch, TimestampMs now_ms)
    : disk_(disk), path_(std::move(path)), epoch_(epoch), now_ms_(now_ms), builder_({.leader_epoch = epoch}) {}

SnapshotWriter::~SnapshotWriter() {
  if (!frozen_ && file_) {
    file_ = nullptr;
    (void)disk_.remove_file(path_ + ".part");
  }
}

Result<std::unique_ptr<SnapshotWriter>> SnapshotWriter::create(io::Disk& disk, std::string path, LeaderEpoch epoch, TimestampMs now_ms,
                                                               const SnapshotHead& head) {
  std::unique_ptr<SnapshotWriter> writer(new SnapshotWriter(disk, std::move(path), epoch, now_ms));
  TRY_ASSIGN(writer->file_, disk.open(writer->path_ + ".part", io::OpenMode::kCreateTruncate));
  std::vector<OwnedControl> records{snapshot_header_record(head.last_contained_log_ms)};
  if (head.kraft_version && *head.kraft_version > 0) {
    records.push_back(kraft_version_record(*head.kraft_version));
    if (head.voters) records.push_back(voters_record(*head.voters));
  }
  TRY(writer->write(make_control_batch(records, 0, epoch, now_ms)));
  writer->next_offset_ = static_cast<Offset>(records.size());
  writer->builder_.options().base_offset = writer->next_offset_;
  return writer;
}

Result<void> SnapshotWriter::write(Bytes batch) {
  TRY(file_->write_at(batch, size_));
  size_ += batch.size();
  return {};
}

Result<void> SnapshotWriter::flush_batch() {
  if (builder_.empty()) return {};
  next_offset_ += builder_.count();
  TRY_ASSIGN(const Buffer batch, builder_.build());
  builder_.options().base_offset = next_offset_;
  return write(batch);
}

Result<void> SnapshotWriter::append(std::span<const Buffer> values) {
  for (const auto& value : values) {
    if (!builder_.empty() && builder_.size_with(0, value.size()) > kMaxSnapshotBatchBytes) TRY(flush_batch());
    builder_.append(now_ms_, std::nullopt, Bytes(value));
  }
  return {};
}

Result<void> SnapshotWriter::finish() {
  TRY(flush_batch());
  return write(make_control_batch({snapshot_footer_record()}, next_offset_, epoch_, now_ms_));
}

Result<void> SnapshotWriter::freeze() {
  TRY(finish());
  TRY(file_->sync_now());
  TRY(disk_.set_read_only(path_ + ".part"));
  TRY(disk_.rename(path_ + ".part", path_));
  frozen_ = true;
  return disk_.sync_directory(io::parent_path(path_));
}

io::Task<Result<void>> SnapshotWriter::freeze_async() {
  CO_TRY(finish());
  CO_TRY(co_await file_->sync());
  CO_TRY(disk_.set_read_only(path_ + ".part"));
  CO_TRY(disk_.rename(path_ + ".part", path_));
  frozen_ = true;
  co_return disk_.sync_directory(io::parent_path(path_));
}

Result<void> batch_values(const BatchView& batch, protocol::Scratch& scratch, std::vector<Bytes>& values) {
  values.clear();
  if (batch.is_control()) return {};
  TRY_ASSIGN(auto reader, protocol::RecordReader::open(batch, scratch));
  protocol::Record record;
  while (true) {
    TRY_ASSIGN(const bool more, reader.next(record));
    if (!more) return {};
    if (!record.value) return fail(ErrorCode::kCorruptMessage, fmt::format("metadata record at offset {} has no value", record.offset));
    values.push_back(*record.value);
  }
}

namespace {
// What a snapshot's control batches say, taken in one by one.
struct HeadReader {
  SnapshotHead head;
  bool header = false;
  bool footer = false;

  Result<void> take(const BatchView& batch) {
    protocol::Scratch scratch;
    TRY_ASSIGN(auto reader, protocol::RecordReader::open(batch, scratch));
    protocol::Record record;
    while (true) {
      TRY_ASSIGN(const bool more, reader.next(record));
      if (!more) return {};
      if (!record.value) return fail(ErrorCode::kCorruptMessage, "control record without a value");
      TRY_ASSIGN(const auto type, protocol::control_type(record.key));
      switch (type) {
        case ControlType::kSnapshotHeader: {
          TRY_ASSIGN(head.last_contained_log_ms, decode_snapshot_header(*record.value));
          header = true;
          break;
        }
        case ControlType::kSnapshotFooter: footer = true; break;
        case ControlType::kKraftVersion: {
          TRY_ASSIGN(head.kraft_version, decode_kraft_version(*record.value));
          break;
        }
        case ControlType::kKraftVoters: {
          TRY_ASSIGN(head.voters, decode_voters(*record.value));
          break;
        }
        default: break;
      }
    }
  }
};
}  // namespace

Result<SnapshotContent> read_snapshot(io::Disk& disk, const std::string& path,
                                      const std::function<Result<void>(std::span<const Bytes>, const BatchView&)>& on_batch) {
  TRY_ASSIGN(const Buffer content, io::read_file(disk, path));
  const auto broken = [&](std::string_view what) { return fail(ErrorCode::kCorruptMessage, fmt::format("snapshot {}: {}", path, what)); };
  protocol::BatchIterator batches(content);
  protocol::Scratch scratch;
  std::vector<Bytes> values;
  HeadReader control;
  while (true) {
    auto next = batches.next();
    if (!next) return broken(next.error().text());
    if (!*next) break;
    const BatchView batch = **next;
    if (!batch.crc_matches()) return broken(fmt::format("batch at byte {} has a wrong checksum", batches.position() - batch.bytes().size()));
    if (control.footer) return broken("there is something after the footer");
    if (batch.is_control()) {
      if (auto taken = control.take(batch); !taken) return broken(taken.error().text());
      continue;
    }
    if (!control.header) return broken("it does not begin with a header");
    if (auto read = batch_values(batch, scratch, values); !read) return broken(read.error().text());
    TRY(on_batch(values, batch));
  }
  if (batches.truncated() || batches.remaining() > 0) return broken("its last batch is cut off");
  if (!control.header || !control.footer) return broken("header or footer is missing");
  return SnapshotContent{std::move(control.head), content.size()};
}

}  // namespace samsa::raft
