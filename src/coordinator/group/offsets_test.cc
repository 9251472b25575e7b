// OffsetCommit, OffsetFetch, OffsetDelete, expiry: wire.md section 13, rule by rule.
#include <gtest/gtest.h>

#include "coordinator/group/testing.h"
#include "protocol/record/offset_commit_value.h"

namespace samsa::coordinator {
namespace {

using namespace testing;

// What a consumer puts into JoinGroup: version 0, these topics.
std::string subscription(const std::vector<std::string>& topics) {
  Buffer bytes;
  append_be<int16_t>(bytes, 0);
  append_be<int32_t>(bytes, static_cast<int32_t>(topics.size()));
  for (const auto& topic : topics) {
    append_be<int16_t>(bytes, static_cast<int16_t>(topic.size()));
    samsa::append(bytes, as_bytes(topic));
  }
  append_be<int32_t>(bytes, -1);
  return std::string(as_text(bytes));
}
const Uuid kTopicId{0x1122334455667788, 0x99aabbccddeeff00};

TEST(Commit, OfASimpleConsumer) {
  Bench bench;
  EXPECT_EQ(bench.commit({.offset = 42, .metadata = "note"}), ErrorCode::kNone);
  EXPECT_EQ(bench.state(), "Empty");
  EXPECT_EQ(bench.fetch("t"), 42);
  EXPECT_EQ(bench.fetch("t", 1), -1);
  EXPECT_EQ(bench.fetch("t", 0, "none"), -1);
  bench.fail_over(2);
  EXPECT_EQ(bench.fetch("t"), 42);
  EXPECT_EQ(bench.start_fetch("t", 0)->groups[0].topics[0].partitions[0].metadata->str(), "note");
}

TEST(Commit, AMissingGroup) {
  Bench bench;
  EXPECT_EQ(bench.commit({.member = "m", .generation = 3, .version = 8}), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(bench.commit({.member = "m", .generation = 3, .version = 9}), ErrorCode::kGroupIdNotFound);
}

TEST(Commit, ChecksMembership) {
  Bench bench;
  const auto ids = bench.stable_group(2);
  EXPECT_EQ(bench.commit({}), ErrorCode::kUnknownMemberId);  // A simple consumer, and the group has members.
  EXPECT_EQ(bench.commit({.member = "nobody", .generation = 1}), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(bench.commit({.member = ids[0], .generation = 2}), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(bench.commit({.member = ids[0]}), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(bench.commit({.member = ids[0], .generation = 1}), ErrorCode::kNone);
  bench.join({.member = ids[0]});
  EXPECT_EQ(bench.commit({.member = ids[1], .generation = 1}), ErrorCode::kNone);  // The last chance before it joins again.
  bench.join({.member = ids[1]});
  ASSERT_EQ(bench.state(), "CompletingRebalance");
  EXPECT_EQ(bench.commit({.member = ids[1], .generation = 2}), ErrorCode::kRebalanceInProgress);
}

TEST(Commit, LimitsMetadataInUtf16Units) {
  Bench bench({.offset_metadata_max_size = 4});
  EXPECT_EQ(bench.commit({.metadata = "1234"}), ErrorCode::kNone);
  EXPECT_EQ(bench.commit({.metadata = "12345"}), ErrorCode::kOffsetMetadataTooLarge);
  EXPECT_EQ(bench.commit({.metadata = "\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC"}), ErrorCode::kNone);
  EXPECT_EQ(bench.commit({.metadata = "\xF0\x9F\x98\x80\xF0\x9F\x98\x80"}), ErrorCode::kNone);
  EXPECT_EQ(bench.commit({.metadata = "\xF0\x9F\x98\x80\xF0\x9F\x98\x80x"}), ErrorCode::kOffsetMetadataTooLarge);
}

TEST(Commit, AnswersWhatMayNotBeCommitted) {
  Bench bench;
  bench.scope.denied_topics.insert("secret");
  bench.scope.missing_topics.insert("gone");
  bench.scope.ids["known"] = kTopicId;
  EXPECT_EQ(bench.commit({.topic = "secret"}), ErrorCode::kTopicAuthorizationFailed);
  EXPECT_EQ(bench.commit({.topic = "gone"}), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(bench.commit({.partition = 100}), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(bench.commit({.topic = "", .version = 10, .topic_id = {1, 1}}), ErrorCode::kUnknownTopicId);
  EXPECT_EQ(bench.commit({.topic = "", .offset = 5, .version = 10, .topic_id = kTopicId}), ErrorCode::kNone);
  EXPECT_EQ(bench.fetch("known"), 5);
  bench.scope.denied_groups.insert("g");
  EXPECT_EQ(bench.commit({}), ErrorCode::kGroupAuthorizationFailed);
}

TEST(Commit, MixedAnswers) {
  Bench bench;
  protocol::OffsetCommitRequest request;
  request.group_id = "g";
  for (const char* name : {"gone", "t"}) {
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    for (const int partition : {1, 200}) topic.partitions.emplace_back().partition_index = partition;
  }
  bench.scope.missing_topics.insert("gone");
  const auto answer = bench.call(&GroupCoordinator::offset_commit, 8, request);
  std::map<std::pair<std::string, int>, int> errors;
  for (const auto& topic : answer->topics) {
    for (const auto& partition : topic.partitions) errors[{topic.name.str(), partition.partition_index}] = partition.error_code;
  }
  EXPECT_EQ(errors, (std::map<std::pair<std::string, int>, int>{{{"gone", 1}, 3}, {{"gone", 200}, 3}, {{"t", 1}, 0}, {{"t", 200}, 3}}));
}

TEST(Commit, WritesKafkasRecords) {
  Bench bench;
  bench.scope.ids["t"] = kTopicId;
  bench.commit({.partition = 3, .offset = 9, .metadata = "m"});
  bench.commit({.partition = 3, .offset = 9, .retention_ms = 1000, .version = 4});
  bench.commit({.topic = "", .partition = 3, .offset = 9, .version = 10, .topic_id = kTopicId});
  const auto records = bench.log->records();
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].key, (Buffer{0, 1, 0, 1, 'g', 0, 1, 't', 0, 0, 0, 3}));
  Buffer expected{0, 4, 0, 0, 0, 0, 0, 0, 0, 9, 0xFF, 0xFF, 0xFF, 0xFF, 2, 'm'};
  append_be<int64_t>(expected, bench.loop.wall_ms());
  expected.push_back(0);  // No tags.
  EXPECT_EQ(*records[0].value, expected);
  expected = {0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0};
  append_be<int64_t>(expected, bench.loop.wall_ms());
  append_be<int64_t>(expected, bench.loop.wall_ms() + 1000);
  EXPECT_EQ(*records[1].value, expected);
  const auto with_id = protocol::decode_record<protocol::OffsetCommitValue>(*records[2].value);
  ASSERT_TRUE(with_id);
  EXPECT_EQ(with_id->topic_id, kTopicId);
}

TEST(Commit, FailsWithTheLog) {
  Bench bench;
  bench.commit({.offset = 1});
  bench.log->fail_next(ErrorCode::kNotEnoughReplicas);
  EXPECT_EQ(bench.commit({.offset = 2}), ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(bench.fetch("t"), 1);
}

TEST(Fetch, SeesOnlyWhatIsCommitted) {
  Bench bench;
  bench.commit({.offset = 1});
  bench.log->hold_commits();
  const auto writing = bench.start_commit({.offset = 2});
  EXPECT_FALSE(writing.done());
  EXPECT_EQ(bench.fetch("t"), 1);
  const auto stable = bench.start_fetch("t", 0, true);
  EXPECT_FALSE(stable.done());  // Waits until what it saw is committed.
  bench.log->commit_all();
  bench.loop.run();
  EXPECT_TRUE(writing.done());
  EXPECT_EQ(bench.fetch("t"), 2);
  EXPECT_EQ(stable->groups[0].topics[0].partitions[0].committed_offset, 2);
}

TEST(Fetch, AllTopicsAndSeveralGroups) {
  Bench bench;
  bench.commit({.topic = "a", .offset = 1});
  bench.commit({.topic = "a", .partition = 1, .offset = 2});
  bench.commit({.topic = "b", .offset = 3});
  bench.commit({.group = "h", .topic = "c", .offset = 4});
  bench.scope.denied_topics.insert("b");
  bench.scope.denied_groups.insert("x");
  protocol::OffsetFetchRequest request;
  for (const char* name : {"g", "h", "none", "x"}) {
    auto& group = request.groups.emplace_back();
    group.group_id = name;
    group.topics.reset();
  }
  const auto answer = bench.call(&GroupCoordinator::offset_fetch, 9, request);
  ASSERT_EQ(answer->groups.size(), 4u);
  ASSERT_EQ(answer->groups[0].topics.size(), 1u);
  EXPECT_EQ(answer->groups[0].topics[0].name.str(), "a");
  EXPECT_EQ(answer->groups[0].topics[0].partitions.size(), 2u);
  EXPECT_EQ(answer->groups[1].topics.size(), 1u);
  EXPECT_TRUE(answer->groups[2].topics.empty());
  EXPECT_EQ(answer->groups[2].error_code, 0);
  EXPECT_EQ(answer->groups[3].error_code, 30);
}

TEST(Fetch, ByTopicId) {
  Bench bench;
  bench.scope.ids["t"] = kTopicId;
  bench.commit({.topic = "", .offset = 5, .version = 10, .topic_id = kTopicId});
  protocol::OffsetFetchRequest request;
  auto& group = request.groups.emplace_back();
  group.group_id = "g";
  group.topics.emplace(2);
  (*group.topics)[0].topic_id = kTopicId;
  (*group.topics)[0].partition_indexes = {0};
  (*group.topics)[1].topic_id = {9, 9};
  (*group.topics)[1].partition_indexes = {0};
  auto answer = bench.call(&GroupCoordinator::offset_fetch, 10, request);
  ASSERT_EQ(answer->groups[0].topics.size(), 2u);
  EXPECT_EQ(answer->groups[0].topics[0].partitions[0].committed_offset, 5);
  EXPECT_EQ(answer->groups[0].topics[1].partitions[0].error_code, 100);
  // The topic was made anew: the old topic's offset is not its own.
  bench.scope.ids["t"] = {3, 4};
  (*request.groups[0].topics)[0].topic_id = {3, 4};
  answer = bench.call(&GroupCoordinator::offset_fetch, 10, request);
  EXPECT_EQ(answer->groups[0].topics[0].partitions[0].committed_offset, -1);
}

TEST(Fetch, OldVersions) {
  Bench bench;
  bench.commit({.offset = 7, .metadata = "m"});
  protocol::OffsetFetchRequest request;
  request.group_id = "g";
  request.topics.emplace(1);
  (*request.topics)[0].name = "t";
  (*request.topics)[0].partition_indexes = {0};
  const auto answer = bench.call(&GroupCoordinator::offset_fetch, 5, request);
  EXPECT_EQ(answer->error_code, 0);
  EXPECT_EQ(answer->topics.at(0).partitions.at(0).committed_offset, 7);
  EXPECT_EQ(answer->topics.at(0).partitions.at(0).metadata->str(), "m");
  bench.groups.resign(0);
  const auto moved = bench.call(&GroupCoordinator::offset_fetch, 5, request);
  EXPECT_EQ(moved->error_code, 16);
  EXPECT_TRUE(moved->topics.empty());
  const auto oldest = bench.call(&GroupCoordinator::offset_fetch, 1, request);
  EXPECT_EQ(oldest->topics.at(0).partitions.at(0).error_code, 16);
}

// ---- Transactions ----

Pending<protocol::TxnOffsetCommitResponse> txn_commit(Bench& bench, Offset offset, int64_t producer = 7, int32_t generation = -1,
                                                      std::string member = "") {
  protocol::TxnOffsetCommitRequest request;
  request.group_id = "g";
  request.transactional_id = "tx";
  request.producer_id = producer;
  request.producer_epoch = 0;
  request.generation_id_or_member_epoch = generation;
  request.member_id = member;
  auto& topic = request.topics.emplace_back();
  topic.name = "t";
  auto& partition = topic.partitions.emplace_back();
  partition.committed_offset = offset;
  return bench.call(&GroupCoordinator::txn_offset_commit, 3, request);
}
ErrorCode end_txn(Bench& bench, bool commit, int64_t producer = 7) {
  ErrorCode code = ErrorCode::kUnknownServerError;
  const auto complete = [](Bench& b, bool yes, int64_t id, ErrorCode& into) -> io::Task<> {
    const auto result = co_await b.groups.complete_transaction(0, {id, 0}, 1, yes);
    into = result ? ErrorCode::kNone : result.error().code;
  };
  io::spawn(bench.loop, complete(bench, commit, producer, code));
  bench.loop.run();
  return code;
}

TEST(Transaction, CountsWithItsMarker) {
  Bench bench;
  bench.commit({.offset = 1});
  EXPECT_EQ(txn_commit(bench, 10)->topics[0].partitions[0].error_code, 0);
  EXPECT_EQ(bench.fetch("t"), 1);
  EXPECT_EQ(bench.start_fetch("t", 0, true)->groups[0].topics[0].partitions[0].error_code, 88);
  bench.fail_over(2);  // Also after a load.
  EXPECT_EQ(bench.start_fetch("t", 0, true)->groups[0].topics[0].partitions[0].error_code, 88);
  EXPECT_EQ(end_txn(bench, true), ErrorCode::kNone);
  EXPECT_EQ(bench.fetch("t"), 10);
  txn_commit(bench, 20);
  EXPECT_EQ(end_txn(bench, false), ErrorCode::kNone);
  EXPECT_EQ(bench.fetch("t"), 10);
  bench.fail_over(3);
  EXPECT_EQ(bench.fetch("t"), 10);
  bench.groups.resign(0);
  EXPECT_EQ(end_txn(bench, true), ErrorCode::kNotLeaderOrFollower);
}

TEST(Transaction, ChecksMembership) {
  Bench bench;
  EXPECT_EQ(txn_commit(bench, 1, 7, 4, "m")->topics[0].partitions[0].error_code, 22);
  const auto ids = bench.stable_group(1);
  EXPECT_EQ(txn_commit(bench, 1, 7, 4, ids[0])->topics[0].partitions[0].error_code, 22);
  EXPECT_EQ(txn_commit(bench, 1, 7, 1, "m")->topics[0].partitions[0].error_code, 25);
  EXPECT_EQ(txn_commit(bench, 1, 7, 1, ids[0])->topics[0].partitions[0].error_code, 0);
  EXPECT_EQ(txn_commit(bench, 1)->topics[0].partitions[0].error_code, 0);  // Producers before KIP-447 say nothing of the group.
}

// ---- Deletion ----

protocol::OffsetDeleteRequest deletion(const std::vector<std::string>& topics) {
  protocol::OffsetDeleteRequest request;
  request.group_id = "g";
  for (const auto& name : topics) {
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.partitions.emplace_back().partition_index = 0;
  }
  return request;
}

TEST(Delete, OffsetsOfTopicsNobodySubscribesTo) {
  Bench bench;
  EXPECT_EQ(bench.call(&GroupCoordinator::offset_delete, 0, deletion({"a"})).error(), ErrorCode::kGroupIdNotFound);
  bench.commit({.topic = "a", .offset = 1});
  bench.commit({.topic = "b", .offset = 2});
  bench.stable_group(1, subscription({"a"}));
  const auto answer = bench.call(&GroupCoordinator::offset_delete, 0, deletion({"a", "b", "c"}));
  ASSERT_EQ(answer.error(), ErrorCode::kNone);
  EXPECT_EQ(answer->topics.at(0).partitions.at(0).error_code, 86);
  EXPECT_EQ(answer->topics.at(1).partitions.at(0).error_code, 0);
  EXPECT_EQ(answer->topics.at(2).partitions.at(0).error_code, 0);
  EXPECT_EQ(bench.fetch("a"), 1);
  EXPECT_EQ(bench.fetch("b"), -1);
}

TEST(Delete, NotWhileAnotherKindOfGroupIsActive) {
  Bench bench({.initial_rebalance_delay = 0ms});
  bench.join({.type = "connect", .version = 3});
  EXPECT_EQ(bench.call(&GroupCoordinator::offset_delete, 0, deletion({"a"})).error(), ErrorCode::kNonEmptyGroup);
}

TEST(Delete, Groups) {
  Bench bench;
  bench.commit({.group = "empty", .offset = 1});
  bench.stable_group(1, "m", "busy");
  bench.scope.denied_groups.insert("secret");
  protocol::DeleteGroupsRequest request;
  for (const char* name : {"empty", "busy", "none", "secret", "empty"}) request.groups_names.emplace_back(name);
  const auto answer = bench.call(&GroupCoordinator::delete_groups, 2, request);
  std::map<std::string, int> errors;
  for (const auto& result : answer->results) errors[result.group_id.str()] = result.error_code;
  EXPECT_EQ(answer->results.size(), 4u);
  EXPECT_EQ(errors, (std::map<std::string, int>{{"empty", 0}, {"busy", 68}, {"none", 69}, {"secret", 30}}));
  EXPECT_EQ(bench.group("empty"), nullptr);
  EXPECT_EQ(bench.fetch("t", 0, "empty"), -1);
  bench.fail_over(2);
  EXPECT_EQ(bench.group("empty"), nullptr);
}

TEST(Delete, GroupsWithPendingTransactionalOffsets) {
  Bench bench;
  txn_commit(bench, 5);
  protocol::DeleteGroupsRequest request;
  request.groups_names.emplace_back("g");
  EXPECT_EQ(bench.call(&GroupCoordinator::delete_groups, 2, request)->results[0].error_code, 0);
  end_txn(bench, true);
  EXPECT_EQ(bench.fetch("t"), -1);
}

TEST(Delete, OffsetsGoWithTheirTopic) {
  Bench bench;
  bench.commit({.topic = "a", .offset = 1});
  bench.commit({.topic = "b", .offset = 2});
  io::spawn(bench.loop, bench.groups.topics_deleted({"a"}));
  bench.loop.run();
  EXPECT_EQ(bench.fetch("a"), -1);
  EXPECT_EQ(bench.fetch("b"), 2);
}

// ---- Expiry ----

constexpr auto kHour = 3600s;
const GroupConfig kShortRetention{.offsets_retention = kHour, .offsets_retention_check = 600s};

TEST(Expiry, OfASimpleGroupCountsFromEachCommit) {
  Bench bench(kShortRetention);
  bench.commit({.topic = "a", .offset = 1});
  bench.loop.advance(1800s);
  bench.commit({.topic = "b", .offset = 2});
  bench.loop.advance(1800s);
  EXPECT_EQ(bench.fetch("a"), -1);
  EXPECT_EQ(bench.fetch("b"), 2);
  EXPECT_EQ(bench.state(), "Empty");
  bench.loop.advance(1800s);
  EXPECT_EQ(bench.fetch("b"), -1);
  EXPECT_EQ(bench.state(), "none");
  bench.fail_over(2);
  EXPECT_EQ(bench.state(), "none");
}

TEST(Expiry, OfAnEmptyGroupCountsFromWhenItBecameEmpty) {
  Bench bench(kShortRetention);
  const auto ids = bench.stable_group(1);
  bench.commit({.member = ids[0], .generation = 1, .offset = 1});
  for (int i = 0; i < 800; ++i) {
    bench.loop.advance(5s);
    bench.heartbeat(ids[0], 1);
  }
  EXPECT_EQ(bench.fetch("t"), 1);  // An unreadable subscription protects all topics.
  bench.leave({{ids[0], {}}});
  bench.loop.advance(kHour - 10s);
  EXPECT_EQ(bench.fetch("t"), 1);
  bench.loop.advance(650s);
  EXPECT_EQ(bench.fetch("t"), -1);
  EXPECT_EQ(bench.state(), "none");
}

TEST(Expiry, OfAStableGroupSparesItsTopics) {
  Bench bench(kShortRetention);
  const auto ids = bench.stable_group(1, subscription({"mine"}));
  bench.commit({.member = ids[0], .generation = 1, .topic = "mine", .offset = 1});
  bench.commit({.member = ids[0], .generation = 1, .topic = "other", .offset = 2});
  for (int i = 0; i < 900; ++i) {
    bench.loop.advance(5s);
    bench.heartbeat(ids[0], 1);
  }
  EXPECT_EQ(bench.state(), "Stable");
  EXPECT_EQ(bench.fetch("mine"), 1);
  EXPECT_EQ(bench.fetch("other"), -1);
}

TEST(Expiry, StatedByTheCommit) {
  Bench bench(kShortRetention);
  bench.commit({.offset = 1, .retention_ms = 100'000, .version = 3});
  bench.commit({.partition = 1, .offset = 2, .retention_ms = 100'000'000, .version = 3});
  bench.loop.advance(600s);
  EXPECT_EQ(bench.fetch("t"), -1);
  bench.loop.advance(kHour);
  EXPECT_EQ(bench.fetch("t", 1), 2);
}

TEST(Expiry, NotUnderAnOpenTransaction) {
  Bench bench(kShortRetention);
  bench.commit({.offset = 1});
  txn_commit(bench, 2);
  bench.loop.advance(2 * kHour);
  EXPECT_EQ(bench.fetch("t"), 1);
  end_txn(bench, false);
  bench.loop.advance(600s);
  EXPECT_EQ(bench.fetch("t"), -1);
}

TEST(Expiry, OfManyGroupsIsWrittenInPortions) {
  Bench bench(kShortRetention);
  for (int i = 0; i < 2500; ++i) bench.commit({.group = "g" + std::to_string(i), .offset = i});
  const size_t before = bench.log->batches().size();
  bench.loop.advance(kHour + 600s);
  EXPECT_EQ(bench.groups.machine_for_test(0).group_count(), 0u);
  EXPECT_EQ(bench.log->batches().size() - before, 5u);
}

// ---- Lists ----

TEST(List, FiltersStatesAndTypes) {
  Bench bench;
  bench.commit({.group = "simple", .offset = 1});
  bench.stable_group(1, "m", "busy");
  bench.scope.denied_groups.insert("secret");
  bench.commit({.group = "secret", .offset = 1});
  const auto names = [&](std::vector<std::string> states, std::vector<std::string> types) {
    protocol::ListGroupsRequest request;
    for (const auto& state : states) request.states_filter.emplace_back(state);
    for (const auto& type : types) request.types_filter.emplace_back(type);
    const auto answer = bench.call(&GroupCoordinator::list_groups, 5, request);
    std::string result;
    for (const auto& group : answer->groups) {
      result += group.group_id.str() + ":" + group.group_state.str() + ":" + group.protocol_type.str() + ":" + group.group_type.str() + " ";
    }
    return result;
  };
  EXPECT_EQ(names({}, {}), "busy:Stable:consumer:classic simple:Empty::classic ");
  EXPECT_EQ(names({"empty"}, {}), "simple:Empty::classic ");
  EXPECT_EQ(names({"Stable", "PreparingRebalance"}, {"Classic"}), "busy:Stable:consumer:classic ");
  EXPECT_EQ(names({}, {"consumer"}), "");
}

TEST(Stats, CountsWhatThereIs) {
  Bench bench;
  bench.stable_group(1, "m", "busy");
  bench.commit({.offset = 1});
  bench.commit({.offset = 2});
  bench.commit({.partition = 1, .offset = 2});
  bench.call(&GroupCoordinator::offset_delete, 0, deletion({"t"}));
  auto stats = bench.groups.stats();
  EXPECT_EQ(stats.totals.offset_commits, 3u);
  EXPECT_EQ(stats.totals.offset_deletions, 1u);
  EXPECT_EQ(stats.totals.completed_rebalances, 1u);
  EXPECT_EQ(stats.offsets, 1u);
  EXPECT_EQ(stats.classic_by_state, (std::array<size_t, 5>{1, 0, 0, 1, 0}));
  EXPECT_EQ(stats.active, 1u);
  bench.fail_over(2);
  stats = bench.groups.stats();
  EXPECT_EQ(stats.totals.offset_commits, 3u);
  EXPECT_EQ(stats.offsets, 1u);
}

TEST(Describe, GivesMembersOnlyTheirMetadataWhenStable) {
  Bench bench;
  const auto ids = bench.stable_group(2);
  protocol::DescribeGroupsRequest request;
  request.groups.emplace_back("g");
  request.groups.emplace_back("none");
  request.include_authorized_operations = true;
  auto answer = bench.call(&GroupCoordinator::describe_groups, 6, request);
  ASSERT_EQ(answer->groups.size(), 2u);
  EXPECT_EQ(answer->groups[0].group_state.str(), "Stable");
  EXPECT_EQ(answer->groups[0].protocol_type.str(), "consumer");
  EXPECT_EQ(answer->groups[0].protocol_data.str(), "range");
  EXPECT_EQ(answer->groups[0].authorized_operations, 328);
  ASSERT_EQ(answer->groups[0].members.size(), 2u);
  EXPECT_EQ(as_text(answer->groups[0].members[0].member_metadata), "meta");
  EXPECT_EQ(as_text(answer->groups[0].members[0].member_assignment), "for " + answer->groups[0].members[0].member_id.str());
  EXPECT_EQ(answer->groups[0].members[0].client_host.str(), "/127.0.0.1");
  EXPECT_EQ(answer->groups[1].error_code, 69);
  EXPECT_EQ(answer->groups[1].error_message->str(), "Group none not found.");
  EXPECT_EQ(answer->groups[1].group_state.str(), "Dead");
  answer = bench.call(&GroupCoordinator::describe_groups, 5, request);
  EXPECT_EQ(answer->groups[1].error_code, 0);
  EXPECT_EQ(answer->groups[1].group_state.str(), "Dead");
  bench.join({.member = ids[0]});
  answer = bench.call(&GroupCoordinator::describe_groups, 5, request);
  EXPECT_EQ(answer->groups[0].group_state.str(), "PreparingRebalance");
  EXPECT_EQ(answer->groups[0].protocol_data.str(), "");
  EXPECT_TRUE(answer->groups[0].members[0].member_metadata.empty());
}

}  // namespace
}  // namespace samsa::coordinator
