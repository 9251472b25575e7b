// For tests of compaction: a log of a LogManager that is written at random, and a model of what a reader of committed data must still
// find. Owner: one test.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "protocol/control_batch.h"
#include "storage/cleaner.h"
#include "storage/log_manager.h"
#include "storage/test_world.h"

namespace samsa::storage {

// A record as a reader of committed data sees it.
struct Seen {
  std::string key;
  std::optional<std::string> value;
  TimestampMs timestamp = 0;
  bool operator==(const Seen&) const = default;
};

class Compaction {
 public:
  explicit Compaction(uint64_t seed, uint64_t reserve_bytes = 0) : random(seed), world(seed) {
    manager.verify_transactions = false;
    manager.reserve_bytes = reserve_bytes;
    config.min_cleanable_dirty_ratio = 0;
    config.cleanup_compact = true;
    config.cleanup_delete = false;
    config.segment_bytes = 4000;
    config.index_interval_bytes = 300;
    config.delete_retention_ms = 10'000;
    config.file_delete_delay_ms = 0;
  }
  ~Compaction() {
    if (log != nullptr) world.loop.run(log->abandon());
  }

  // `first_dirty`: as the checkpoint has it.
  void open(bool clean, Offset recovery_point = 0, Offset first_dirty = 0) {
    log = nullptr;
    logs = std::make_unique<LogManager>(world.loop, world.disk, manager);
    logs->set_directories({"/data"});
    FoundLog found;
    found.partition = {"topic", 0};
    found.path = "/data/topic-0";
    found.topic_id = Uuid{1, 200};
    found.clean = clean;
    found.recovery_point = recovery_point;
    found.first_dirty_offset = first_dirty;
    (void)world.disk.create_directories("/data");
    auto loaded = world.loop.run(logs->load({found}, [this](const std::string&) { return config; }));
    ASSERT_TRUE(loaded.has_value()) << loaded.error().describe();
    log = logs->find({"topic", 0});
    ASSERT_NE(log, nullptr);
    log->set_high_watermark(log->log_end_offset());
  }
  // Dies with what the page cache has, or loses power, and starts again with the checkpoints of this moment.
  void restart(bool power = false) {
    const auto checkpoints = logs->checkpoints().front();
    const auto dirty = checkpoints.cleaner.find({"topic", 0});
    const Offset first_dirty = dirty == checkpoints.cleaner.end() ? 0 : dirty->second;
    const Offset point = checkpoints.recovery_point.at({"topic", 0});
    world.loop.run(log->abandon());
    if (power) {
      world.disk.crash(random);
    } else {
      world.disk.kill();
    }
    open(false, point, first_dirty);
  }

  void write(const std::vector<std::pair<std::string, std::optional<std::string>>>& records, int64_t producer = kNoProducerId,
             bool transactional = false, protocol::Codec codec = protocol::Codec::kNone) {
    protocol::BatchOptions options;
    options.codec = codec;
    options.producer_id = producer;
    options.transactional = transactional;
    if (producer >= 0) {
      options.producer_epoch = 0;
      options.base_sequence = sequences[producer];
      sequences[producer] += static_cast<int32_t>(records.size());
    }
    protocol::RecordBatchBuilder builder(options);
    for (const auto& [key, value] : records) {
      builder.append(world.loop.wall_ms(), as_bytes(key), value ? std::optional(as_bytes(*value)) : std::nullopt);
    }
    Buffer batch = builder.build().value();
    auto info = log->append_as_leader(batch, {});
    ASSERT_TRUE(info.has_value()) << info.error().describe();
    Offset offset = info->first_offset;
    for (const auto& [key, value] : records) {
      written[offset] = {key, value, world.loop.wall_ms()};
      if (transactional) {
        open_transactions[producer].push_back(offset);
      } else {
        committed.insert(offset);
      }
      ++offset;
    }
    log->set_high_watermark(log->log_end_offset());
    world.loop.run_ready();
  }
  void end(int64_t producer, bool commit) {
    Buffer batch = protocol::transaction_marker_batch({producer, 0, commit, 1}, 0, 0, world.loop.wall_ms());
    LeaderAppend options;
    options.origin = AppendOrigin::kMarker;
    ASSERT_TRUE(log->append_as_leader(batch, options).has_value());
    for (const Offset offset : open_transactions[producer]) {
      if (commit) committed.insert(offset);
    }
    open_transactions.erase(producer);
    log->set_high_watermark(log->log_end_offset());
    world.loop.run_ready();
  }

  // A round whether or not it is time for one.
  Result<CleanStats> clean(size_t dedupe_bytes = 1 << 20) {
    auto range = LogCleaner::cleanable(*log, log->first_dirty_offset());
    if (!range) return fail(range.error());
    LogCleaner cleaner(*log, {dedupe_bytes});
    auto stats = world.loop.run(cleaner.clean(*range));
    if (stats) log->set_first_dirty_offset(stats->clean_to);
    return stats;
  }

  // A round as the server has it.
  bool clean_dirtiest(size_t dedupe_bytes = 1 << 20) {
    logs->set_cleaner_limits({dedupe_bytes});
    return world.loop.run(logs->clean_dirtiest());
  }
  // Rolls a segment or two.
  void fill() {
    for (int i = 0; i < 60; ++i) write({{"fill", std::string(80, 'x')}});
  }

  // All records of committed data, by offset, read through the log as a consumer would.
  std::map<Offset, Seen> read() {
    std::map<Offset, Seen> seen;
    protocol::Scratch scratch;
    Offset at = log->log_start_offset();
    while (at < log->log_end_offset()) {
      auto found = world.loop.run(log->read({at, 3000, log->log_end_offset(), true, true}));
      EXPECT_TRUE(found.has_value());
      auto bytes = world.loop.run(log->read_bytes({at, 3000, log->log_end_offset(), true}));
      EXPECT_TRUE(bytes.has_value());
      if (!found || !bytes || bytes->empty()) break;
      std::multimap<Offset, int64_t> aborted;
      for (const auto& entry : found->aborted) aborted.emplace(entry.first_offset, entry.producer_id);
      std::set<int64_t> aborting;
      protocol::BatchIterator batches(*bytes);
      for (auto next = batches.next(); next && *next; next = batches.next()) {
        const auto& batch = **next;
        EXPECT_TRUE(batch.crc_matches());
        while (!aborted.empty() && aborted.begin()->first <= batch.last_offset()) {
          aborting.insert(aborted.begin()->second);
          aborted.erase(aborted.begin());
        }
        at = batch.next_offset();
        if (batch.is_control()) {
          auto marker = protocol::read_transaction_marker(batch);
          if (marker && !marker->commit) aborting.erase(batch.producer_id());
          continue;
        }
        if (batch.is_transactional() && aborting.contains(batch.producer_id())) continue;
        auto reader = protocol::RecordReader::open(batch, scratch);
        protocol::Record record;
        while (reader->next(record).value_or(false)) {
          Seen one{std::string(as_text(*record.key)), std::nullopt, record.timestamp};
          if (record.value) one.value = std::string(as_text(*record.value));
          seen[record.offset] = one;
        }
      }
    }
    return seen;
  }

  // The heart: the last committed value of each key is there at its offset; what is there is what was written.
  void check() {
    const auto seen = read();
    std::map<std::string, Offset> newest;
    for (const auto& [offset, record] : seen) {
      ASSERT_TRUE(written.contains(offset)) << offset;
      EXPECT_EQ(record, written[offset]) << offset;
      EXPECT_TRUE(committed.contains(offset) || is_open(offset)) << offset;
    }
    for (const Offset offset : committed) newest[written[offset].key] = offset;
    for (const auto& [key, offset] : newest) {
      if (!written[offset].value) {
        // A deleted key: the tombstone may be gone, but no older value may be there.
        for (const auto& [at, record] : seen) {
          if (record.key == key && record.value && !seen.contains(offset)) EXPECT_TRUE(is_open(at)) << "a deleted value is back: " << key << " at " << at;
        }
      } else {
        EXPECT_TRUE(seen.contains(offset)) << "lost " << key << " at " << offset;
      }
    }
  }
  bool is_open(Offset offset) {
    for (const auto& [producer, offsets] : open_transactions) {
      if (std::ranges::find(offsets, offset) != offsets.end()) return true;
    }
    return false;
  }

  void random_step() {
    const auto record = [&] {
      std::optional<std::string> value;
      if (!random.one_in(6)) value = "v" + std::to_string(random.below(1000000)) + std::string(random.below(60), 'x');
      return std::pair("key" + std::to_string(random.below(40)), value);
    };
    std::vector<std::pair<std::string, std::optional<std::string>>> records;
    for (uint64_t i = 0; i <= random.below(4); ++i) records.push_back(record());
    const auto codec = random.one_in(4) ? protocol::Codec::kLz4 : protocol::Codec::kNone;
    switch (random.below(8)) {
      case 0:
      case 1: {
        const int64_t producer = 100 + static_cast<int64_t>(random.below(3));
        if (open_transactions.contains(producer) && random.one_in(2)) {
          end(producer, random.one_in(2));
        } else {
          write(records, producer, true, codec);
        }
        break;
      }
      case 2: write(records, 200, false, codec); break;
      case 3: world.loop.advance(static_cast<int64_t>(random.below(3000))); break;
      default: write(records, kNoProducerId, false, codec); break;
    }
  }

  io::Random random;
  TestWorld world;
  LogConfig config;
  LogManagerConfig manager;
  std::unique_ptr<LogManager> logs;
  Log* log = nullptr;
  std::map<Offset, Seen> written;
  std::set<Offset> committed;
  std::map<int64_t, std::vector<Offset>> open_transactions;
  std::map<int64_t, int32_t> sequences;
};

}  // namespace samsa::storage
