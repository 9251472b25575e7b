#include "storage/checkpoint_file.h"

#include <charconv>

#include <fmt/format.h>

namespace samsa::storage {
namespace {

// Takes lines off the front of a text; the last one need not end with a newline.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  bool next(std::string_view& line) {
    if (rest_.empty()) return false;
    const size_t end = rest_.find('\n');
    line = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return true;
  }

 private:
  std::string_view rest_;
};

template <class T>
bool to_number(std::string_view text, T& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

std::unexpected<Error> malformed(std::string_view line) {
  return fail(ErrorCode::kCorruptMessage, fmt::format("Malformed line in checkpoint file: '{}'", line));
}

// Reads the two head lines and hands every entry line to `take` (string_view -> bool).
template <class Take>
Result<void> parse_lines(std::string_view text, Take take) {
  Lines lines(text);
  std::string_view line;
  if (!lines.next(line)) return {};
  int version = -1;
  if (!to_number(line, version) || version != 0) return malformed(line);
  int64_t expected = -1;
  if (!lines.next(line)) return {};
  if (!to_number(line, expected) || expected < 0) return malformed(line);
  int64_t count = 0;
  while (lines.next(line)) {
    if (!take(line)) return malformed(line);
    ++count;
  }
  if (count != expected) {
    return fail(ErrorCode::kCorruptMessage, fmt::format("Checkpoint file states {} entries and has {}", expected, count));
  }
  return {};
}

}  // namespace

Result<OffsetMap> parse_offset_checkpoint(std::string_view text) {
  OffsetMap entries;
  TRY(parse_lines(text, [&](std::string_view line) {
    const size_t last = line.rfind(' ');
    if (last == std::string_view::npos || last == 0) return false;
    const size_t middle = line.rfind(' ', last - 1);
    if (middle == std::string_view::npos || middle == 0) return false;
    PartitionIndex partition = 0;
    Offset offset = 0;
    if (!to_number(line.substr(middle + 1, last - middle - 1), partition) || !to_number(line.substr(last + 1), offset)) return false;
    entries[{std::string(line.substr(0, middle)), partition}] = offset;
    return true;
  }));
  return entries;
}

std::string format_offset_checkpoint(const OffsetMap& entries) {
  std::string text = fmt::format("0\n{}\n", entries.size());
  for (const auto& [key, offset] : entries) fmt::format_to(std::back_inserter(text), "{} {} {}\n", key.topic, key.partition, offset);
  return text;
}

Result<EpochEntries> parse_epoch_checkpoint(std::string_view text) {
  EpochEntries entries;
  TRY(parse_lines(text, [&](std::string_view line) {
    const size_t space = line.find(' ');
    LeaderEpoch epoch = 0;
    Offset start = 0;
    if (space == std::string_view::npos || !to_number(line.substr(0, space), epoch) || !to_number(line.substr(space + 1), start)) return false;
    entries.emplace_back(epoch, start);
    return true;
  }));
  return entries;
}

std::string format_epoch_checkpoint(const EpochEntries& entries) {
  std::string text = fmt::format("0\n{}\n", entries.size());
  for (const auto& [epoch, start] : entries) fmt::format_to(std::back_inserter(text), "{} {}\n", epoch, start);
  return text;
}

Result<OffsetMap> read_offset_checkpoint(io::Disk& disk, const std::string& path) {
  auto content = io::read_file(disk, path);
  if (!content) {
    if (content.error().code == ErrorCode::kResourceNotFound) return OffsetMap{};
    return fail(std::move(content).error());
  }
  return parse_offset_checkpoint(as_text(*content));
}

Result<void> write_offset_checkpoint(io::Disk& disk, const std::string& path, const OffsetMap& entries) {
  return io::write_file_atomically(disk, path, as_bytes(format_offset_checkpoint(entries)));
}

}  // namespace samsa::storage
