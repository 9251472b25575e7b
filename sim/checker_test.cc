// Planted histories: each anomaly is caught, by its name, and a history without one is not accused.
#include "sim/checker.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace samsa::sim {
namespace {

const TopicPartition kP{"t", 0};
const TopicPartition kQ{"t", 1};

// A little builder: time goes on with every operation.
struct Planted {
  History history;
  int64_t now = 0;

  Send& send(Value value, Offset offset, const TopicPartition& partition = kP, int client = 1, int transaction = kNoTransaction) {
    Send& send = history.sends.emplace_back();
    send.client = client;
    send.partition = partition;
    send.value = value;
    send.began = ++now;
    send.ended = ++now;
    send.outcome = offset < 0 ? Outcome::kUnknown : Outcome::kOk;
    send.offset = offset;
    send.transaction = transaction;
    return send;
  }
  Poll& poll(std::vector<Seen> seen, bool final = false, int client = 9, int transaction = kNoTransaction) {
    Poll& poll = history.polls.emplace_back();
    poll.client = client;
    poll.session = final ? 1000 : 1;
    poll.began = ++now;
    poll.ended = ++now;
    poll.transaction = transaction;
    poll.final = final;
    poll.seen = std::move(seen);
    return poll;
  }
  int begin_transaction() {
    history.transactions.push_back({1, ++now});
    return static_cast<int>(history.transactions.size()) - 1;
  }
  void commit(int number) {
    auto& transaction = history.transactions[static_cast<size_t>(number)];
    transaction.commit_began = ++now;
    transaction.ended = ++now;
    transaction.outcome = Outcome::kOk;
  }
  void abort(int number) {
    history.transactions[static_cast<size_t>(number)].ended = ++now;
    history.transactions[static_cast<size_t>(number)].outcome = Outcome::kFailed;
  }
};

Seen at(Offset offset, Value value, const TopicPartition& partition = kP) { return {partition, offset, value, "", false}; }

// The kinds found, once each, in order; "(allowed)" behind those that Kafka's model allows.
std::vector<std::string> kinds(const History& history, const Model& model = {}) {
  std::vector<std::string> found;
  for (const auto& anomaly : check(history, model)) found.push_back(anomaly.kind + (anomaly.allowed ? " (allowed)" : ""));
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}
using Kinds = std::vector<std::string>;

TEST(Checker, GoodHistoryIsGood) {
  Planted h;
  h.send(1, 0);
  h.send(2, 1);
  h.send(3, -1);  // Unknown, and it is there.
  h.send(4, -1);  // Unknown, and it is not.
  h.poll({at(0, 1)});
  h.poll({at(1, 2), at(2, 3)});
  h.poll({at(0, 1), at(1, 2), at(2, 3)}, true);
  EXPECT_EQ(kinds(h.history), Kinds{});
}

TEST(Checker, LostWrite) {
  Planted h;
  h.send(1, 0);
  h.send(2, 1);
  h.poll({at(1, 2)}, true);
  EXPECT_EQ(kinds(h.history), Kinds{"lost-write"});
}

TEST(Checker, LostAfterItWasRead) {
  Planted h;
  h.send(1, -1);
  h.send(2, 1);
  h.poll({at(0, 1)});
  h.poll({at(1, 2)}, true);
  EXPECT_EQ(kinds(h.history), Kinds{"lost-write"});
}

TEST(Checker, Unseen) {
  Planted h;
  h.send(1, 0);
  h.send(2, 1);
  h.poll({at(0, 1)}, true);
  EXPECT_EQ(kinds(h.history), Kinds{"unseen"});
}

TEST(Checker, Duplicate) {
  Planted h;
  h.send(1, 0);
  h.poll({at(0, 1), at(1, 1)}, true);
  EXPECT_EQ(kinds(h.history), Kinds{"duplicate"});
  h.history.sends[0].once = false;  // A producer without idempotence may.
  EXPECT_EQ(kinds(h.history), Kinds{"duplicate (allowed)"});
}

TEST(Checker, InconsistentOffsets) {
  Planted h;
  h.send(1, 0);
  h.send(2, -1);
  h.poll({at(0, 1)}, true);
  h.poll({at(0, 2)}, false, 5);
  const auto found = kinds(h.history);
  EXPECT_TRUE(std::find(found.begin(), found.end(), "inconsistent-offsets") != found.end());
}

TEST(Checker, ReadOfAFailedWrite) {
  Planted h;
  h.send(1, -1).outcome = Outcome::kFailed;
  h.poll({at(0, 1)}, true);
  EXPECT_EQ(kinds(h.history), Kinds{"G1a"});
}

TEST(Checker, ReadOfWhatNobodyWrote) {
  Planted h;
  h.poll({at(0, 77)}, true);
  EXPECT_EQ(kinds(h.history), Kinds{"G1a"});
}

TEST(Checker, AbortedRead) {
  Planted h;
  const int t = h.begin_transaction();
  h.send(1, 0, kP, 1, t);
  h.abort(t);
  h.poll({at(0, 1)}, true);
  EXPECT_EQ(kinds(h.history), Kinds{"G1a"});
  EXPECT_EQ(kinds(h.history, {.read_committed = false}), Kinds{"G1a (allowed)"});
}

TEST(Checker, PrecommittedRead) {
  Planted h;
  const int t = h.begin_transaction();
  h.send(1, 0, kP, 1, t);
  h.poll({at(0, 1)});
  h.commit(t);
  h.poll({at(0, 1)}, true);
  EXPECT_EQ(kinds(h.history), Kinds{"precommitted-read"});
}

TEST(Checker, TornTransaction) {
  Planted h;
  const int t = h.begin_transaction();
  h.send(1, 0, kP, 1, t);
  h.send(2, 0, kQ, 1, t);
  h.commit(t);
  h.poll({at(0, 1)}, true);
  EXPECT_EQ(kinds(h.history), (Kinds{"torn-transaction", "unseen"}));
  h.history.transactions[0].outcome = Outcome::kUnknown;  // All or nothing, even when nobody knows which.
  EXPECT_EQ(kinds(h.history), Kinds{"torn-transaction"});
}

TEST(Checker, CircleOfReads) {
  Planted h;
  const int a = h.begin_transaction();
  const int b = h.begin_transaction();
  h.send(1, 0, kP, 1, a);
  h.send(2, 0, kQ, 2, b);
  h.commit(a);
  h.commit(b);
  h.poll({at(0, 2, kQ)}, false, 1, a);
  h.poll({at(0, 1)}, false, 2, b);
  h.poll({at(0, 1), at(0, 2, kQ)}, true);
  const auto found = kinds(h.history);
  EXPECT_TRUE(std::find(found.begin(), found.end(), "G1c") != found.end());
}

TEST(Checker, CircleOverTheOrderOfWritesIsAllowed) {
  Planted h;
  const int a = h.begin_transaction();
  const int b = h.begin_transaction();
  h.send(1, 0, kP, 1, a);
  h.send(2, 1, kP, 2, b);
  h.send(3, 0, kQ, 2, b);
  h.send(4, 1, kQ, 1, a);
  h.commit(a);
  h.commit(b);
  h.poll({at(0, 1), at(1, 2), at(0, 3, kQ), at(1, 4, kQ)}, true);
  EXPECT_EQ(kinds(h.history), Kinds{"G1c-ww (allowed)"});
}

TEST(Checker, PollSkip) {
  Planted h;
  h.send(1, 0);
  h.send(2, 1);
  h.send(3, 2);
  h.poll({at(0, 1)});
  h.poll({at(2, 3)});
  h.poll({at(0, 1), at(1, 2), at(2, 3)}, true);
  EXPECT_EQ(kinds(h.history), Kinds{"poll-skip"});
}

TEST(Checker, PollSkipWithinAPoll) {
  Planted h;
  h.send(1, 0);
  h.send(2, 1);
  h.send(3, 2);
  h.poll({at(0, 1), at(2, 3)});
  h.poll({at(0, 1), at(1, 2), at(2, 3)}, true);
  EXPECT_EQ(kinds(h.history), Kinds{"int-poll-skip"});
}

TEST(Checker, GapsWithoutARecordAreNoSkip) {
  Planted h;
  h.send(1, 0);
  h.send(3, 2);  // Offset 1 is a marker, say.
  h.poll({at(0, 1), at(2, 3)}, true);
  EXPECT_EQ(kinds(h.history), Kinds{});
}

TEST(Checker, NonmonotonicPoll) {
  Planted h;
  h.send(1, 0);
  h.send(2, 1);
  h.poll({at(1, 2)});
  h.poll({at(0, 1)});
  h.poll({at(0, 1), at(1, 2)}, true);
  EXPECT_EQ(kinds(h.history), Kinds{"nonmonotonic-poll"});
  h.history.polls[1].session = 2;  // After a seek it may.
  EXPECT_EQ(kinds(h.history), Kinds{});
}

TEST(Checker, NonmonotonicPollWithinATransaction) {
  Planted h;
  const int t = h.begin_transaction();
  h.send(1, 0);
  h.send(2, 1);
  h.poll({at(1, 2)}, false, 9, t);
  h.poll({at(0, 1)}, false, 9, t);
  h.commit(t);
  h.poll({at(0, 1), at(1, 2)}, true);
  EXPECT_EQ(kinds(h.history), Kinds{"int-nonmonotonic-poll"});
}

TEST(Checker, NonmonotonicSend) {
  Planted h;
  h.send(1, 1);
  h.send(2, 0);
  h.poll({at(0, 2), at(1, 1)}, true);
  EXPECT_EQ(kinds(h.history), Kinds{"nonmonotonic-send"});
}

TEST(Checker, NonmonotonicSendWithinATransaction) {
  Planted h;
  const int t = h.begin_transaction();
  h.send(1, 1, kP, 1, t);
  h.send(2, 0, kP, 1, t);
  h.commit(t);
  h.poll({at(0, 2), at(1, 1)}, true);
  EXPECT_EQ(kinds(h.history), Kinds{"int-nonmonotonic-send"});
}

TEST(Checker, UnorderedSendsThatOverlapMayCross) {
  Planted h;
  auto& first = h.send(1, 1);
  first.ordered = false;
  first.ended = 100;
  h.send(2, 0).ordered = false;
  h.poll({at(0, 2), at(1, 1)}, true);
  EXPECT_EQ(kinds(h.history), Kinds{});
}

TEST(Checker, TwoOwners) {
  History h;
  h.assignments.push_back({"g", 3, "a", 1, {kP, kQ}});
  h.assignments.push_back({"g", 3, "b", 2, {kQ}});
  EXPECT_EQ(kinds(h), Kinds{"two-owners"});
  h.assignments[1].generation = 4;
  EXPECT_EQ(kinds(h), Kinds{});
}

TEST(Checker, NonmonotonicCommit) {
  History h;
  h.commits.push_back({"g", kP, 10, 1, 2, Outcome::kOk});
  h.commits.push_back({"g", kP, 7, 3, 4, Outcome::kOk});
  EXPECT_EQ(kinds(h), Kinds{"nonmonotonic-commit"});
  h.commits[1].began = 1;  // At the same time: either may be the last.
  EXPECT_EQ(kinds(h), Kinds{});
}

TEST(Checker, LostCommit) {
  History h;
  h.commits.push_back({"g", kP, 10, 1, 2, Outcome::kOk});
  h.committed_reads.push_back({"g", kP, 9, 3, 4});
  EXPECT_EQ(kinds(h), Kinds{"lost-commit"});
  h.committed_reads.push_back({"g", kP, 10, 5, 6});  // It was an old coordinator that answered: Kafka's model allows it.
  ASSERT_EQ(check(h).size(), 1u);
  EXPECT_TRUE(check(h)[0].allowed);
  EXPECT_EQ(check(h)[0].kind, "stale-commit-read");
  h.committed_reads[0].offset = 12;  // A commit without an answer, say.
  EXPECT_EQ(check(h).size(), 0u);
}

TEST(Checker, CompactionKeepsTheLastValueOfAKey) {
  Planted h;
  h.send(1, 0).key = "k";
  h.send(2, 1).key = "k";
  h.poll({{kP, 1, 2, "k", false}}, true);
  EXPECT_EQ(kinds(h.history, {.compacted = true}), Kinds{});
  h.history.polls[0].seen = {{kP, 0, 1, "k", false}};
  EXPECT_EQ(kinds(h.history, {.compacted = true}), Kinds{"compaction-lost-value"});
  h.history.polls[0].seen.clear();
  EXPECT_EQ(kinds(h.history, {.compacted = true}), Kinds{"compaction-lost-value"});
}

TEST(Checker, ATombstoneMayGoWithAllBeforeItOnly) {
  Planted h;
  h.send(1, 0).key = "k";
  auto& deletion = h.send(0, 1);
  deletion.key = "k";
  deletion.tombstone = true;
  h.poll({}, true);
  EXPECT_EQ(kinds(h.history, {.compacted = true}), Kinds{});
  h.history.polls[0].seen = {{kP, 0, 1, "k", false}};
  EXPECT_EQ(kinds(h.history, {.compacted = true}), Kinds{"compaction-lost-value"});
}

}  // namespace
}  // namespace samsa::sim
