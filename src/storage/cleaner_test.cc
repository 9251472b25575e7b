#include "storage/cleaner.h"

#include <cstdlib>

#include <gmock/gmock.h>

#include "protocol/control_batch.h"
#include "storage/test_world.h"

namespace samsa::storage {
namespace {

// A record as a reader of committed data sees it.
struct Seen {
  std::string key;
  std::optional<std::string> value;
  TimestampMs timestamp = 0;
  bool operator==(const Seen&) const = default;
};

class Compaction {
 public:
  explicit Compaction(uint64_t seed) : random(seed), world(seed) {
    config.cleanup_compact = true;
    config.cleanup_delete = false;
    config.segment_bytes = 4000;
    config.index_interval_bytes = 300;
    config.delete_retention_ms = 10'000;
    config.file_delete_delay_ms = 0;
    open(true);
  }
  ~Compaction() {
    if (log) world.loop.run(log->abandon());
  }

  void open(bool clean, Offset recovery_point = 0) {
    OpenLog options;
    options.directory = "/data/topic-0";
    options.partition = {"topic", 0};
    options.topic_id = Uuid{1, 200};
    options.config = config;
    options.clean = clean;
    options.recovery_point = recovery_point;
    auto opened = world.loop.run(Log::open(world.context, options));
    ASSERT_TRUE(opened.has_value()) << opened.error().describe();
    log = std::move(*opened);
    log->set_high_watermark(log->log_end_offset());
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

  Result<CleanStats> clean(size_t dedupe_bytes = 1 << 20) {
    auto range = LogCleaner::cleanable(*log, log->first_dirty_offset());
    if (!range) return fail(range.error());
    LogCleaner cleaner(*log, {dedupe_bytes});
    auto stats = world.loop.run(cleaner.clean(*range));
    if (stats) log->set_first_dirty_offset(stats->clean_to);
    return stats;
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
  std::unique_ptr<Log> log;
  std::map<Offset, Seen> written;
  std::set<Offset> committed;
  std::map<int64_t, std::vector<Offset>> open_transactions;
  std::map<int64_t, int32_t> sequences;
};

TEST(KeyMap, KeepsTheGreatestOffsetAndFillsUp) {
  KeyMap map(24 * 1000, {1, 2});
  int stored = 0;
  while (map.put(as_bytes("key" + std::to_string(stored)), stored)) ++stored;
  EXPECT_EQ(stored, 900);
  EXPECT_TRUE(map.put(as_bytes("key7"), 5000));
  EXPECT_EQ(map.get(as_bytes("key7")), 5000);
  EXPECT_EQ(map.get(as_bytes("key8")), 8);
  EXPECT_EQ(map.get(as_bytes("none")), -1);
}

TEST(KeyMap, SipHashHasTheReferenceValue) {
  // SipHash-2-4-128 of the empty string with the key 00 01 .. 0f (the authors' vectors).
  const Hash128 hash = sip_hash({}, {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL});
  EXPECT_EQ(hash.high, 0xe6a825ba047f81a3ULL);
  EXPECT_EQ(hash.low, 0x930255c71472f66dULL);
}

TEST(Cleaner, KeepsTheLastOfEveryKeyAndMergesSegments) {
  Compaction run(1);
  for (int i = 0; i < 300; ++i) run.write({{"key" + std::to_string(i % 10), "value" + std::to_string(i) + std::string(50, 'x')}});
  const size_t segments = run.log->segment_count();
  ASSERT_GT(segments, 5u);
  const Offset active = run.log->segment_base_of(299);
  auto stats = run.clean();
  ASSERT_TRUE(stats.has_value()) << stats.error().describe();
  EXPECT_EQ(stats->clean_to, active);
  EXPECT_EQ(stats->records_kept, 10);
  EXPECT_EQ(run.log->segment_count(), segments) << "full segments are not merged before they have shrunk";
  EXPECT_EQ(run.log->log_end_offset(), 300);
  run.check();
  EXPECT_EQ(run.clean().error().code, ErrorCode::kOperationNotAttempted);
  for (int i = 0; i < 60; ++i) run.write({{"key" + std::to_string(i % 10), std::string(50, 'y')}});
  ASSERT_TRUE(run.clean().has_value());
  EXPECT_LT(run.log->segment_count(), 5u);
  run.check();
}

// Compaction leaves offsets out at the ends of segments, too. A recovery must not take that for loss because the topic's policy is another one now.
TEST(Cleaner, GapsOfALogThatIsNoLongerCompactedAreNoLoss) {
  Compaction run(3);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 300; ++i) run.write({{"key" + std::to_string(i % 40), "value" + std::to_string(i) + std::string(50, 'x')}});
    ASSERT_TRUE(run.clean().has_value());
  }
  ASSERT_GT(run.log->segment_count(), 3u);
  run.config.cleanup_compact = false;
  run.config.cleanup_delete = true;
  const size_t segments = run.log->segment_count();
  run.world.loop.run(run.log->abandon());
  run.open(false);
  EXPECT_EQ(run.log->log_end_offset(), 600);
  EXPECT_EQ(run.log->segment_count(), segments);
  run.check();
}

TEST(Cleaner, TombstonesGoAfterTheirHorizonOnly) {
  Compaction run(1);
  run.write({{"gone", "v"}, {"kept", "v"}});
  run.write({{"gone", std::nullopt}});
  for (int i = 0; i < 60; ++i) run.write({{"fill", std::string(80, 'x')}});
  ASSERT_TRUE(run.clean().has_value());
  EXPECT_EQ(run.read().at(2).value, std::nullopt);
  EXPECT_FALSE(run.read().contains(0));
  const auto more = [&] {
    for (int i = 0; i < 60; ++i) run.write({{"fill", std::string(80, 'x')}});
  };
  more();
  run.world.loop.advance(9'000);
  ASSERT_TRUE(run.clean().has_value());
  EXPECT_TRUE(run.read().contains(2)) << "the horizon is never moved, and not reached";
  more();
  run.world.loop.advance(1'001);
  ASSERT_TRUE(run.clean().has_value());
  EXPECT_FALSE(run.read().contains(2));
  run.check();
}

TEST(Cleaner, AbortedDataGoesAndMarkersFollow) {
  Compaction run(1);
  run.write({{"a", "aborted"}}, 100, true);
  run.end(100, false);
  run.write({{"b", "committed"}}, 101, true);
  run.end(101, true);
  run.write({{"z", "z"}}, 100);
  run.write({{"z", "z"}}, 101);
  const auto more = [&] {
    for (int i = 0; i < 60; ++i) run.write({{"fill", std::string(80, 'x')}});
  };
  more();
  ASSERT_TRUE(run.clean().has_value());
  run.check();
  EXPECT_EQ(run.log->aborted_transactions(0, 100)->size(), 1u) << "the marker stays with its entry for one more round";
  more();
  ASSERT_TRUE(run.clean().has_value());
  EXPECT_EQ(run.log->aborted_transactions(0, 100)->size(), 0u);
  more();
  run.world.loop.advance(10'001);
  ASSERT_TRUE(run.clean().has_value());
  auto bytes = run.world.loop.run(run.log->read_bytes({0, 1000, run.log->log_end_offset(), true}));
  EXPECT_EQ(protocol::BatchHeader(bytes->data()).base_offset(), 2) << "both the data and the marker are gone";
  run.check();
}

TEST(Cleaner, LagAndOpenTransactionsHoldBack) {
  Compaction run(1);
  run.config.min_compaction_lag_ms = 5'000;
  run.log->update_config(run.config);
  for (int i = 0; i < 60; ++i) run.write({{"k", std::string(80, 'x')}});
  EXPECT_EQ(run.clean().error().code, ErrorCode::kOperationNotAttempted);
  run.world.loop.advance(5'001);
  run.write({{"t", "t"}}, 100, true);
  for (int i = 0; i < 120; ++i) run.write({{"k", std::string(80, 'x')}});
  run.world.loop.advance(5'001);
  auto stats = run.clean();
  ASSERT_TRUE(stats.has_value());
  EXPECT_LE(stats->clean_to, 60) << "the open transaction begins at 60";
  run.check();
}

TEST(Cleaner, SmallMapTakesSeveralRounds) {
  Compaction run(3);
  for (int i = 0; i < 600; ++i) run.write({{"key" + std::to_string(i % 150), std::string(40, 'x')}});
  Offset before = 0;
  for (int round = 0; round < 50; ++round) {
    auto stats = run.clean(24 * 60);
    if (!stats) break;
    EXPECT_GT(stats->clean_to, before);
    before = stats->clean_to;
    run.check();
  }
  EXPECT_GT(before, 400);
}

void run_seed(uint64_t seed) {
  Compaction run(seed);
  for (int life = 0; life < 4; ++life) {
    const uint64_t steps = run.random.between(20, 120);
    for (uint64_t i = 0; i < steps; ++i) run.random_step();
    const auto before = run.log->active_producers();
    const Offset end = run.log->log_end_offset();
    ASSERT_TRUE(run.world.loop.run(run.log->flush()).has_value());
    const Offset point = run.log->recovery_point();
    const bool crash = run.random.one_in(2);
    if (crash) run.world.disk.fail_at = run.world.disk.steps + run.random.below(60);
    (void)run.clean(run.random.one_in(3) ? 24 * 30 : 1 << 20);
    run.world.loop.run(run.log->abandon());
    if (crash) {
      run.world.disk.crash(run.random);
    } else {
      run.world.disk.kill();
    }
    run.open(false, point);
    if (testing::Test::HasFatalFailure()) return;
    EXPECT_EQ(run.log->log_end_offset(), end);
    run.check();
    const auto after = run.log->active_producers();
    ASSERT_EQ(after.size(), before.size());
    for (size_t i = 0; i < after.size(); ++i) {
      EXPECT_EQ(after[i].last_sequence, before[i].last_sequence);
      EXPECT_EQ(after[i].transaction_start, before[i].transaction_start);
    }
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Cleaner, SeedsWithCrashesAtAnyStep) {
  const char* more = std::getenv("SAMSA_CRASH_SEEDS");
  const char* one = std::getenv("SAMSA_CRASH_SEED");
  const uint64_t first = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
  const uint64_t count = one != nullptr ? 1 : more != nullptr ? std::strtoull(more, nullptr, 10) : 300;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    run_seed(seed);
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << "seed " << seed << ": SAMSA_CRASH_SEED=" << seed << " repeats it";
      return;
    }
  }
}

}  // namespace
}  // namespace samsa::storage
