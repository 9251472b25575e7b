#include "storage/producer_state.h"

#include <gmock/gmock.h>

#include "base/crc32c.h"
#include "protocol/control_batch.h"
#include "storage/test_world.h"

namespace samsa::storage {
namespace {

constexpr int64_t kPid = 4000;

class ProducerStateTest : public testing::Test {
 protected:
  void open(bool clean = true) {
    OpenLog options;
    options.directory = "/data/topic-0";
    options.partition = {"topic", 0};
    options.config = config;
    options.clean = clean;
    auto opened = world.loop.run(Log::open(world.context, options));
    ASSERT_TRUE(opened.has_value()) << opened.error().describe();
    log = std::move(*opened);
  }
  void reopen(bool clean) {
    if (clean) {
      ASSERT_TRUE(world.loop.run(log->close()).has_value());
    } else {
      world.loop.run(log->abandon());
    }
    open(clean);
  }
  Result<AppendInfo> send(int16_t epoch, int32_t sequence, int count = 1, bool transactional = false, int64_t pid = kPid, bool v2 = false) {
    Buffer batch = make_batch({.count = count, .timestamp = world.loop.wall_ms(), .producer_id = pid, .producer_epoch = epoch,
                               .base_sequence = sequence, .transactional = transactional});
    LeaderAppend options;
    options.transactions_v2 = v2;
    options.guard = guard;
    return log->append_as_leader(batch, options);
  }
  Result<AppendInfo> end(bool commit, int16_t epoch = 0, int64_t pid = kPid, int32_t coordinator_epoch = 1, bool v2 = false) {
    Buffer batch = protocol::transaction_marker_batch({pid, epoch, commit, coordinator_epoch}, 0, 0, world.loop.wall_ms());
    LeaderAppend options;
    options.origin = AppendOrigin::kMarker;
    options.transactions_v2 = v2;
    return log->append_as_leader(batch, options);
  }
  ErrorCode code(const Result<AppendInfo>& result) { return result ? ErrorCode::kNone : result.error().code; }
  void to_end() { log->set_high_watermark(log->log_end_offset()); }

  TestWorld world;
  LogConfig config;
  VerificationGuard guard = kNoGuard;
  std::unique_ptr<Log> log;

  void SetUp() override { open(); }
  void TearDown() override { world.loop.run(log->abandon()); }
};

TEST_F(ProducerStateTest, RepeatsAmongTheLastFiveAreAnsweredWithTheFirstOffset) {
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(send(0, i * 2, 2).has_value());
  for (int i = 1; i < 6; ++i) {
    auto again = send(0, i * 2, 2);
    ASSERT_TRUE(again.has_value());
    EXPECT_TRUE(again->duplicate);
    EXPECT_EQ(again->first_offset, i * 2);
    EXPECT_EQ(again->last_offset, i * 2 + 1);
  }
  EXPECT_EQ(code(send(0, 0, 2)), ErrorCode::kOutOfOrderSequenceNumber) << "the sixth oldest is forgotten";
  EXPECT_EQ(log->log_end_offset(), 12);
}

TEST_F(ProducerStateTest, SequencesMustFollow) {
  EXPECT_EQ(code(send(0, 10)), ErrorCode::kNone) << "without state any sequence is taken";
  EXPECT_EQ(code(send(0, 12)), ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_EQ(code(send(0, 11)), ErrorCode::kNone);
  EXPECT_EQ(code(send(1, 12)), ErrorCode::kOutOfOrderSequenceNumber) << "a new epoch begins at 0";
  EXPECT_EQ(code(send(1, 0)), ErrorCode::kNone);
  EXPECT_EQ(code(send(0, 12)), ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(code(send(0, 5, 1, true, 77, true)), ErrorCode::kOutOfOrderSequenceNumber) << "transactions v2: a new producer begins at 0";
}

TEST_F(ProducerStateTest, SequenceWrapsAround) {
  EXPECT_EQ(code(send(0, INT32_MAX - 1, 4)), ErrorCode::kNone);
  EXPECT_EQ(log->active_producers()[0].last_sequence, 1);
  EXPECT_TRUE(send(0, INT32_MAX - 1, 4)->duplicate);
  EXPECT_EQ(code(send(0, 2)), ErrorCode::kNone);
  EXPECT_EQ(code(send(5, 0)), ErrorCode::kNone);
  EXPECT_EQ(code(send(5, INT32_MAX)), ErrorCode::kOutOfOrderSequenceNumber);
}

TEST_F(ProducerStateTest, LastStableOffsetFollowsTransactionsAndReplication) {
  ASSERT_TRUE(send(0, 0, 1, true).has_value());
  ASSERT_TRUE(send(0, 0, 1, true, 9).has_value());
  ASSERT_TRUE(send(0, 1, 3, true).has_value());
  to_end();
  EXPECT_EQ(log->last_stable_offset(), 0);
  EXPECT_EQ(code(send(0, 4)), ErrorCode::kInvalidTxnState) << "outside of the open transaction";
  ASSERT_TRUE(end(true).has_value());
  EXPECT_EQ(log->last_stable_offset(), 0) << "the marker is not below the high watermark";
  to_end();
  EXPECT_EQ(log->last_stable_offset(), 1);
  ASSERT_TRUE(end(false, 0, 9).has_value());
  to_end();
  EXPECT_EQ(log->last_stable_offset(), log->log_end_offset());
  auto aborted = log->aborted_transactions(0, 100);
  ASSERT_EQ(aborted->size(), 1u);
  EXPECT_EQ((*aborted)[0].producer_id, 9);
  EXPECT_EQ((*aborted)[0].first_offset, 1);
}

TEST_F(ProducerStateTest, TransactionIndexHasItsBytes) {
  ASSERT_TRUE(send(0, 0, 1, true).has_value());
  ASSERT_TRUE(send(0, 0, 2, true, 9).has_value());
  ASSERT_TRUE(end(false).has_value());
  ASSERT_TRUE(end(false, 0, 9).has_value());
  for (const bool clean : {true, false}) {
    reopen(clean);
    const Buffer index = world.disk.content("/data/topic-0/00000000000000000000.txnindex");
    ASSERT_EQ(index.size(), 68u);
    const int64_t expected[2][4] = {{kPid, 0, 3, 1}, {9, 1, 4, 5}};
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(load_be<int16_t>(index.data() + 34 * i), 0);
      for (size_t j = 0; j < 4; ++j) EXPECT_EQ(load_be<int64_t>(index.data() + 34 * i + 2 + 8 * j), expected[i][j]) << i << j;
    }
  }
}

TEST_F(ProducerStateTest, MarkersAreFenced) {
  ASSERT_TRUE(send(3, 0, 1, true).has_value());
  EXPECT_EQ(code(end(true, 2)), ErrorCode::kInvalidProducerEpoch);
  ASSERT_TRUE(end(true, 3, kPid, 5).has_value());
  ASSERT_TRUE(send(3, 1, 1, true).has_value());
  EXPECT_EQ(code(end(true, 3, kPid, 4)), ErrorCode::kTransactionCoordinatorFenced);
  EXPECT_EQ(code(end(true, 3, kPid, 5, true)), ErrorCode::kInvalidProducerEpoch) << "v2 markers bump the epoch";
  EXPECT_EQ(code(end(true, 4, kPid, 5, true)), ErrorCode::kNone);
  EXPECT_EQ(code(end(true, 4, kPid, 5, true)), ErrorCode::kNone) << "a repeat";
  EXPECT_EQ(log->active_producers()[0].last_sequence, kNoSequence);
  EXPECT_EQ(code(send(4, 0, 1, true)), ErrorCode::kNone);
}

TEST_F(ProducerStateTest, VerificationGuards) {
  world.context.verify_transactions = true;
  EXPECT_EQ(code(send(0, 0, 1, true)), ErrorCode::kInvalidTxnState);
  auto first = log->begin_verification(kPid, 0, 0, false);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(log->begin_verification(kPid, 0, 0, false), first) << "the running one is shared";
  ASSERT_TRUE(end(false, 0).has_value());
  guard = *first;
  EXPECT_EQ(code(send(0, 0, 1, true)), ErrorCode::kInvalidTxnState) << "a marker in between";
  guard = *log->begin_verification(kPid, 0, 2, false);
  (void)log->begin_verification(kPid, 0, 0, false);
  EXPECT_EQ(code(send(0, 2, 1, true)), ErrorCode::kOutOfOrderSequenceNumber) << "a lower sequence waits";
  EXPECT_EQ(code(send(0, 0, 2, true)), ErrorCode::kNone);
  EXPECT_FALSE(log->begin_verification(kPid, 0, 2, false).has_value()) << "the transaction is open";
  guard = kNoGuard;
  EXPECT_EQ(code(send(0, 2, 1, true)), ErrorCode::kNone);
}

TEST_F(ProducerStateTest, SnapshotBytesAndState) {
  ASSERT_TRUE(send(2, 0, 3).has_value());
  ASSERT_TRUE(world.loop.run(log->close()).has_value());
  const Buffer file = world.disk.content("/data/topic-0/00000000000000000003.snapshot");
  ASSERT_EQ(file.size(), 56u);
  EXPECT_EQ(load_be<int16_t>(file.data()), 1);
  EXPECT_EQ(load_be<uint32_t>(file.data() + 2), crc32c(Bytes(file).subspan(6)));
  EXPECT_EQ(load_be<int32_t>(file.data() + 6), 1);
  EXPECT_EQ(load_be<int64_t>(file.data() + 10), kPid);
  EXPECT_EQ(load_be<int16_t>(file.data() + 18), 2);
  EXPECT_EQ(load_be<int32_t>(file.data() + 20), 2);
  EXPECT_EQ(load_be<int64_t>(file.data() + 24), 2);
  EXPECT_EQ(load_be<int32_t>(file.data() + 32), 2);
  EXPECT_EQ(load_be<int64_t>(file.data() + 36), world.loop.wall_ms() + 2);
  EXPECT_EQ(load_be<int32_t>(file.data() + 44), -1);
  EXPECT_EQ(load_be<int64_t>(file.data() + 48), -1);
  open();
  EXPECT_TRUE(send(2, 0, 3)->duplicate);
  EXPECT_EQ(code(send(2, 3)), ErrorCode::kNone);
}

TEST_F(ProducerStateTest, StateSurvivesAnyRestartAndTruncation) {
  config.segment_bytes = 2000;
  log->update_config(config);
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(send(0, i / 3, 1, i % 3 == 2, kPid + i % 3).has_value());
  const auto before = log->active_producers();
  for (const bool clean : {false, true, false}) {
    reopen(clean);
    const auto after = log->active_producers();
    ASSERT_EQ(after.size(), before.size());
    for (size_t i = 0; i < after.size(); ++i) {
      EXPECT_EQ(after[i].last_sequence, before[i].last_sequence);
      EXPECT_EQ(after[i].transaction_start, before[i].transaction_start);
    }
  }
  ASSERT_TRUE(world.loop.run(log->truncate_to(4)).has_value());
  EXPECT_EQ(log->active_producers().size(), 3u);
}

TEST_F(ProducerStateTest, DamagedSnapshotIsReplacedByReplay) {
  config.segment_bytes = 2000;
  log->update_config(config);
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(send(0, i).has_value());
  ASSERT_TRUE(world.loop.run(log->close()).has_value());
  const std::string name = "/data/topic-0/00000000000000000030.snapshot";
  Buffer file = world.disk.content(name);
  file[20] ^= 1;
  world.disk.put(name, file);
  open();
  EXPECT_EQ(log->active_producers()[0].last_sequence, 29);
  EXPECT_EQ(code(send(0, 30)), ErrorCode::kNone);
}

TEST_F(ProducerStateTest, IdleProducersExpireUnlessInATransaction) {
  ASSERT_TRUE(send(0, 0).has_value());
  ASSERT_TRUE(send(0, 0, 1, true, 9).has_value());
  world.loop.advance(world.context.producer_id_expiration_ms);
  log->expire_producers();
  ASSERT_EQ(log->producer_count(), 1u);
  EXPECT_EQ(log->active_producers()[0].producer_id, 9);
  EXPECT_EQ(log->active_producers()[0].transaction_start, 1);
}

TEST(ProducerSnapshot, RefusesWhatIsNotOne) {
  const Buffer empty = encode_producer_snapshot({});
  EXPECT_EQ(empty.size(), 10u);
  EXPECT_TRUE(decode_producer_snapshot(empty).has_value());
  EXPECT_FALSE(decode_producer_snapshot(Bytes(empty).first(9)).has_value());
  Buffer longer = empty;
  longer.push_back(0);
  EXPECT_FALSE(decode_producer_snapshot(longer).has_value());
  Buffer many = empty;
  store_be<int32_t>(many.data() + 6, INT32_MAX);
  store_be<uint32_t>(many.data() + 2, crc32c(Bytes(many).subspan(6)));
  EXPECT_FALSE(decode_producer_snapshot(many).has_value());
}

}  // namespace
}  // namespace samsa::storage
