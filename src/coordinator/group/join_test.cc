// JoinGroup: wire.md section 10, rule by rule.
#include <gtest/gtest.h>

#include "coordinator/group/testing.h"

namespace samsa::coordinator {
namespace {

using namespace testing;

TEST(Join, RefusesBadRequests) {
  Bench bench;
  EXPECT_EQ(bench.join({.group = ""}).error(), ErrorCode::kInvalidGroupId);
  EXPECT_EQ(bench.join({.session_ms = 5'999}).error(), ErrorCode::kInvalidSessionTimeout);
  EXPECT_EQ(bench.join({.session_ms = 1'800'001}).error(), ErrorCode::kInvalidSessionTimeout);
  EXPECT_EQ(bench.join({.type = ""}).error(), ErrorCode::kInconsistentGroupProtocol);
  EXPECT_EQ(bench.join({.protocols = {}}).error(), ErrorCode::kInconsistentGroupProtocol);
  EXPECT_EQ(bench.join({.group = "none", .member = "somebody"}).error(), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(bench.group("none"), nullptr);
  bench.scope.denied_groups.insert("secret");
  EXPECT_EQ(bench.join({.group = "secret"}).error(), ErrorCode::kGroupAuthorizationFailed);
}

TEST(Join, SaysWhereTheCoordinatorIsNot) {
  Bench bench;
  bench.groups.resign(0);
  EXPECT_EQ(bench.join({}).error(), ErrorCode::kNotCoordinator);
  bench.groups.set_partition_count(0);
  EXPECT_EQ(bench.join({}).error(), ErrorCode::kCoordinatorNotAvailable);
}

TEST(Join, GivesIdsFromVersion4On) {
  Bench bench;
  const auto first = bench.join({.version = 4});
  ASSERT_TRUE(first.done());
  EXPECT_EQ(first.error(), ErrorCode::kMemberIdRequired);
  const std::string id = first->member_id.str();
  EXPECT_TRUE(id.starts_with("client-"));
  EXPECT_EQ(id.size(), 7 + 36u);
  const auto second = bench.join({.member = id, .version = 4});
  EXPECT_FALSE(second.done());
  bench.loop.advance(3s);
  ASSERT_TRUE(second.done());
  EXPECT_EQ(second.error(), ErrorCode::kNone);
  EXPECT_EQ(second->member_id.str(), id);
  EXPECT_EQ(second->leader.str(), id);
  EXPECT_EQ(second->generation_id, 1);
  EXPECT_EQ(second->members.size(), 1u);
}

TEST(Join, ProtocolNameIsNotNullBeforeVersion7) {
  Bench bench;
  EXPECT_TRUE(bench.join({.version = 6})->protocol_name.has_value());
  EXPECT_TRUE(bench.join({.type = "", .version = 6})->protocol_name.has_value());
}

TEST(Join, VersionsBefore4JoinAtOnce) {
  Bench bench;
  const auto joined = bench.join({.version = 0});
  EXPECT_FALSE(joined.done());
  EXPECT_EQ(bench.group()->rebalance_timeout_ms(), 10'000);  // The session's, in version 0.
  bench.loop.advance(3s);
  ASSERT_TRUE(joined.done());
  EXPECT_EQ(joined->generation_id, 1);
}

TEST(Join, APendingIdIsForgottenAfterItsSession) {
  Bench bench;
  const auto first = bench.join({});
  bench.loop.advance(10s);
  EXPECT_EQ(bench.join({.member = first->member_id.str()}).error(), ErrorCode::kUnknownMemberId);
}

TEST(Join, ANewGroupIsInTheLog) {
  Bench bench;
  bench.join({});
  ASSERT_EQ(bench.log->records().size(), 1u);
  bench.fail_over(2);
  EXPECT_EQ(bench.state(), "Empty");
}

TEST(Join, ANewGroupThatCannotBeWrittenIsNoGroup) {
  Bench bench;
  bench.log->fail_next(ErrorCode::kNotEnoughReplicas);
  const auto joined = bench.join({.version = 3});
  ASSERT_TRUE(joined.done());
  EXPECT_EQ(joined.error(), ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(bench.group(), nullptr);
}

TEST(Join, TheInitialDelayIsExtendedByNewMembers) {
  Bench bench;
  const auto one = bench.join({.rebalance_ms = 8'000, .version = 3});
  bench.loop.advance(2s);
  const auto two = bench.join({.rebalance_ms = 8'000, .version = 3});
  bench.loop.advance(1s);
  EXPECT_FALSE(one.done());  // 3 s more, since somebody came.
  bench.loop.advance(2s);
  const auto three = bench.join({.rebalance_ms = 8'000, .version = 3});
  bench.loop.advance(1s);
  EXPECT_FALSE(one.done());  // The 2 s that the rebalance timeout leaves.
  bench.loop.advance(2s);
  ASSERT_TRUE(one.done() && two.done() && three.done());
  EXPECT_EQ(one->generation_id, 1);
  EXPECT_EQ(one->members.size() + two->members.size() + three->members.size(), 3u);  // Only the leader is told.
}

TEST(Join, TheInitialDelayEndsWithoutNewMembers) {
  Bench bench({.initial_rebalance_delay = 0ms});
  const auto joined = bench.join({.version = 3});
  EXPECT_TRUE(joined.done());
}

TEST(Join, ChoosesTheProtocolMostPutFirst) {
  Bench bench;
  const auto one = bench.join({.protocols = {{"a", "1"}, {"b", "1"}, {"c", "1"}}, .version = 3});
  const auto two = bench.join({.protocols = {{"c", "2"}, {"b", "2"}}, .version = 3});
  const auto three = bench.join({.protocols = {{"x", "3"}, {"b", "3"}, {"c", "3"}}, .version = 3});
  bench.loop.advance(6s);
  ASSERT_TRUE(one.done());
  EXPECT_EQ(one->protocol_name->str(), "b");
  EXPECT_EQ(one->protocol_type->str(), "consumer");
  const auto& members = one->members.empty() ? (two->members.empty() ? three->members : two->members) : one->members;
  ASSERT_EQ(members.size(), 3u);
  for (const auto& member : members) EXPECT_EQ(member.metadata.size(), 1u);
}

TEST(Join, RefusesProtocolsThatNotAllHave) {
  Bench bench;
  bench.join({.protocols = {{"a", ""}, {"b", ""}}, .version = 3});
  bench.join({.protocols = {{"b", ""}}, .version = 3});
  EXPECT_EQ(bench.join({.protocols = {{"a", ""}}, .version = 3}).error(), ErrorCode::kInconsistentGroupProtocol);
  EXPECT_EQ(bench.join({.type = "connect", .protocols = {{"b", ""}}, .version = 3}).error(), ErrorCode::kInconsistentGroupProtocol);
}

TEST(Join, LimitsTheGroup) {
  Bench bench({.max_size = 2});
  const auto one = bench.join({.version = 3});
  const auto two = bench.join({.version = 3});
  EXPECT_EQ(bench.join({.version = 3}).error(), ErrorCode::kGroupMaxSizeReached);
  bench.loop.advance(6s);
  EXPECT_EQ(bench.join({.version = 3}).error(), ErrorCode::kGroupMaxSizeReached);
  EXPECT_EQ(bench.join({.member = one->member_id.str()}).error(), ErrorCode::kNone);
}

TEST(Join, AFullGroupLeavesOutTheLastToComeAgain) {
  Bench bench({.max_size = 3});
  const auto ids = bench.stable_group(3);
  bench.groups.set_config({.max_size = 2});
  bench.fail_over(2);
  EXPECT_EQ(bench.state(), "PreparingRebalance");
  bench.join({.member = ids[0]});
  bench.join({.member = ids[1]});
  EXPECT_EQ(bench.join({.member = ids[2]}).error(), ErrorCode::kGroupMaxSizeReached);
  EXPECT_EQ(bench.group()->members().size(), 2u);
  EXPECT_EQ(bench.state(), "CompletingRebalance");
}

TEST(Join, AFollowerThatComesAgainUnchangedGetsTheGeneration) {
  Bench bench;
  const auto ids = bench.stable_group(2);
  ASSERT_EQ(bench.state(), "Stable");
  const auto again = bench.join({.member = ids[1]});
  ASSERT_TRUE(again.done());
  EXPECT_EQ(again->generation_id, 1);
  EXPECT_EQ(again->leader.str(), ids[0]);
  EXPECT_TRUE(again->members.empty());
  EXPECT_EQ(bench.state(), "Stable");
}

TEST(Join, TheLeaderForcesARebalance) {
  Bench bench;
  const auto ids = bench.stable_group(2);
  const auto leader = bench.join({.member = ids[0]});
  EXPECT_FALSE(leader.done());
  EXPECT_EQ(bench.state(), "PreparingRebalance");
  EXPECT_EQ(bench.heartbeat(ids[1], 1), ErrorCode::kRebalanceInProgress);
  const auto follower = bench.join({.member = ids[1]});
  ASSERT_TRUE(leader.done() && follower.done());
  EXPECT_EQ(leader->generation_id, 2);
  EXPECT_EQ(leader->members.size(), 2u);
  EXPECT_TRUE(follower->members.empty());
}

TEST(Join, ChangedMetadataForcesARebalance) {
  Bench bench;
  const auto ids = bench.stable_group(2);
  bench.join({.member = ids[1], .protocols = {{"range", "other"}}});
  EXPECT_EQ(bench.state(), "PreparingRebalance");
}

TEST(Join, DuringTheSyncPhase) {
  Bench bench;
  const auto one = bench.join({.version = 3});
  const auto two = bench.join({.version = 3});
  bench.loop.advance(6s);
  ASSERT_EQ(bench.state(), "CompletingRebalance");
  // The answer was lost: the same generation again, with the members for the leader.
  const auto leader = bench.join({.member = one->leader.str()});
  ASSERT_TRUE(leader.done());
  EXPECT_EQ(leader->members.size(), 2u);
  const std::string follower = one->leader == one->member_id ? two->member_id.str() : one->member_id.str();
  const auto parked = bench.sync({.member = follower});
  // Changed metadata: who waits for an assignment must join again.
  bench.join({.member = one->leader.str(), .protocols = {{"range", "other"}}});
  ASSERT_TRUE(parked.done());
  EXPECT_EQ(parked.error(), ErrorCode::kRebalanceInProgress);
}

TEST(Join, DynamicMembersThatDoNotComeAgainAreDropped) {
  Bench bench({.max_session_timeout = 3600s});
  const auto ids = bench.stable_group(3);
  const auto leader = bench.join({.member = ids[0], .session_ms = 600'000});
  const auto second = bench.join({.member = ids[1], .session_ms = 600'000});
  for (int i = 0; i < 7; ++i) {
    bench.heartbeat(ids[2], 1);  // Alive, but not joining.
    bench.loop.advance(9s);
  }
  ASSERT_TRUE(leader.done() && second.done());
  EXPECT_EQ(leader->members.size(), 2u);
  EXPECT_EQ(bench.heartbeat(ids[2], 1), ErrorCode::kUnknownMemberId);
}

TEST(Join, AnotherLeaderIsElectedWhenTheOldOneDoesNotCome) {
  Bench bench;
  const auto ids = bench.stable_group(2);
  bench.join({.member = ids[1], .protocols = {{"range", "changed"}}});
  bench.loop.advance(10s);
  EXPECT_EQ(bench.group()->leader(), ids[1]);
  EXPECT_EQ(bench.group()->members().size(), 1u);
}

TEST(Join, ANewMemberThatWaitsTooLongIsDropped) {
  Bench bench({.max_session_timeout = 3600s});
  const auto ids = bench.stable_group(1);
  // The old member never joins again, and has an hour for it.
  ASSERT_TRUE(bench.join({.member = ids[0], .session_ms = 3'000'000, .rebalance_ms = 3'000'000}).done());
  bench.sync({.member = ids[0], .generation = 2});
  const auto late = bench.join({.rebalance_ms = 3'000'000, .version = 3});
  bench.loop.advance(299s);
  EXPECT_FALSE(late.done());
  bench.loop.advance(2s);
  ASSERT_TRUE(late.done());
  EXPECT_EQ(late.error(), ErrorCode::kUnknownMemberId);
}

TEST(Join, ParkedCallsEndWithTheLeadership) {
  Bench bench;
  const auto joined = bench.join({.version = 3});
  bench.groups.resign(0);
  bench.loop.run();
  ASSERT_TRUE(joined.done());
  EXPECT_EQ(joined.error(), ErrorCode::kNotCoordinator);
  EXPECT_EQ(bench.loop.timer_count(), 0u);
}

TEST(Join, AStormOfAThousandMembersIsCheap) {
  Bench bench;
  const auto ids = bench.stable_group(1000);
  EXPECT_EQ(bench.state(), "Stable");
  EXPECT_EQ(bench.group()->members().size(), 1000u);
  for (int i = 0; i < 3; ++i) {
    for (const auto& id : ids) ASSERT_EQ(bench.heartbeat(id, 1), ErrorCode::kNone);
    bench.loop.advance(3s);
  }
  EXPECT_LE(bench.loop.timer_count(), 1u);
}

}  // namespace
}  // namespace samsa::coordinator
