#include "storage/log.h"

#include <gmock/gmock.h>

#include "protocol/control_batch.h"
#include "storage/test_world.h"

namespace samsa::storage {
namespace {

constexpr TimestampMs kT0 = 1'700'000'000'000;

class LogTest : public testing::Test {
 protected:
  std::unique_ptr<Log> open(bool clean = true, Offset recovery_point = 0, Offset log_start = 0) {
    OpenLog options;
    options.directory = "/data/topic-0";
    options.partition = {"topic", 0};
    options.topic_id = Uuid{1, 200};
    options.config = config;
    options.clean = clean;
    options.recovery_point = recovery_point;
    options.log_start_offset = log_start;
    auto log = world.loop.run(Log::open(world.context, options));
    EXPECT_TRUE(log.has_value()) << log.error().describe();
    return std::move(*log);
  }
  void reopen_clean() {
    ASSERT_TRUE(world.loop.run(log->close()).has_value());
    log = open(true, log->recovery_point(), log->log_start_offset());
  }
  void reopen_killed() {
    const Offset point = log->recovery_point();
    world.loop.run(log->abandon());
    log = open(false, point, log->log_start_offset());
  }
  Result<AppendInfo> append(const BatchSpec& spec, LeaderEpoch epoch = 0) {
    Buffer batch = make_batch(spec);
    LeaderAppend options;
    options.leader_epoch = epoch;
    return log->append_as_leader(batch, options);
  }
  void append_many(int batches, BatchSpec spec = {}) {
    for (int i = 0; i < batches; ++i) {
      ASSERT_TRUE(append(spec).has_value());
      spec.timestamp += spec.count;
    }
    world.loop.run_ready();
  }
  Result<LogRead> read(Offset offset, uint64_t max_bytes = 1 << 20, bool min_one = true) {
    return world.loop.run(log->read({offset, max_bytes, log->log_end_offset(), min_one}));
  }
  // Base offsets of the batches that a read gives.
  std::vector<Offset> bases(Offset offset, uint64_t max_bytes = 1 << 20) {
    auto bytes = world.loop.run(log->read_bytes({offset, max_bytes, log->log_end_offset(), true}));
    EXPECT_TRUE(bytes.has_value());
    std::vector<Offset> result;
    protocol::BatchIterator batches(*bytes);
    for (auto next = batches.next(); next && *next; next = batches.next()) {
      EXPECT_TRUE((*next)->crc_matches());
      result.push_back((*next)->base_offset());
    }
    return result;
  }
  std::vector<Offset> all_bases() {
    std::vector<Offset> all;
    for (Offset at = log->log_start_offset(); at < log->log_end_offset();) {
      auto some = bases(at);
      if (some.empty()) break;
      all.insert(all.end(), some.begin(), some.end());
      auto bytes = world.loop.run(log->read_bytes({at, 1 << 20, log->log_end_offset(), true}));
      protocol::BatchIterator batches(*bytes);
      for (auto next = batches.next(); next && *next; next = batches.next()) at = (*next)->next_offset();
    }
    return all;
  }
  Buffer file(const std::string& name) { return world.disk.content("/data/topic-0/" + name); }

  TestWorld world;
  LogConfig config;
  std::unique_ptr<Log> log = open();

  ~LogTest() override {
    if (log) world.loop.run(log->abandon());
  }
};

TEST_F(LogTest, AssignsOffsetsAndEpochInPlace) {
  Buffer batch = make_batch({.count = 3});
  LeaderAppend options;
  options.leader_epoch = 7;
  auto info = log->append_as_leader(batch, options);
  ASSERT_TRUE(info.has_value()) << info.error().describe();
  EXPECT_EQ(info->first_offset, 0);
  EXPECT_EQ(info->last_offset, 2);
  EXPECT_EQ(info->max_timestamp, kT0 + 2);
  info = append({.count = 2}, 7);
  EXPECT_EQ(info->first_offset, 3);
  EXPECT_EQ(log->log_end_offset(), 5);
  const Buffer bytes = file("00000000000000000000.log");
  EXPECT_EQ(Buffer(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(batch.size())), batch);
  const protocol::BatchHeader second(bytes.data() + batch.size());
  EXPECT_EQ(second.base_offset(), 3);
  EXPECT_EQ(second.leader_epoch(), 7);
  EXPECT_EQ(log->latest_epoch(), 7);
}

TEST_F(LogTest, ReadsFromTheBatchThatHoldsTheOffset) {
  append_many(10, {.count = 3});
  EXPECT_EQ(bases(0), (std::vector<Offset>{0, 3, 6, 9, 12, 15, 18, 21, 24, 27}));
  EXPECT_EQ(bases(4).front(), 3);
  EXPECT_EQ(bases(29), std::vector<Offset>{27});
  auto at_end = read(30);
  ASSERT_TRUE(at_end.has_value());
  EXPECT_TRUE(at_end->slices.empty());
  EXPECT_EQ(read(31).error().code, ErrorCode::kOffsetOutOfRange);
  EXPECT_EQ(read(-1).error().code, ErrorCode::kOffsetOutOfRange);
}

TEST_F(LogTest, CapsAtBytesAndAtTheUpperBound) {
  append_many(10);
  const uint64_t one = make_batch({}).size();
  auto got = read(0, one + 5);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->size(), one + 5);
  EXPECT_EQ(read(0, 5, true)->size(), one);
  EXPECT_EQ(read(0, 5, false)->size(), 0);
  got = world.loop.run(log->read({2, 1 << 20, 5, true}));
  EXPECT_EQ(got->size(), 3 * one);
  EXPECT_EQ(got->first_batch_offset, 2);
  got = world.loop.run(log->read({5, 1 << 20, 5, true}));
  EXPECT_TRUE(got->slices.empty());
}

TEST_F(LogTest, TailReadsTouchNoFile) {
  append_many(100);
  (void)read(0);
  const size_t before = world.disk.reads;
  EXPECT_EQ(read(99)->first_batch_offset, 99);
  EXPECT_EQ(world.disk.reads, before);
}

TEST_F(LogTest, RollsBySizeAndIndexesAsKafkaDoes) {
  config.segment_bytes = 20'000;
  log->update_config(config);
  append_many(60, {.count = 1, .value_size = 1000});
  EXPECT_GT(log->segment_count(), 2u);
  EXPECT_EQ(all_bases().size(), 60u);
  const uint64_t one = make_batch({.count = 1, .value_size = 1000}).size();
  // An entry is added before the batch that follows more than 4096 bytes: (its last offset, its position).
  const Buffer index = file("00000000000000000000.index");
  const int64_t fifth = static_cast<int64_t>(4096 / one + 1);
  ASSERT_GE(index.size(), 8u);
  EXPECT_EQ(load_be<int32_t>(index.data()), fifth);
  EXPECT_EQ(load_be<int32_t>(index.data() + 4), fifth * static_cast<int64_t>(one));
  const Buffer times = file("00000000000000000000.timeindex");
  EXPECT_EQ(load_be<int64_t>(times.data()), kT0 + fifth);
  EXPECT_EQ(load_be<int32_t>(times.data() + 8), fifth);
  // The closing entry has the last timestamp of the segment.
  EXPECT_EQ(load_be<int64_t>(times.data() + times.size() - 12), kT0 + log->segment_base_of(0) + static_cast<int64_t>(20'000 / one) - 1);
  EXPECT_THAT(world.disk.names("/data/topic-0"), testing::Contains(testing::HasSubstr(".snapshot")));
}

TEST_F(LogTest, RollsByRecordTime) {
  config.segment_ms = 1000;
  log->update_config(config);
  ASSERT_TRUE(append({.timestamp = kT0}).has_value());
  EXPECT_FALSE(append({.timestamp = kT0 + 1000})->rolled);
  EXPECT_TRUE(append({.timestamp = kT0 + 1001})->rolled);
  EXPECT_EQ(log->segment_count(), 2u);
}

// The first segment too, so that partitions made together do not roll together.
TEST_F(LogTest, JitterRollsSegmentsSoonerAndApart) {
  config.segment_ms = 100'000;
  config.segment_jitter_ms = 50'000;
  std::set<TimestampMs> ages[2];
  for (int i = 1; i <= 12; ++i) {
    OpenLog options;
    options.directory = "/data/topic-" + std::to_string(i);
    options.partition = {"topic", i};
    options.config = config;
    auto other = world.loop.run(Log::open(world.context, options));
    ASSERT_TRUE(other.has_value());
    std::swap(log, *other);
    TimestampMs now = kT0;
    for (auto& seen : ages) {
      const TimestampMs first = now;
      if (now == kT0) ASSERT_TRUE(append({.timestamp = now}).has_value());
      do now += 1000;
      while (!append({.timestamp = now})->rolled && now < first + 200'000);
      EXPECT_GT(now - first, 50'000);
      EXPECT_LE(now - first, 101'000);
      seen.insert(now - first);
    }
    std::swap(log, *other);
    world.loop.run((*other)->abandon());
  }
  for (const auto& seen : ages) EXPECT_GT(seen.size(), 4u);
}

TEST_F(LogTest, CleanReopenKeepsAllAndScansNothing) {
  config.segment_bytes = 5000;
  log->update_config(config);
  append_many(50, {.count = 2, .value_size = 100});
  const auto before = all_bases();
  reopen_clean();
  EXPECT_EQ(log->log_end_offset(), 100);
  EXPECT_EQ(all_bases(), before);
  EXPECT_EQ(append({})->first_offset, 100);
  EXPECT_EQ(log->topic_id(), (Uuid{1, 200}));
}

TEST_F(LogTest, PartitionMetadataHasItsBytes) {
  EXPECT_EQ(as_text(file("partition.metadata")), "version: 0\ntopic_id: " + log->topic_id().to_string());
  EXPECT_EQ(log->assign_topic_id(Uuid{9, 900}).error().code, ErrorCode::kInconsistentTopicId);
}

TEST_F(LogTest, KilledReopenRebuildsIndexes) {
  config.segment_bytes = 20'000;
  log->update_config(config);
  append_many(60, {.count = 1, .value_size = 1000});
  const Buffer index = file("00000000000000000000.index");
  world.disk.put("/data/topic-0/00000000000000000000.index", Buffer(80));
  world.loop.run(log->abandon());
  log = open(false, 0);
  EXPECT_EQ(file("00000000000000000000.index"), index);
  EXPECT_EQ(all_bases().size(), 60u);
}

TEST_F(LogTest, TornTailIsCutAtTheLastWholeBatch) {
  append_many(5, {.count = 2});
  Buffer bytes = file("00000000000000000000.log");
  const size_t one = bytes.size() / 5;
  world.loop.run(log->abandon());
  bytes.resize(bytes.size() - 10);
  bytes.resize(bytes.size() + 500);  // Zeros, as a file system may leave them.
  world.disk.put("/data/topic-0/00000000000000000000.log", bytes);
  log = open(false, 0);
  EXPECT_EQ(log->log_end_offset(), 8);
  EXPECT_EQ(file("00000000000000000000.log").size(), 4 * one);
  EXPECT_EQ(append({})->first_offset, 8);
}

TEST_F(LogTest, DamageCutsThatSegmentAndDropsLaterOnes) {
  config.segment_bytes = 3000;
  log->update_config(config);
  append_many(30, {.count = 1, .value_size = 500});
  ASSERT_GT(log->segment_count(), 3u);
  const Offset second = log->segment_base_of(log->segment_base_of(0) + 5);
  world.loop.run(log->abandon());
  const std::string name = "/data/topic-0/" + std::string(20 - std::to_string(second).size(), '0') + std::to_string(second) + ".log";
  Buffer bytes = world.disk.content(name);
  ASSERT_FALSE(bytes.empty());
  bytes[bytes.size() / 2] ^= 1;
  world.disk.put(name, bytes);
  log = open(false, 0);
  EXPECT_LT(log->log_end_offset(), second + 5);
  EXPECT_GT(log->log_end_offset(), second - 1);
  EXPECT_EQ(log->segment_count(), 2u);
}

TEST_F(LogTest, RecoversOnlyBehindTheRecoveryPoint) {
  append_many(40, {.count = 1, .value_size = 1000});
  ASSERT_TRUE(world.loop.run(log->flush()).has_value());
  EXPECT_EQ(log->recovery_point(), 40);
  append_many(10, {.count = 1, .value_size = 1000});
  Buffer bytes = file("00000000000000000000.log");
  bytes[200] ^= 1;  // In the first batch, which was synced: it is not read again.
  world.loop.run(log->abandon());
  world.disk.put("/data/topic-0/00000000000000000000.log", bytes);
  log = open(false, 40);
  EXPECT_EQ(log->log_end_offset(), 50);
}

TEST_F(LogTest, DamageBelowTheRecoveryPointIsKeptAside) {
  append_many(40, {.count = 1, .value_size = 100});
  ASSERT_TRUE(world.loop.run(log->flush()).has_value());
  Buffer bytes = file("00000000000000000000.log");
  bytes[bytes.size() / 2] ^= 1;
  world.loop.run(log->abandon());
  world.disk.put("/data/topic-0/00000000000000000000.log", bytes);
  world.disk.put("/data/topic-0/00000000000000000000.index", {});
  log = open(false, 40);
  EXPECT_LT(log->log_end_offset(), 40);
  EXPECT_THAT(world.disk.names("/data/topic-0"), testing::Contains(testing::HasSubstr(".damaged")));
}

TEST_F(LogTest, TruncatesAndForgetsEpochs) {
  append_many(3);
  ASSERT_TRUE(append({}, 2).has_value());
  ASSERT_TRUE(append({}, 5).has_value());
  EXPECT_EQ(log->latest_epoch(), 5);
  EXPECT_EQ(log->end_offset_for_epoch(0).end_offset, 3);
  EXPECT_EQ(log->end_offset_for_epoch(4).epoch, 2);
  EXPECT_EQ(log->end_offset_for_epoch(5).end_offset, 5);
  EXPECT_EQ(log->end_offset_for_epoch(6).end_offset, -1);
  ASSERT_TRUE(world.loop.run(log->truncate_to(4)).has_value());
  EXPECT_EQ(log->log_end_offset(), 4);
  EXPECT_EQ(log->latest_epoch(), 2);
  EXPECT_EQ(append({}, 6)->first_offset, 4);
  ASSERT_TRUE(world.loop.run(log->truncate_fully_and_start_at(100)).has_value());
  EXPECT_EQ(log->log_start_offset(), 100);
  EXPECT_EQ(append({}, 7)->first_offset, 100);
  reopen_clean();
  EXPECT_EQ(log->log_end_offset(), 101);
  EXPECT_EQ(log->log_start_offset(), 100);
}

TEST_F(LogTest, TruncatesIntoAnOlderSegment) {
  config.segment_bytes = 3000;
  log->update_config(config);
  append_many(30, {.count = 1, .value_size = 500});
  ASSERT_TRUE(world.loop.run(log->truncate_to(7)).has_value());
  EXPECT_EQ(log->log_end_offset(), 7);
  EXPECT_EQ(all_bases(), (std::vector<Offset>{0, 1, 2, 3, 4, 5, 6}));
  append_many(3);
  EXPECT_EQ(log->log_end_offset(), 10);
  reopen_killed();
  EXPECT_EQ(all_bases().size(), 10u);
}

TEST_F(LogTest, FollowerKeepsOffsetsAndGaps) {
  Buffer both = make_batch({.count = 2});
  protocol::set_base_offset(both, 5);
  protocol::set_leader_epoch(both, 3);
  Buffer second = make_batch({.count = 1});
  protocol::set_base_offset(second, 20);
  protocol::set_leader_epoch(second, 4);
  const size_t partial = second.size() - 3;
  samsa::append(both, second);
  samsa::append(both, Bytes(second).first(partial));
  auto info = log->append_as_follower(both, 4);
  ASSERT_TRUE(info.has_value()) << info.error().describe();
  EXPECT_EQ(info->first_offset, 5);
  EXPECT_EQ(info->last_offset, 20);
  EXPECT_EQ(log->log_end_offset(), 21);
  EXPECT_EQ(log->epoch_of(7), 3);
  EXPECT_EQ(bases(8), std::vector<Offset>{20});
  EXPECT_EQ(log->append_as_follower(both, 4).error().code, ErrorCode::kOffsetOutOfRange);
  both[70] ^= 1;
  EXPECT_EQ(log->append_as_follower(both, 4).error().code, ErrorCode::kCorruptMessage);
}

TEST_F(LogTest, FindsOffsetsByTimestamp) {
  config.segment_bytes = 3000;
  log->update_config(config);
  append_many(30, {.count = 2, .timestamp = kT0, .value_size = 200});
  for (const Offset wanted : {0, 1, 7, 30, 59}) {
    auto found = world.loop.run(log->offset_for_timestamp(kT0 + wanted));
    ASSERT_TRUE(found.has_value() && *found) << wanted;
    EXPECT_EQ((*found)->offset, wanted);
    EXPECT_EQ((*found)->timestamp, kT0 + wanted);
  }
  EXPECT_EQ((*world.loop.run(log->offset_for_timestamp(0)))->offset, 0);
  EXPECT_FALSE(world.loop.run(log->offset_for_timestamp(kT0 + 60))->has_value());
  EXPECT_EQ((*world.loop.run(log->offset_of_max_timestamp()))->offset, 59);
  reopen_clean();
  EXPECT_EQ((*world.loop.run(log->offset_for_timestamp(kT0 + 31)))->offset, 31);
}

// The greatest timestamp of all may lie below the log start, in a segment (or batch) of which the rest is still there.
TEST_F(LogTest, GreatestTimestampIsLookedForFromTheLogStart) {
  config.segment_bytes = 3000;
  log->update_config(config);
  const auto newest = [&]() -> std::pair<Offset, TimestampMs> {
    const auto found = world.loop.run(log->offset_of_max_timestamp());
    EXPECT_TRUE(found.has_value());
    return found && *found ? std::pair((*found)->offset, (*found)->timestamp) : std::pair<Offset, TimestampMs>(-1, -1);
  };
  ASSERT_TRUE(append({.timestamp = kT0 + 9000}).has_value());
  for (int i = 1; i < 10; ++i) ASSERT_TRUE(append({.timestamp = kT0 - i}).has_value());
  EXPECT_EQ(newest(), std::pair(Offset{0}, kT0 + 9000));
  log->set_high_watermark(10);
  ASSERT_TRUE(log->advance_log_start(5).value());
  EXPECT_EQ(newest(), std::pair(Offset{5}, kT0 - 5));
  // A later segment has something newer than what is left of the first one.
  ASSERT_TRUE(append({.count = 3, .timestamp = kT0 + 100, .value_size = 800}).has_value());
  ASSERT_EQ(log->segment_count(), 2u);
  EXPECT_EQ(newest(), std::pair(Offset{12}, kT0 + 102));
  // Of the batch in which the log starts, only the rest.
  ASSERT_TRUE(append({.timestamp = kT0}).has_value());
  log->set_high_watermark(14);
  ASSERT_TRUE(log->advance_log_start(11).value());
  EXPECT_EQ(newest(), std::pair(Offset{12}, kT0 + 102));
  ASSERT_TRUE(log->advance_log_start(13).value());
  EXPECT_EQ(newest(), std::pair(Offset{13}, kT0));
  ASSERT_TRUE(log->advance_log_start(14).value());
  EXPECT_EQ(newest().first, -1);
}

TEST_F(LogTest, RetentionBySizeTimeAndLogStart) {
  config.segment_bytes = 3000;
  config.file_delete_delay_ms = 60'000;
  log->update_config(config);
  append_many(40, {.count = 1, .timestamp = kT0, .value_size = 500});
  const size_t segments = log->segment_count();
  EXPECT_EQ(*log->delete_old_segments(), 0u);
  config.retention_bytes = 6000;
  log->update_config(config);
  EXPECT_EQ(*log->delete_old_segments(), 0u) << "nothing beyond the high watermark";
  log->set_high_watermark(40);
  EXPECT_GT(*log->delete_old_segments(), 0u);
  EXPECT_LT(log->segment_count(), segments);
  EXPECT_GE(log->size_bytes(), 6000u);
  EXPECT_EQ(read(0).error().code, ErrorCode::kOffsetOutOfRange);
  EXPECT_THAT(world.disk.names("/data/topic-0"), testing::Contains(testing::EndsWith(".log.deleted")));
  world.loop.advance(60'001);
  log->remove_deleted_files();
  EXPECT_THAT(world.disk.names("/data/topic-0"), testing::Not(testing::Contains(testing::EndsWith(".deleted"))));
  const Offset start = log->log_start_offset();
  EXPECT_TRUE(*log->advance_log_start(start + 7));
  EXPECT_GT(*log->delete_old_segments(), 0u);
  EXPECT_EQ(log->log_start_offset(), start + 7);
  config.retention_ms = 1000;
  log->update_config(config);
  EXPECT_GT(*log->delete_old_segments(), 0u);
  EXPECT_EQ(log->log_start_offset(), 40);
  EXPECT_EQ(log->segment_count(), 1u);
  EXPECT_EQ(append({})->first_offset, 40);
}

// All has expired, but there is no room for the segment that would be the next one: what is old makes it.
TEST_F(LogTest, RetentionMakesRoomOnAFullDisk) {
  config.segment_bytes = 3000;
  config.file_delete_delay_ms = 0;
  config.retention_ms = 1000;
  log->update_config(config);
  append_many(40, {.count = 1, .timestamp = kT0, .value_size = 500});
  log->set_high_watermark(40);
  world.loop.advance(2000);
  const size_t segments = log->segment_count();
  world.disk.fault = [](std::string_view operation, const std::string&) { return operation == "write" || operation == "open" ? io::kNoSpaceWords : nullptr; };
  const auto deleted = log->delete_old_segments();
  ASSERT_TRUE(deleted.has_value()) << deleted.error().describe();
  EXPECT_EQ(*deleted, segments - 1);
  EXPECT_FALSE(log->delete_old_segments().has_value());
  world.disk.fault = nullptr;
  EXPECT_EQ(*log->delete_old_segments(), 1u);
  EXPECT_EQ(log->log_start_offset(), 40);
}

TEST_F(LogTest, ReadersKeepDeletedSegments) {
  append_many(5);
  log->set_high_watermark(5);
  auto held = read(0);
  config.retention_ms = 0;
  log->update_config(config);
  world.loop.advance(10);
  EXPECT_EQ(*log->delete_old_segments(), 1u);
  Buffer bytes(held->slices[0].length);
  EXPECT_EQ(*held->slices[0].file->read_at(bytes, held->slices[0].offset), bytes.size());
}

TEST_F(LogTest, LogAppendTimeIsSetInTheBatch) {
  config.log_append_time = true;
  log->update_config(config);
  world.loop.advance(5000);
  auto info = append({.count = 3, .timestamp = kT0});
  ASSERT_TRUE(info.has_value()) << info.error().describe();
  EXPECT_EQ(info->log_append_time, kT0 + 5000);
  const Buffer bytes = file("00000000000000000000.log");
  auto batch = protocol::BatchView::parse(bytes);
  EXPECT_TRUE(batch->crc_matches());
  EXPECT_EQ(batch->max_timestamp(), kT0 + 5000);
}

TEST_F(LogTest, RecompressesToTheTopicsCodec) {
  config.compression = StoredCompression::kZstd;
  log->update_config(config);
  ASSERT_TRUE(append({.count = 50, .value_size = 200}).has_value());
  ASSERT_TRUE(append({.count = 50, .value_size = 200, .codec = protocol::Codec::kLz4}).has_value());
  const Buffer bytes = file("00000000000000000000.log");
  protocol::BatchIterator batches(bytes);
  for (int i = 0; i < 2; ++i) {
    auto batch = batches.next();
    ASSERT_TRUE(batch && *batch);
    EXPECT_EQ((*batch)->codec(), protocol::Codec::kZstd);
    EXPECT_EQ((*batch)->base_offset(), i * 50);
    EXPECT_TRUE((*batch)->crc_matches());
  }
}

TEST_F(LogTest, RefusesBadBatches) {
  Buffer batch = make_batch({.count = 2});
  batch[80] ^= 1;
  EXPECT_EQ(log->append_as_leader(batch, {}).error().code, ErrorCode::kCorruptMessage);
  config.max_message_bytes = 100;
  log->update_config(config);
  EXPECT_EQ(append({.count = 10}).error().code, ErrorCode::kMessageTooLarge);
  config.max_message_bytes = 10000;
  config.cleanup_compact = true;
  log->update_config(config);
  protocol::RecordBatchBuilder builder;
  builder.append(kT0, as_bytes("k"), as_bytes("v"));
  builder.append(kT0, std::nullopt, as_bytes("v"));
  Buffer keyless = builder.build().value();
  std::vector<RecordError> errors;
  LeaderAppend options;
  options.record_errors = &errors;
  EXPECT_EQ(log->append_as_leader(keyless, options).error().code, ErrorCode::kInvalidRecord);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].batch_index, 1);
  EXPECT_EQ(log->log_end_offset(), 0);
}

TEST_F(LogTest, FullDiskRefusesAndGoesOnWhenThereIsRoom) {
  append_many(3);
  world.disk.capacity = world.disk.content("/data/topic-0/00000000000000000000.log").size() + 250;
  auto refused = append({.count = 5, .value_size = 100});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kKafkaStorageError);
  EXPECT_EQ(log->log_end_offset(), 3);
  world.disk.capacity = UINT64_MAX;
  EXPECT_EQ(append({})->first_offset, 3);
  reopen_killed();
  EXPECT_EQ(all_bases().size(), 4u);
}

TEST_F(LogTest, BrokenDiskStopsTheLog) {
  append_many(3);
  int told = 0;
  world.context.on_failure = [&](Log&, const Error&) { ++told; };
  world.disk.failing = true;
  EXPECT_EQ(append({}).error().code, ErrorCode::kKafkaStorageError);
  world.disk.failing = false;
  EXPECT_EQ(append({}).error().code, ErrorCode::kKafkaStorageError);
  EXPECT_EQ(told, 1);
}

// Whatever it was that read. Damaged content, missing files and a lack of handles are no failure of the device.
TEST_F(LogTest, FailingReadStopsTheLog) {
  config.segment_bytes = 3000;
  config.retention_ms = 1000;
  log->update_config(config);
  append_many(40, {.count = 1, .value_size = 500});
  const std::vector<std::function<bool()>> readers = {
      [&] { return world.loop.run(log->read({0, 1 << 20, 40, true})).has_value(); },
      [&] { return world.loop.run(log->read_bytes({0, 1 << 20, 40, true})).has_value(); },
      [&] { return world.loop.run(log->offset_for_timestamp(kT0 + 3)).has_value(); },
      [&] { return world.loop.run(log->offset_of_max_timestamp()).has_value(); },
      [&] { return log->delete_old_segments().has_value(); },
  };
  for (size_t i = 0; i < readers.size(); ++i) {
    SCOPED_TRACE(i);
    reopen_killed();
    log->set_high_watermark(40);
    log = open(true, 40);  // Nothing is remembered.
    log->set_high_watermark(40);
    std::vector<std::string> told;
    world.context.on_failure = [&](Log&, const Error& error) { told.push_back(error.message); };
    const char* words = "Too many open files";
    world.disk.fault = [&](std::string_view operation, const std::string&) { return operation == "read" ? words : nullptr; };
    EXPECT_FALSE(readers[i]());
    EXPECT_TRUE(told.empty());
    words = "Input/output error";
    EXPECT_FALSE(readers[i]());
    EXPECT_EQ(told.size(), 1u);
    world.disk.fault = nullptr;
    EXPECT_EQ(append({}).error().code, ErrorCode::kKafkaStorageError);
    world.context.on_failure = nullptr;
  }
}

TEST_F(LogTest, ManyWaitersShareOneSync) {
  append_many(20);
  const size_t before = world.disk.syncs;
  int done = 0;
  const auto wait = [](Log& log, Offset offset, int& done) -> io::Task<> {
    auto durable = co_await log.wait_durable(offset);
    EXPECT_TRUE(durable.has_value());
    ++done;
  };
  for (Offset offset = 1; offset <= 20; ++offset) spawn(world.loop, wait(*log, offset, done));
  world.loop.run_ready();
  EXPECT_EQ(done, 20);
  EXPECT_LE(world.disk.syncs - before, 2u);
  EXPECT_TRUE(log->is_durable(20));
}

// What a start has to write once more is bounded: where appends are synced anyway, the recovery point comes along.
TEST_F(LogTest, TheRecoveryPointFollowsDurableAppends) {
  config.durable = true;
  config.segment_bytes = 1 << 30;
  log->update_config(config);
  int batches = 0;
  while (!log->flush_due() && batches < 100) {
    append_many(1, {.count = 1, .value_size = 900'000});
    ASSERT_TRUE(world.loop.run(log->wait_durable(log->log_end_offset())).has_value());
    EXPECT_EQ(log->recovery_point(), 0);
    ++batches;
  }
  EXPECT_GT(batches, 10);
  EXPECT_LT(batches, 30);
  ASSERT_TRUE(world.loop.run(log->flush()).has_value());
  EXPECT_EQ(log->recovery_point(), log->log_end_offset());
  EXPECT_FALSE(log->flush_due());
  // A log that is found so behind catches up as well.
  append_many(20, {.count = 1, .value_size = 900'000});
  const Offset behind = log->recovery_point();
  world.loop.run(log->abandon());
  log = open(false, behind);
  EXPECT_TRUE(log->flush_due());
}

TEST_F(LogTest, BytesBetween) {
  config.segment_bytes = 3000;
  log->update_config(config);
  append_many(30, {.count = 1, .value_size = 500});
  const uint64_t one = make_batch({.count = 1, .value_size = 500}).size();
  EXPECT_EQ(log->bytes_between(0, 30), 30 * one);
  EXPECT_EQ(log->bytes_between(29, 30), one);
  EXPECT_EQ(log->bytes_between(3, 20), 17 * one);
  EXPECT_EQ(log->bytes_between(30, 30), 0u);
}

TEST_F(LogTest, WhoAppendsMuchHasRoomAhead) {
  constexpr uint64_t kMiB = 1 << 20;
  const std::string path = "/data/topic-0/00000000000000000000.log";
  config.segment_bytes = 64 * kMiB;
  log = open();
  append_many(7, {.value_size = 900'000});
  EXPECT_EQ(world.disk.reserved(path), 0u) << "small partitions are many";
  append_many(3, {.value_size = 900'000});
  const uint64_t ahead = world.disk.reserved(path);
  EXPECT_GE(ahead, 15 * kMiB);
  EXPECT_LE(ahead, 2 * log->size_bytes());
  append_many(20, {.value_size = 900'000});
  EXPECT_GT(world.disk.reserved(path), 30 * kMiB);
  EXPECT_LE(world.disk.reserved(path), static_cast<uint64_t>(config.segment_bytes));
  // Idle between two looks: it goes back. The next appends keep room again.
  ASSERT_TRUE(log->delete_old_segments().has_value());
  EXPECT_GT(world.disk.reserved(path), 0u);
  ASSERT_TRUE(log->delete_old_segments().has_value());
  EXPECT_EQ(world.disk.reserved(path), 0u);
  for (int i = 0; i < 4; ++i) append_many(10, {.value_size = 900'000});
  EXPECT_EQ(world.disk.reserved(path), static_cast<uint64_t>(config.segment_bytes)) << "never beyond the segment";
  // A life that ended without a word leaves its room to the next start.
  reopen_killed();
  EXPECT_EQ(world.disk.reserved(path), 0u);
  EXPECT_EQ(log->log_end_offset(), 70);
  EXPECT_EQ(bases(69).front(), 69);
}

TEST_F(LogTest, NearlyFullDisksKeepNoRoomAhead) {
  config.segment_bytes = 64 << 20;
  world.disk.capacity = 100 << 20;
  log = open();
  append_many(30, {.value_size = 900'000});
  EXPECT_EQ(world.disk.reserved("/data/topic-0/00000000000000000000.log"), 0u);
}

}  // namespace
}  // namespace samsa::storage
