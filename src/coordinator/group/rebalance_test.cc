// SyncGroup, Heartbeat, LeaveGroup and sessions: wire.md section 10, rule by rule.
#include <gtest/gtest.h>

#include "coordinator/group/testing.h"
#include "protocol/record/group_metadata_value.h"

namespace samsa::coordinator {
namespace {

using namespace testing;

std::string text_of(const protocol::Blob& blob) { return std::string(as_text(blob)); }

// Two members that have joined and not synced: leader first.
struct Joined {
  std::string leader, follower;
};
Joined join_two(Bench& bench, int32_t rebalance_ms = 60'000) {
  const auto one = bench.join({.rebalance_ms = rebalance_ms, .version = 3});
  const auto two = bench.join({.rebalance_ms = rebalance_ms, .version = 3});
  bench.loop.advance(6s);
  const std::string leader = one->leader.str();
  return {leader, leader == one->member_id.view() ? two->member_id.str() : one->member_id.str()};
}

TEST(Sync, ChecksInOrder) {
  Bench bench;
  const auto [leader, follower] = join_two(bench);
  EXPECT_EQ(bench.sync({.group = ""}).error(), ErrorCode::kInvalidGroupId);
  EXPECT_EQ(bench.sync({.group = "none", .member = leader}).error(), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(bench.sync({.member = "nobody", .generation = 7}).error(), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(bench.sync({.member = leader, .instance = "nobody"}).error(), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(bench.sync({.member = leader, .generation = 2}).error(), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(bench.sync({.member = leader, .type = "connect", .protocol = "range", .version = 5}).error(),
            ErrorCode::kInconsistentGroupProtocol);
  EXPECT_EQ(bench.sync({.member = leader, .type = "consumer", .protocol = "other", .version = 5}).error(),
            ErrorCode::kInconsistentGroupProtocol);
  EXPECT_EQ(bench.sync({.member = leader, .type = "consumer", .version = 5}).error(), ErrorCode::kInconsistentGroupProtocol);
  EXPECT_FALSE(bench.sync({.member = follower, .type = "consumer", .protocol = "range", .version = 5}).done());
  bench.join({.member = leader, .protocols = {{"range", "new"}}});
  EXPECT_EQ(bench.sync({.member = follower}).error(), ErrorCode::kRebalanceInProgress);
}

TEST(Sync, TheLeadersAssignmentReachesAll) {
  Bench bench;
  const auto [leader, follower] = join_two(bench);
  const auto waiting = bench.sync({.member = follower});
  EXPECT_FALSE(waiting.done());
  const auto leading = bench.sync({.member = leader, .assignments = {{follower, "for you"}, {"stranger", "nothing"}}});
  ASSERT_TRUE(waiting.done() && leading.done());
  EXPECT_EQ(waiting.error(), ErrorCode::kNone);
  EXPECT_EQ(text_of(waiting->assignment), "for you");
  EXPECT_EQ(waiting->protocol_name->str(), "range");
  EXPECT_EQ(waiting->protocol_type->str(), "consumer");
  EXPECT_EQ(text_of(leading->assignment), "");  // Nothing was assigned to the leader itself.
  EXPECT_EQ(bench.state(), "Stable");
  EXPECT_EQ(text_of(bench.sync({.member = follower})->assignment), "for you");  // And whoever asks again.
}

TEST(Sync, NobodyIsAnsweredBeforeTheCommit) {
  Bench bench;
  const auto [leader, follower] = join_two(bench);
  bench.log->hold_commits();
  const auto waiting = bench.sync({.member = follower});
  const auto leading = bench.sync({.member = leader, .assignments = {{follower, "x"}, {leader, "y"}}});
  EXPECT_FALSE(waiting.done());
  EXPECT_FALSE(leading.done());
  EXPECT_EQ(bench.state(), "CompletingRebalance");
  bench.log->commit_all();
  bench.loop.run();
  EXPECT_TRUE(waiting.done());
  EXPECT_TRUE(leading.done());
  EXPECT_EQ(bench.state(), "Stable");
}

TEST(Sync, AFailedWriteIsToldAndRebalances) {
  const std::pair<ErrorCode, ErrorCode> cases[] = {
      {ErrorCode::kUnknownTopicOrPartition, ErrorCode::kCoordinatorNotAvailable},
      {ErrorCode::kNotEnoughReplicas, ErrorCode::kCoordinatorNotAvailable},
      {ErrorCode::kRequestTimedOut, ErrorCode::kCoordinatorNotAvailable},
      {ErrorCode::kNotLeaderOrFollower, ErrorCode::kNotCoordinator},
      {ErrorCode::kKafkaStorageError, ErrorCode::kNotCoordinator},
      {ErrorCode::kMessageTooLarge, ErrorCode::kUnknownServerError},
      {ErrorCode::kRecordListTooLarge, ErrorCode::kUnknownServerError},
      {ErrorCode::kInvalidFetchSize, ErrorCode::kUnknownServerError},
  };
  for (const auto& [written, answered] : cases) {
    Bench bench;
    const auto [leader, follower] = join_two(bench);
    const auto waiting = bench.sync({.member = follower});
    bench.log->fail_next(written);
    const auto leading = bench.sync({.member = leader, .assignments = {{follower, "x"}}});
    ASSERT_TRUE(waiting.done() && leading.done());
    EXPECT_EQ(waiting.error(), answered);
    EXPECT_EQ(leading.error(), answered);
    EXPECT_TRUE(waiting->assignment.empty());
    EXPECT_EQ(bench.state(), "PreparingRebalance");
  }
}

// A member's id is its client id with a uuid behind: with a client id of the full length no string of the protocol can carry it.
TEST(Join, AClientIdThatLeavesNoRoomForTheMembersId) {
  Bench bench;
  bench.client_id = std::string(32768 - 37, 'c');
  const auto refused = bench.join({.version = 3});
  ASSERT_TRUE(refused.done());
  EXPECT_EQ(refused.error(), ErrorCode::kInvalidRequest);
  bench.client_id.pop_back();
  const auto joined = bench.join({.version = 3});
  bench.loop.advance(3s);
  ASSERT_TRUE(joined.done());
  const std::string member = joined->member_id.str();
  EXPECT_EQ(member.size(), 32767u);
  const auto leading = bench.sync({.member = member, .assignments = {{member, "x"}}, .version = 2});
  ASSERT_TRUE(leading.done());
  EXPECT_EQ(leading.error(), ErrorCode::kNone);
  EXPECT_EQ(bench.state(), "Stable");
}

TEST(Sync, AWriteThatIsNotCommittedInTimeFails) {
  Bench bench;
  const auto [leader, follower] = join_two(bench);
  const auto waiting = bench.sync({.member = follower});
  bench.log->hold_commits();
  const auto leading = bench.sync({.member = leader});
  bench.loop.advance(5s);
  ASSERT_TRUE(waiting.done() && leading.done());
  EXPECT_EQ(leading.error(), ErrorCode::kCoordinatorNotAvailable);
}

TEST(Sync, ALateCommitDoesNotTouchTheNextGeneration) {
  Bench bench;
  const auto [leader, follower] = join_two(bench);
  bench.log->hold_commits();
  bench.sync({.member = leader, .assignments = {{follower, "old"}}});
  bench.join({.member = follower, .protocols = {{"range", "new"}}});  // A rebalance begins meanwhile.
  bench.log->commit_all();
  bench.loop.run();
  EXPECT_EQ(bench.state(), "PreparingRebalance");
}

TEST(Sync, MembersThatDoNotSyncAreRemoved) {
  Bench bench;
  const auto [leader, follower] = join_two(bench, 8'000);
  const auto leading = bench.sync({.member = leader});
  ASSERT_TRUE(leading.done());
  EXPECT_EQ(bench.state(), "Stable");
  bench.loop.advance(5s);
  bench.heartbeat(leader, 1);
  bench.heartbeat(follower, 1);
  bench.loop.advance(3s);
  EXPECT_EQ(bench.heartbeat(follower, 1), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(bench.heartbeat(leader, 1), ErrorCode::kRebalanceInProgress);
}

TEST(Sync, WritesTheRecordThatKafkaWrites) {
  Bench bench;
  const auto [leader, follower] = join_two(bench);
  bench.sync({.member = leader, .assignments = {{leader, "L"}, {follower, "F"}}});
  const auto record = bench.log->records().back();
  EXPECT_EQ(record.key, (Buffer{0, 2, 0, 1, 'g'}));
  ASSERT_TRUE(record.value);
  EXPECT_EQ(load_be<int16_t>(record.value->data()), 3);
  const auto value = protocol::decode_record<protocol::GroupMetadataValue>(*record.value);
  ASSERT_TRUE(value);
  EXPECT_EQ(value->protocol_type.str(), "consumer");
  EXPECT_EQ(value->generation, 1);
  EXPECT_EQ(value->protocol->str(), "range");
  EXPECT_EQ(value->leader->str(), leader);
  ASSERT_EQ(value->members.size(), 2u);
  EXPECT_EQ(value->members[0].client_id.str(), "client");
  EXPECT_EQ(value->members[0].client_host.str(), "/127.0.0.1");
  EXPECT_EQ(value->members[0].session_timeout, 10'000);
  EXPECT_EQ(value->members[0].rebalance_timeout, 60'000);
  EXPECT_EQ(text_of(value->members[0].subscription), "meta");
}

TEST(Heartbeat, Answers) {
  Bench bench;
  EXPECT_EQ(bench.heartbeat("m", 1), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(bench.heartbeat("m", 1, {}, ""), ErrorCode::kInvalidGroupId);
  const auto [leader, follower] = join_two(bench);
  EXPECT_EQ(bench.heartbeat(leader, 1), ErrorCode::kNone);  // While it syncs.
  bench.sync({.member = leader});
  bench.sync({.member = follower});
  EXPECT_EQ(bench.heartbeat(leader, 1), ErrorCode::kNone);
  EXPECT_EQ(bench.heartbeat(leader, 0), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(bench.heartbeat("nobody", 1), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(bench.heartbeat(leader, 1, "nobody"), ErrorCode::kUnknownMemberId);
  bench.join({.member = leader});
  EXPECT_EQ(bench.heartbeat(follower, 1), ErrorCode::kRebalanceInProgress);
}

TEST(Heartbeat, WhileLoadingNobodyGivesUp) {
  Bench bench;
  bench.groups.resign(0);
  EXPECT_EQ(bench.heartbeat("m", 1), ErrorCode::kNotCoordinator);
  auto loading = bench.groups.become_leader(0, 2, bench.log);
  bool loaded = false;
  const auto load = [](io::Task<Result<void>> task, bool& done) -> io::Task<> { done = (co_await std::move(task)).has_value(); };
  io::spawn(bench.loop, load(std::move(loading), loaded));
  // The heartbeat is started right behind, while the load still reads.
  protocol::HeartbeatRequest request;
  request.group_id = "g";
  protocol::JoinGroupRequest join = Bench::request({});
  Pending<protocol::HeartbeatResponse> beat;
  Pending<protocol::JoinGroupResponse> joined;
  const auto ask = [&]() -> io::Task<> {
    *beat.value_ = co_await bench.groups.heartbeat({4, "c", "/h", bench.scope}, request);
    *joined.value_ = co_await bench.groups.join_group({4, "c", "/h", bench.scope}, join);
  };
  io::spawn(bench.loop, ask());
  bench.loop.run();
  EXPECT_TRUE(loaded);
  EXPECT_EQ(beat.error(), ErrorCode::kNone);
  EXPECT_EQ(joined.error(), ErrorCode::kCoordinatorLoadInProgress);
}

TEST(Session, AnExpiredMemberStartsARebalance) {
  Bench bench;
  const auto ids = bench.stable_group(2);
  bench.loop.advance(6s);
  EXPECT_EQ(bench.heartbeat(ids[0], 1), ErrorCode::kNone);
  bench.loop.advance(4s);
  EXPECT_EQ(bench.state(), "PreparingRebalance");
  EXPECT_EQ(bench.heartbeat(ids[1], 1), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(bench.heartbeat(ids[0], 1), ErrorCode::kRebalanceInProgress);
  const auto again = bench.join({.member = ids[0]});
  ASSERT_TRUE(again.done());
  EXPECT_EQ(again->generation_id, 2);
}

TEST(Session, RunsOutForAllAndTheGroupIsEmpty) {
  Bench bench;
  bench.stable_group(3);
  bench.loop.advance(10s);
  EXPECT_EQ(bench.state(), "Empty");
  EXPECT_EQ(bench.group()->generation(), 2);
  const auto record = bench.log->records().back();
  const auto value = protocol::decode_record<protocol::GroupMetadataValue>(*record.value);
  EXPECT_EQ(value->generation, 2);
  EXPECT_FALSE(value->protocol.has_value());
  EXPECT_FALSE(value->leader.has_value());
  EXPECT_EQ(value->protocol_type.str(), "consumer");
  EXPECT_TRUE(value->members.empty());
}

TEST(Session, ACommitIsASignOfLife) {
  Bench bench;
  const auto ids = bench.stable_group(1);
  bench.loop.advance(6s);
  EXPECT_EQ(bench.commit({.member = ids[0], .generation = 1}), ErrorCode::kNone);
  bench.loop.advance(6s);
  EXPECT_EQ(bench.heartbeat(ids[0], 1), ErrorCode::kNone);
}

TEST(Session, DoesNotRunWhileParked) {
  Bench bench;
  const auto [leader, follower] = join_two(bench);
  const auto waiting = bench.sync({.member = follower});
  for (int i = 0; i < 3; ++i) {
    bench.loop.advance(9s);
    bench.heartbeat(leader, 1);
  }
  EXPECT_FALSE(waiting.done());
  bench.sync({.member = leader});
  EXPECT_TRUE(waiting.done());
  bench.loop.advance(9s);
  EXPECT_EQ(bench.heartbeat(follower, 1), ErrorCode::kNone);
}

TEST(Session, StartsAnewAfterALoad) {
  Bench bench;
  const auto ids = bench.stable_group(2);
  bench.loop.advance(8s);
  bench.fail_over(2);
  EXPECT_EQ(bench.state(), "Stable");
  EXPECT_EQ(bench.heartbeat(ids[0], 1), ErrorCode::kNone);
  bench.loop.advance(9s);
  EXPECT_EQ(bench.heartbeat(ids[1], 1), ErrorCode::kNone);
  EXPECT_EQ(text_of(bench.sync({.member = ids[1]})->assignment), "for " + ids[1]);
  bench.loop.advance(9s);
  EXPECT_EQ(bench.heartbeat(ids[0], 1), ErrorCode::kUnknownMemberId);
}

TEST(Leave, EachMemberHasItsOwnAnswer) {
  Bench bench;
  const auto ids = bench.stable_group(3);
  const auto left = bench.leave({{ids[1], {}}, {"nobody", {}}, {"", "no instance"}, {ids[2], "x"}});
  ASSERT_TRUE(left.done());
  EXPECT_EQ(left.error(), ErrorCode::kNone);
  ASSERT_EQ(left->members.size(), 4u);
  EXPECT_EQ(left->members[0].error_code, 0);
  EXPECT_EQ(left->members[0].member_id.str(), ids[1]);
  EXPECT_EQ(left->members[1].error_code, 25);
  EXPECT_EQ(left->members[2].error_code, 25);
  EXPECT_EQ(left->members[3].error_code, 25);
  EXPECT_EQ(bench.state(), "PreparingRebalance");
}

TEST(Leave, AMissingGroup) {
  Bench bench;
  const auto left = bench.leave({{"a", {}}, {"b", {}}}, "none");
  EXPECT_EQ(left.error(), ErrorCode::kNone);
  ASSERT_EQ(left->members.size(), 2u);
  EXPECT_EQ(left->members[1].error_code, 25);
  protocol::LeaveGroupRequest old;
  old.group_id = "none";
  old.member_id = "a";
  const auto answer = bench.call(&GroupCoordinator::leave_group, 2, old);
  EXPECT_EQ(answer.error(), ErrorCode::kUnknownMemberId);
  EXPECT_TRUE(answer->members.empty());
}

TEST(Leave, TheLastOneEmptiesTheGroup) {
  Bench bench;
  const auto ids = bench.stable_group(1);
  protocol::LeaveGroupRequest old;
  old.group_id = "g";
  old.member_id = ids[0];
  EXPECT_EQ(bench.call(&GroupCoordinator::leave_group, 1, old).error(), ErrorCode::kNone);
  EXPECT_EQ(bench.state(), "Empty");
  bench.fail_over(2);
  EXPECT_EQ(bench.state(), "Empty");
  EXPECT_EQ(bench.group()->generation(), 2);
}

TEST(Leave, APendingMember) {
  Bench bench;
  const auto pending = bench.join({});
  EXPECT_EQ(bench.leave({{pending->member_id.str(), {}}})->members[0].error_code, 0);
  EXPECT_EQ(bench.join({.member = pending->member_id.str()}).error(), ErrorCode::kUnknownMemberId);
}

TEST(Leave, AnswersWhatTheMemberHadParked) {
  Bench bench;
  const auto ids = bench.stable_group(2);
  const auto joining = bench.join({.member = ids[0]});
  bench.leave({{ids[0], {}}});
  ASSERT_TRUE(joining.done());
  EXPECT_EQ(joining.error(), ErrorCode::kUnknownMemberId);
}

// ---- Static members ----

TEST(Static, AnInstanceThatComesBackKeepsItsAssignment) {
  for (const int16_t version : {5, 9}) {
    Bench bench({.initial_rebalance_delay = 0ms});
    const auto first = bench.join({.instance = "i", .version = version});
    ASSERT_TRUE(first.done());
    const std::string old_id = first->member_id.str();
    EXPECT_TRUE(old_id.starts_with("i-"));
    bench.sync({.member = old_id, .assignments = {{old_id, "mine"}}});
    const auto again = bench.join({.instance = "i", .version = version});
    ASSERT_TRUE(again.done());
    EXPECT_EQ(again.error(), ErrorCode::kNone);
    const std::string new_id = again->member_id.str();
    EXPECT_NE(new_id, old_id);
    EXPECT_EQ(again->generation_id, 1);
    EXPECT_EQ(bench.state(), "Stable");
    EXPECT_EQ(again->skip_assignment, version == 9);
    EXPECT_EQ(again->leader.str(), version == 9 ? new_id : old_id);
    EXPECT_EQ(again->members.size(), version == 9 ? 1u : 0u);
    EXPECT_EQ(text_of(bench.sync({.member = new_id, .instance = "i"})->assignment), "mine");
    EXPECT_EQ(bench.heartbeat(old_id, 1, "i"), ErrorCode::kFencedInstanceId);
    EXPECT_EQ(bench.heartbeat(old_id, 1), ErrorCode::kUnknownMemberId);
    EXPECT_EQ(bench.sync({.member = old_id, .instance = "i"}).error(), ErrorCode::kFencedInstanceId);
    EXPECT_EQ(bench.commit({.member = old_id, .generation = 1, .instance = "i"}), ErrorCode::kFencedInstanceId);
    EXPECT_EQ(bench.leave({{old_id, "i"}})->members[0].error_code, 82);
    bench.fail_over(2);
    EXPECT_EQ(bench.heartbeat(new_id, 1, "i"), ErrorCode::kNone);
  }
}

TEST(Static, TheReplacementWaitsForItsCommitAndIsTakenBack) {
  Bench bench({.initial_rebalance_delay = 0ms});
  const auto first = bench.join({.instance = "i"});
  const std::string old_id = first->member_id.str();
  bench.sync({.member = old_id, .assignments = {{old_id, "mine"}}});
  bench.log->hold_commits();
  const auto slow = bench.join({.instance = "i"});
  EXPECT_FALSE(slow.done());
  bench.log->commit_all();
  bench.loop.run();
  ASSERT_TRUE(slow.done());
  bench.log->fail_next(ErrorCode::kNotEnoughReplicas);
  const auto failed = bench.join({.instance = "i", .protocols = {{"range", "changed"}}});
  ASSERT_TRUE(failed.done());
  EXPECT_EQ(failed.error(), ErrorCode::kCoordinatorNotAvailable);
  EXPECT_TRUE(failed->member_id.empty());
  EXPECT_EQ(bench.heartbeat(slow->member_id.str(), 1, "i"), ErrorCode::kNone);
  EXPECT_EQ(text_of(bench.group()->members().begin()->second.metadata("range")), "meta");
}

TEST(Static, TheReplacedMembersParkedCallsAreFenced) {
  Bench bench({.initial_rebalance_delay = 0ms});
  const auto ids = bench.stable_group(1);
  const auto parked = bench.join({.instance = "i"});  // Waits for the other to join.
  EXPECT_FALSE(parked.done());
  const auto again = bench.join({.instance = "i"});
  ASSERT_TRUE(parked.done());
  EXPECT_EQ(parked.error(), ErrorCode::kFencedInstanceId);
  EXPECT_FALSE(again.done());
  bench.join({.member = ids[0]});
  ASSERT_TRUE(again.done());
  const auto syncing = bench.sync({.member = again->member_id.str(), .generation = 2});
  bench.join({.instance = "i"});
  ASSERT_TRUE(syncing.done());
  EXPECT_EQ(syncing.error(), ErrorCode::kFencedInstanceId);
  EXPECT_EQ(bench.state(), "PreparingRebalance");  // In the sync phase a new id means a new round.
}

TEST(Static, AnotherProtocolMeansARebalance) {
  Bench bench({.initial_rebalance_delay = 0ms});
  const auto first = bench.join({.instance = "i", .protocols = {{"range", ""}}});
  bench.sync({.member = first->member_id.str()});
  const auto again = bench.join({.instance = "i", .protocols = {{"sticky", ""}}});
  ASSERT_TRUE(again.done());
  EXPECT_EQ(again.error(), ErrorCode::kInconsistentGroupProtocol);  // Not among those the group has.
  const auto third = bench.join({.instance = "i", .protocols = {{"sticky", ""}, {"range", ""}}});
  ASSERT_TRUE(third.done());
  EXPECT_EQ(third->generation_id, 2);
}

TEST(Static, IsKeptThroughARebalanceUntilItsSessionEnds) {
  Bench bench({.max_session_timeout = 3600s, .initial_rebalance_delay = 0ms});
  const auto one = bench.join({.instance = "one", .session_ms = 600'000, .rebalance_ms = 20'000});
  bench.sync({.member = one->member_id.str()});
  const auto two = bench.join({.instance = "two", .session_ms = 600'000, .rebalance_ms = 20'000});
  bench.loop.advance(20s);
  ASSERT_TRUE(two.done());
  EXPECT_EQ(bench.group()->members().size(), 2u);
  EXPECT_EQ(two->leader.str(), two->member_id.str());  // It joined, the old leader did not.
  EXPECT_EQ(two->members.size(), 2u);
}

TEST(Static, NobodyComingAgainDelaysTheRebalance) {
  Bench bench({.max_session_timeout = 3600s, .initial_rebalance_delay = 0ms});
  const auto one = bench.join({.instance = "one", .session_ms = 60'000, .rebalance_ms = 20'000});
  bench.sync({.member = one->member_id.str()});
  const auto two = bench.join({.version = 3});
  bench.leave({{bench.group()->static_members().begin()->second, {}}});
  EXPECT_TRUE(two.done());
}

// A client that lost its connection asks again over another one; the call of the old one must not stay for ever.
TEST(Join, TheSameMemberAgainAnswersItsParkedCall) {
  Bench bench;
  const auto [leader, follower] = join_two(bench);
  bench.sync({.member = leader});
  const auto parked = bench.join({.member = leader, .protocols = {{"range", "new"}}, .version = 3});
  ASSERT_FALSE(parked.done());
  const auto again = bench.join({.member = leader, .protocols = {{"range", "new"}}, .version = 3});
  ASSERT_TRUE(parked.done());
  EXPECT_EQ(parked.error(), ErrorCode::kRebalanceInProgress);
  EXPECT_FALSE(again.done());
  bench.join({.member = follower, .version = 3});
  ASSERT_TRUE(again.done());
  EXPECT_EQ(again.error(), ErrorCode::kNone);
  EXPECT_EQ(again->generation_id, 2);
}

TEST(Sync, TheSameMemberAgainAnswersItsParkedCall) {
  Bench bench;
  const auto [leader, follower] = join_two(bench);
  const auto parked = bench.sync({.member = follower});
  ASSERT_FALSE(parked.done());
  const auto again = bench.sync({.member = follower});
  EXPECT_EQ(parked.error(), ErrorCode::kRebalanceInProgress);
  EXPECT_FALSE(again.done());
  bench.sync({.member = leader, .assignments = {{follower, "mine"}}});
  EXPECT_EQ(text_of(again->assignment), "mine");
}

// Clients may ask for any rebalance timeout: nothing at all must not keep the shard busy until the static members' sessions end.
TEST(Static, ARebalanceTimeoutOfNothingDoesNotGoRound) {
  for (const int32_t timeout : {0, -1, INT32_MIN}) {
    Bench bench({.initial_rebalance_delay = 0ms});
    const auto one = bench.join({.instance = "one", .session_ms = 10'000, .rebalance_ms = timeout});
    ASSERT_TRUE(one.done());
    bench.sync({.member = one->member_id.str()});
    const auto two = bench.join({.rebalance_ms = timeout, .version = 3});
    bench.leave({{two.done() ? two->member_id.str() : bench.group()->members().rbegin()->first, {}}});
    bench.loop.advance(500ms);
    bench.loop.advance(30s);
    EXPECT_EQ(bench.state(), "Empty") << timeout;
  }
}

TEST(Static, AnAdministratorRemovesByInstance) {
  Bench bench({.initial_rebalance_delay = 0ms});
  const auto one = bench.join({.instance = "i"});
  bench.sync({.member = one->member_id.str()});
  EXPECT_EQ(bench.leave({{"", "i"}})->members[0].error_code, 0);
  EXPECT_EQ(bench.state(), "Empty");
}

}  // namespace
}  // namespace samsa::coordinator
