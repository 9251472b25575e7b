// The runtime with a machine that only counts: order, commit, failures, loading, deadlines.
#include "coordinator/runtime.h"

#include <gtest/gtest.h>

#include "coordinator/group/testing.h"
#include "protocol/control_batch.h"

namespace samsa::coordinator {
namespace {

using namespace testing;

struct Counter final : StateMachine {
  std::vector<std::string> seen;
  std::vector<std::string> markers;
  Offset committed = 0;
  int loaded = 0, resigned = 0;
  io::MonoTime deadline = io::kNever;
  std::vector<int64_t> fired_at_ms;

  Result<void> replay(const ReplayedRecord& record) override {
    if (as_text(record.key) == "poison") return fail(ErrorCode::kUnsupportedVersion);
    seen.push_back(std::string(as_text(record.key)) + "@" + std::to_string(record.offset) +
                   (record.producer.id == kNoProducerId ? "" : " by " + std::to_string(record.producer.id)));
    return {};
  }
  void replay_marker(ProducerStamp producer, bool commit, Offset offset) override {
    markers.push_back(std::to_string(producer.id) + (commit ? " commit@" : " abort@") + std::to_string(offset));
  }
  void on_loaded(Now) override { ++loaded; }
  void on_resigned() override { ++resigned; }
  void on_committed(Offset high_watermark) override { committed = high_watermark; }
  [[nodiscard]] io::MonoTime next_deadline() const override { return deadline; }
  Writes on_deadline(Now now) override {
    fired_at_ms.push_back(now.mono.ns / 1'000'000);
    deadline = io::kNever;
    Writes writes;
    writes.records.push_back(CoordinatorRecord{Buffer{'t'}, std::nullopt});
    return writes;
  }
};

class RuntimeTest : public ::testing::Test {
 protected:
  using Partition = CoordinatorPartition<Counter>;
  struct Outcome {
    std::optional<Result<int>> value;
  };

  void SetUp() override { log = std::make_shared<FakeLog>(loop); }
  void TearDown() override { loop.stop(); }
  void start() {
    partition = std::make_shared<Partition>(loop, log, std::make_unique<Counter>());
    io::spawn(loop, load());
    loop.run();
  }
  io::Task<> load() { load_result = co_await partition->load(); }

  // Writes one record per letter; the answer is `value`.
  std::shared_ptr<Outcome> write(std::string letters, int value, Writes writes = {}) {
    auto outcome = std::make_shared<Outcome>();
    for (const char c : letters) writes.records.push_back(CoordinatorRecord{Buffer{static_cast<uint8_t>(c)}, Buffer{'v'}});
    io::spawn(loop, run(partition, std::move(writes), value, outcome));
    return outcome;
  }
  static io::Task<> run(std::shared_ptr<Partition> partition, Writes writes, int value, std::shared_ptr<Outcome> outcome) {
    outcome->value.emplace(co_await Partition::write(
        partition, [&](Counter&, Now) -> Result<Decision<int>> { return Decision<int>{value, std::move(writes)}; }));
  }
  Counter& machine() { return partition->mutable_machine(); }
  static ErrorCode error(const std::shared_ptr<Outcome>& outcome) {
    return outcome->value->has_value() ? ErrorCode::kNone : outcome->value->error().code;
  }

  ManualLoop loop;
  std::shared_ptr<FakeLog> log;
  std::shared_ptr<Partition> partition;
  std::optional<Result<void>> load_result;
};

TEST_F(RuntimeTest, AnswersWhenCommittedAndReplaysBefore) {
  start();
  log->hold_commits();
  const auto one = write("ab", 1);
  loop.run();
  EXPECT_EQ(machine().seen, (std::vector<std::string>{"a@0", "b@1"}));  // Writers see it already.
  EXPECT_FALSE(one->value);
  EXPECT_EQ(machine().committed, 0);
  log->commit_all();
  loop.run();
  ASSERT_TRUE(one->value);
  EXPECT_EQ(**one->value, 1);
  EXPECT_EQ(machine().committed, 2);
}

TEST_F(RuntimeTest, KeepsTheOrderOfRequests) {
  log->slow_append();
  start();
  std::vector<std::shared_ptr<Outcome>> all;
  for (const char c : {'a', 'b', 'c'}) all.push_back(write(std::string(1, c), c));
  loop.run();
  EXPECT_EQ(machine().seen, (std::vector<std::string>{"a@0", "b@1", "c@2"}));
  for (const auto& outcome : all) EXPECT_EQ(error(outcome), ErrorCode::kNone);
}

TEST_F(RuntimeTest, AFailedAppendChangesNothing) {
  start();
  log->fail_next(ErrorCode::kNotEnoughReplicas);
  bool told = false;
  Writes writes;
  writes.on_committed = [&](const WriteOutcome& outcome, Now) {
    told = !outcome.in_log && !outcome.result && outcome.result.error().code == ErrorCode::kCoordinatorNotAvailable;
  };
  const auto one = write("a", 1, std::move(writes));
  const auto two = write("b", 2);
  loop.run();
  EXPECT_EQ(error(one), ErrorCode::kCoordinatorNotAvailable);
  EXPECT_TRUE(told);
  EXPECT_EQ(error(two), ErrorCode::kNone);
  EXPECT_EQ(machine().seen, (std::vector<std::string>{"b@0"}));
}

TEST_F(RuntimeTest, ARecordThatCannotBeEncodedFailsAllOfItsDecision) {
  start();
  Writes writes;
  writes.records.push_back(record_of(Buffer{'k'}, fail(ErrorCode::kInvalidRequest, "string too long")));
  const auto one = write("a", 1, std::move(writes));
  const auto two = write("b", 2);
  loop.run();
  EXPECT_EQ(error(one), ErrorCode::kUnknownServerError);
  EXPECT_EQ(error(two), ErrorCode::kNone);
  EXPECT_EQ(machine().seen, (std::vector<std::string>{"b@0"}));
}

TEST_F(RuntimeTest, AnAnswerWithoutRecordsWaitsForWhatItSaw) {
  start();
  log->hold_commits();
  write("a", 1);
  const auto reader = write("", 2);
  loop.run();
  EXPECT_FALSE(reader->value);
  log->commit_all();
  loop.run();
  EXPECT_TRUE(reader->value);
  const auto next = write("", 3);
  loop.run();
  EXPECT_TRUE(next->value);
}

TEST_F(RuntimeTest, GivesUpAfterTheTimeout) {
  start();
  log->hold_commits();
  const auto one = write("a", 1);
  loop.advance(4999ms);
  EXPECT_FALSE(one->value);
  loop.advance(1ms);
  EXPECT_EQ(error(one), ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(machine().seen.size(), 1u);  // It is in the log all the same.
}

TEST_F(RuntimeTest, RecordsThatAreNotReplayed) {
  start();
  Writes writes;
  writes.replayed = 0;
  write("a", 1, std::move(writes));
  loop.run();
  EXPECT_TRUE(machine().seen.empty());
  EXPECT_EQ(log->records().size(), 1u);
}

TEST_F(RuntimeTest, LoadsAllThatIsInTheLog) {
  protocol::RecordBatchBuilder builder({.codec = protocol::Codec::kLz4});
  for (const char c : std::string("abc")) builder.append(1, Bytes(reinterpret_cast<const uint8_t*>(&c), 1), std::nullopt);
  log->append_raw(*builder.build());
  log->append_raw(
      *protocol::single_record_batch({.producer_id = 7, .producer_epoch = 1, .transactional = true}, 1, as_bytes("d"), as_bytes("v")));
  log->append_raw(protocol::transaction_marker_batch({7, 1, true, 3}, 0, 0, 1));
  log->set_high_watermark(3);
  start();
  ASSERT_TRUE(load_result && load_result->has_value());
  EXPECT_EQ(machine().seen, (std::vector<std::string>{"a@0", "b@1", "c@2", "d@3 by 7"}));
  EXPECT_EQ(machine().markers, (std::vector<std::string>{"7 commit@4"}));
  EXPECT_EQ(machine().committed, 3);
  EXPECT_EQ(machine().loaded, 1);
  // What was loaded and is not committed holds answers back as well.
  const auto reader = write("", 1);
  loop.run();
  EXPECT_FALSE(reader->value);
  log->set_high_watermark(5);
  loop.run();
  EXPECT_TRUE(reader->value);
}

TEST_F(RuntimeTest, ARecordThatCannotBeReadEndsTheLoading) {
  log->append_raw(*protocol::single_record_batch({}, 1, as_bytes("poison"), as_bytes("v")));
  start();
  ASSERT_TRUE(load_result && !load_result->has_value());
  EXPECT_EQ(load_result->error().code, ErrorCode::kUnsupportedVersion);
  const auto one = write("a", 1);
  loop.run();
  EXPECT_EQ(error(one), ErrorCode::kNotCoordinator);
}

TEST_F(RuntimeTest, RefusesWhileLoadingAndAfterwards) {
  partition = std::make_shared<Partition>(loop, log, std::make_unique<Counter>());
  const auto early = write("a", 1);
  loop.run();
  EXPECT_EQ(error(early), ErrorCode::kCoordinatorLoadInProgress);
  partition->resign();
  partition->resign();
  EXPECT_EQ(machine().resigned, 1);
  const auto late = write("a", 1);
  loop.run();
  EXPECT_EQ(error(late), ErrorCode::kNotCoordinator);
}

TEST_F(RuntimeTest, ResigningEndsWhatWaitsForACommit) {
  start();
  log->hold_commits();
  const auto one = write("a", 1);
  loop.run();
  partition->resign();
  log->lose_leadership();
  loop.run();
  EXPECT_EQ(error(one), ErrorCode::kNotCoordinator);
}

TEST_F(RuntimeTest, ResigningDuringTheLoad) {
  log->append_raw(*protocol::single_record_batch({}, 1, as_bytes("a"), as_bytes("v")));
  partition = std::make_shared<Partition>(loop, log, std::make_unique<Counter>());
  io::spawn(loop, load());
  partition->resign();
  loop.run();
  ASSERT_TRUE(load_result && !load_result->has_value());
  EXPECT_EQ(load_result->error().code, ErrorCode::kNotCoordinator);
  EXPECT_EQ(machine().loaded, 0);
}

TEST_F(RuntimeTest, RunsDeadlines) {
  start();
  const auto set = [&](std::chrono::milliseconds in) {
    machine().deadline = io::after(loop.now(), in);
    write("", 0);  // Any request looks at the deadline again.
    loop.run();
  };
  set(500ms);
  set(300ms);
  const int64_t begin = loop.now().ns / 1'000'000;
  loop.advance(1s);
  EXPECT_EQ(machine().fired_at_ms, (std::vector<int64_t>{begin + 300}));
  EXPECT_EQ(machine().seen, (std::vector<std::string>{"t@0"}));
  set(100ms);
  partition->resign();
  loop.advance(1s);
  EXPECT_EQ(machine().fired_at_ms.size(), 1u);
  EXPECT_EQ(loop.timer_count(), 0u);
}

TEST_F(RuntimeTest, CompletesTransactions) {
  start();
  Writes writes;
  writes.producer = {9, 2};
  write("a", 1, std::move(writes));
  loop.run();
  EXPECT_EQ(machine().seen, (std::vector<std::string>{"a@0 by 9"}));
  std::optional<Result<void>> done;
  const auto complete = [](std::shared_ptr<Partition> p, std::optional<Result<void>>& into) -> io::Task<> {
    into = co_await p->complete_transaction({9, 2}, 4, false);
  };
  io::spawn(loop, complete(partition, done));
  loop.run();
  ASSERT_TRUE(done && done->has_value());
  EXPECT_EQ(machine().markers, (std::vector<std::string>{"9 abort@1"}));
  const auto marker = protocol::read_transaction_marker(*protocol::BatchView::parse(log->batches().back()));
  ASSERT_TRUE(marker);
  EXPECT_EQ(marker->coordinator_epoch, 4);
  EXPECT_FALSE(marker->commit);
}

}  // namespace
}  // namespace samsa::coordinator
