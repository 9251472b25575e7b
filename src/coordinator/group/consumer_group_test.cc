// KIP-848 groups: wire.md section 11.
#include <gtest/gtest.h>

#include "coordinator/group/testing.h"
#include "metadata/image.h"
#include "protocol/api/consumer_group_describe.h"
#include "protocol/api/consumer_group_heartbeat.h"

namespace samsa::coordinator {
namespace {

using namespace testing;
using Response = protocol::ConsumerGroupHeartbeatResponse;

Uuid id_of(std::string_view topic) { return {77, static_cast<uint64_t>(topic[0])}; }

class ConsumerGroupTest : public ::testing::Test {
 protected:
  ConsumerGroupTest() { set_topics({{"a", 4}, {"b", 2}}); }

  void set_topics(const std::vector<std::pair<std::string, int>>& topics) {
    metadata::MetadataImage image;
    image.features.set("group.version", 1);
    for (const auto& [name, partitions] : topics) {
      metadata::TopicImage topic;
      topic.name = name;
      topic.id = id_of(name);
      for (int p = 0; p < partitions; ++p) topic.partitions.set(p, metadata::PartitionImage{.replicas = {1}, .isr = {1}, .leader = 1});
      auto shared = std::make_shared<const metadata::TopicImage>(topic);
      image.topics.set(name, shared);
      image.topics_by_id.set(topic.id, shared);
    }
    bench.groups.set_image(std::make_shared<const metadata::MetadataImage>(image));
  }

  struct Beat {
    std::string member;
    int32_t epoch = 0;
    std::optional<std::vector<std::string>> topics;
    std::optional<PartitionSet> owned;
    std::optional<std::string> instance;
    std::optional<std::string> assignor;
    int32_t rebalance_ms = -1;
    std::string group = "g";
  };
  static protocol::ConsumerGroupHeartbeatRequest request(const Beat& beat) {
    protocol::ConsumerGroupHeartbeatRequest r;
    r.group_id = beat.group;
    r.member_id = beat.member;
    r.member_epoch = beat.epoch;
    if (beat.instance) r.instance_id = protocol::Text(*beat.instance);
    if (beat.assignor) r.server_assignor = protocol::Text(*beat.assignor);
    r.rebalance_timeout_ms = beat.rebalance_ms;
    if (beat.topics) {
      r.subscribed_topic_names.emplace();
      for (const auto& topic : *beat.topics) r.subscribed_topic_names->emplace_back(topic);
    }
    if (beat.owned) {
      r.topic_partitions.emplace();
      for (const auto& [topic, partitions] : *beat.owned) {
        auto& to = r.topic_partitions->emplace_back();
        to.topic_id = topic;
        to.partitions.assign(partitions.begin(), partitions.end());
      }
    }
    return r;
  }
  Pending<Response> beat(const Beat& beat) { return bench.call(&GroupCoordinator::consumer_group_heartbeat, 1, request(beat)); }
  Pending<Response> join(const std::string& member, std::vector<std::string> topics = {"a"}, std::optional<std::string> instance = {}) {
    return beat(
        {.member = member, .topics = std::move(topics), .owned = PartitionSet{}, .instance = std::move(instance), .rebalance_ms = 60'000});
  }
  static PartitionSet assigned(const Pending<Response>& response) {
    PartitionSet set;
    if (!response->assignment) return set;
    for (const auto& topic : response->assignment->topic_partitions) {
      set[topic.topic_id].insert(topic.partitions.begin(), topic.partitions.end());
    }
    return set;
  }
  const ConsumerGroup* group() { return bench.groups.machine_for_test(0).consumers().find("g"); }

  Bench bench;
  const PartitionSet all_of_a{{id_of("a"), {0, 1, 2, 3}}};
};

TEST_F(ConsumerGroupTest, RefusesBadRequests) {
  const auto code = [&](const Beat& b) { return beat(b).error(); };
  const std::vector<std::string> topics{"a"};
  EXPECT_EQ(code({.member = "m", .topics = topics, .owned = PartitionSet{}}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(code({.member = "m", .topics = topics, .rebalance_ms = 1}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(code({.member = "m", .topics = topics, .owned = all_of_a, .rebalance_ms = 1}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(code({.member = "m", .owned = PartitionSet{}, .rebalance_ms = 1}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(code({.member = "", .topics = topics, .owned = PartitionSet{}, .rebalance_ms = 1}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(code({.member = "m", .epoch = -3}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(code({.member = "m", .epoch = -2}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(code({.member = "m", .epoch = 1, .instance = ""}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(code({.member = "m", .epoch = 1, .group = ""}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(code({.member = "m", .topics = topics, .owned = PartitionSet{}, .assignor = "mine", .rebalance_ms = 1}),
            ErrorCode::kUnsupportedAssignor);
  EXPECT_EQ(code({.member = "m", .epoch = 1}), ErrorCode::kGroupIdNotFound);
  EXPECT_EQ(code({.member = "m", .epoch = -1}), ErrorCode::kGroupIdNotFound);
  join("m");
  EXPECT_EQ(code({.member = "x", .epoch = 1}), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(code({.member = "m", .epoch = 2}), ErrorCode::kFencedMemberEpoch);
  bench.scope.denied_topics.insert("b");
  EXPECT_EQ(join("m", {"a", "b"}).error(), ErrorCode::kTopicAuthorizationFailed);
  bench.scope.denied_groups.insert("g");
  EXPECT_EQ(join("m").error(), ErrorCode::kGroupAuthorizationFailed);
  bench.groups.set_image(nullptr);
  EXPECT_EQ(join("m").error(), ErrorCode::kUnsupportedVersion);
}

TEST_F(ConsumerGroupTest, TheFirstMemberGetsEverything) {
  const auto one = join("m1");
  ASSERT_EQ(one.error(), ErrorCode::kNone);
  EXPECT_EQ(one->member_id->str(), "m1");
  EXPECT_EQ(one->member_epoch, 1);
  EXPECT_EQ(one->heartbeat_interval_ms, 5000);
  EXPECT_EQ(assigned(one), all_of_a);
  EXPECT_EQ(group()->state_name(), "Stable");
  const auto next = beat({.member = "m1", .epoch = 1});
  EXPECT_EQ(next->member_epoch, 1);
  EXPECT_FALSE(next->assignment.has_value());  // Nothing new.
  EXPECT_EQ(assigned(beat({.member = "m1", .epoch = 1, .topics = {{"a"}}, .owned = all_of_a, .rebalance_ms = 60'000})), all_of_a);
}

TEST_F(ConsumerGroupTest, APartitionIsReleasedBeforeAnotherGetsIt) {
  join("m1");
  const auto two = join("m2");
  EXPECT_EQ(two->member_epoch, 2);
  EXPECT_TRUE(assigned(two).empty());
  EXPECT_EQ(group()->state_name(), "Reconciling");
  const auto revoke = beat({.member = "m1", .epoch = 1});
  EXPECT_EQ(revoke->member_epoch, 1);
  const PartitionSet kept = assigned(revoke);
  ASSERT_EQ(kept.at(id_of("a")).size(), 2u);
  EXPECT_FALSE(beat({.member = "m2", .epoch = 2})->assignment.has_value());  // Still held.
  const auto holding = beat({.member = "m1", .epoch = 1, .owned = all_of_a});
  EXPECT_EQ(holding->member_epoch, 1);
  const auto released = beat({.member = "m1", .epoch = 1, .owned = kept});
  EXPECT_EQ(released->member_epoch, 2);
  const auto got = beat({.member = "m2", .epoch = 2});
  ASSERT_TRUE(got->assignment.has_value());
  EXPECT_EQ(assigned(got).at(id_of("a")).size(), 2u);
  EXPECT_EQ(group()->state_name(), "Stable");
  // The next coordinator knows the same.
  bench.fail_over(2);
  EXPECT_EQ(group()->state_name(), "Stable");
  EXPECT_EQ(beat({.member = "m1", .epoch = 2}).error(), ErrorCode::kNone);
  EXPECT_EQ(group()->epoch, 2);
}

TEST_F(ConsumerGroupTest, ALostAnswerIsForgiven) {
  join("m1");
  set_topics({{"a", 5}});
  const auto lost = beat({.member = "m1", .epoch = 1, .owned = all_of_a});
  EXPECT_EQ(lost->member_epoch, 2);
  EXPECT_EQ(beat({.member = "m1", .epoch = 1, .owned = all_of_a}).error(), ErrorCode::kNone);
  EXPECT_EQ(beat({.member = "m1", .epoch = 1}).error(), ErrorCode::kFencedMemberEpoch);
  EXPECT_EQ(join("m1").error(), ErrorCode::kNone);  // Joining again is always possible.
}

TEST_F(ConsumerGroupTest, NewPartitionsAndTopicsAreNoticed) {
  join("m1", {"a", "c"});
  set_topics({{"a", 4}, {"c", 1}});
  const auto next = beat({.member = "m1", .epoch = 1});
  EXPECT_EQ(next->member_epoch, 2);
  EXPECT_EQ(assigned(next).size(), 2u);
  set_topics({{"a", 4}, {"c", 1}, {"unrelated", 9}});
  EXPECT_EQ(beat({.member = "m1", .epoch = 2})->member_epoch, 2);
  set_topics({{"a", 4}});
  const auto gone = beat({.member = "m1", .epoch = 2, .owned = PartitionSet{}});
  EXPECT_EQ(gone->member_epoch, 3);
  EXPECT_EQ(assigned(gone), all_of_a);
}

TEST_F(ConsumerGroupTest, LeavingFreesThePartitions) {
  join("m1");
  join("m2");
  const auto left = beat({.member = "m1", .epoch = -1});
  EXPECT_EQ(left->member_epoch, -1);
  const auto rest = beat({.member = "m2", .epoch = 2});
  EXPECT_EQ(assigned(rest), all_of_a);
  beat({.member = "m2", .epoch = -1});
  EXPECT_EQ(group()->state_name(), "Empty");
  bench.fail_over(2);
  ASSERT_NE(group(), nullptr);
  EXPECT_TRUE(group()->target().empty());
}

TEST_F(ConsumerGroupTest, SessionsAndRevocationsRunOut) {
  join("m1");
  join("m2");
  bench.loop.advance(44s);
  EXPECT_EQ(beat({.member = "m2", .epoch = 2}).error(), ErrorCode::kNone);
  bench.loop.advance(2s);
  EXPECT_EQ(beat({.member = "m1", .epoch = 1}).error(), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(assigned(beat({.member = "m2", .epoch = 2})), all_of_a);
  join("m3");
  for (int i = 0; i < 13; ++i) {
    EXPECT_EQ(beat({.member = "m2", .epoch = 3, .owned = all_of_a}).error(), i < 12 ? ErrorCode::kNone : ErrorCode::kUnknownMemberId);
    beat({.member = "m3", .epoch = 4});
    bench.loop.advance(5s);
  }
}

TEST_F(ConsumerGroupTest, StaticMembers) {
  join("m1", {"a"}, "i");
  EXPECT_EQ(join("m2", {"a"}, "i").error(), ErrorCode::kUnreleasedInstanceId);
  EXPECT_EQ(beat({.member = "m2", .epoch = 1, .instance = "i"}).error(), ErrorCode::kFencedInstanceId);
  EXPECT_EQ(beat({.member = "m1", .epoch = 1, .instance = "j"}).error(), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(beat({.member = "m1", .epoch = -2, .instance = "i"})->member_epoch, -2);
  const auto back = join("m2", {"a"}, "i");
  ASSERT_EQ(back.error(), ErrorCode::kNone);
  EXPECT_EQ(back->member_epoch, 1);  // No rebalance.
  EXPECT_EQ(assigned(back), all_of_a);
  EXPECT_EQ(group()->members().size(), 1u);
  EXPECT_EQ(beat({.member = "m1", .epoch = 1, .instance = "i"}).error(), ErrorCode::kFencedInstanceId);
  bench.fail_over(2);
  EXPECT_EQ(beat({.member = "m2", .epoch = 1, .instance = "i"}).error(), ErrorCode::kNone);
}

TEST_F(ConsumerGroupTest, CommitsAndFetchesNeedTheEpoch) {
  join("m1");
  const auto commit = [&](int32_t epoch, std::string member = "m1", int16_t version = 9) {
    return bench.commit({.member = member, .generation = epoch, .topic = "a", .offset = 7, .version = version});
  };
  EXPECT_EQ(commit(1), ErrorCode::kNone);
  EXPECT_EQ(commit(1, "m1", 8), ErrorCode::kUnsupportedVersion);
  EXPECT_EQ(commit(1, "x"), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(commit(2), ErrorCode::kStaleMemberEpoch);
  EXPECT_EQ(commit(-1, ""), ErrorCode::kUnknownMemberId);
  set_topics({{"a", 5}});
  beat({.member = "m1", .epoch = 1, .owned = all_of_a});
  EXPECT_EQ(commit(1), ErrorCode::kNone);  // Partition 0 was its own in epoch 1 already.
  EXPECT_EQ(bench.commit({.member = "m1", .generation = 1, .topic = "a", .partition = 4, .version = 9}), ErrorCode::kStaleMemberEpoch);
  const auto fetch = [&](std::string member, int32_t epoch) {
    protocol::OffsetFetchRequest r;
    auto& asked = r.groups.emplace_back();
    asked.group_id = "g";
    asked.member_id = protocol::Text(member);
    asked.member_epoch = epoch;
    asked.topics.reset();
    return error_from_wire(bench.call(&GroupCoordinator::offset_fetch, 9, r)->groups[0].error_code);
  };
  EXPECT_EQ(fetch("m1", 2), ErrorCode::kNone);
  EXPECT_EQ(fetch("m1", 1), ErrorCode::kStaleMemberEpoch);
  EXPECT_EQ(fetch("x", 1), ErrorCode::kUnknownMemberId);
}

TEST_F(ConsumerGroupTest, ANameIsOneKindOfGroup) {
  join("m1");
  EXPECT_EQ(bench.join({.version = 3}).error(), ErrorCode::kInconsistentGroupProtocol);
  beat({.member = "m1", .epoch = -1});
  bench.commit({.topic = "a", .offset = 3, .version = 9});
  EXPECT_FALSE(bench.join({.version = 3}).done());  // Nobody uses it any more: it becomes a classic one.
  EXPECT_EQ(group(), nullptr);
  EXPECT_EQ(bench.fetch("a"), 3);
  EXPECT_EQ(join("m2").error(), ErrorCode::kGroupIdNotFound);
  bench.loop.advance(400s);
  ASSERT_EQ(bench.state(), "Empty");
  EXPECT_EQ(join("m2").error(), ErrorCode::kNone);
  EXPECT_EQ(bench.group(), nullptr);
  bench.fail_over(2);
  EXPECT_EQ(bench.group(), nullptr);
  ASSERT_NE(group(), nullptr);
  EXPECT_EQ(group()->members().size(), 1u);
  EXPECT_EQ(bench.fetch("a"), 3);
}

TEST_F(ConsumerGroupTest, IsListedDescribedAndDeleted) {
  join("m1", {"a", "b"});
  protocol::ListGroupsRequest list;
  list.types_filter.emplace_back("consumer");
  const auto listed = bench.call(&GroupCoordinator::list_groups, 5, list);
  ASSERT_EQ(listed->groups.size(), 1u);
  EXPECT_EQ(listed->groups[0].group_state.str(), "Stable");
  EXPECT_EQ(listed->groups[0].protocol_type.str(), "consumer");
  protocol::ConsumerGroupDescribeRequest describe;
  describe.group_ids.emplace_back("g");
  describe.group_ids.emplace_back("none");
  const auto described = bench.call(&GroupCoordinator::consumer_group_describe, 1, describe);
  ASSERT_EQ(described->groups.size(), 2u);
  const auto& g = described->groups[0];
  EXPECT_EQ(g.group_epoch, 1);
  EXPECT_EQ(g.assignment_epoch, 1);
  EXPECT_EQ(g.assignor_name.str(), "uniform");
  ASSERT_EQ(g.members.size(), 1u);
  EXPECT_EQ(g.members[0].assignment.topic_partitions.size(), 2u);
  EXPECT_EQ(g.members[0].assignment.topic_partitions[0].topic_name.str(), "a");
  EXPECT_EQ(g.members[0].target_assignment.topic_partitions.size(), 2u);
  EXPECT_EQ(g.members[0].member_type, 1);
  EXPECT_EQ(described->groups[1].error_code, 69);
  protocol::DeleteGroupsRequest removal;
  removal.groups_names.emplace_back("g");
  EXPECT_EQ(bench.call(&GroupCoordinator::delete_groups, 2, removal)->results[0].error_code, 68);
  beat({.member = "m1", .epoch = -1});
  EXPECT_EQ(bench.call(&GroupCoordinator::delete_groups, 2, removal)->results[0].error_code, 0);
  EXPECT_EQ(group(), nullptr);
  bench.fail_over(2);
  EXPECT_EQ(group(), nullptr);
}

// Clients that do what they are told, with members coming and going, topics growing and coordinators failing: no partition is ever
// used by two, and when things calm down each has exactly one owner.
class Crowd : public ConsumerGroupTest {
 protected:
  struct Client {
    int32_t epoch = 0;
    bool joined = false;
    PartitionSet owned;
  };
  void tick(const std::string& id, Client& client) {
    const bool full = !client.joined;
    if (full) client.owned.clear();
    const auto answer = full ? join(id, {"a", "b"}) : beat({.member = id, .epoch = client.epoch, .owned = client.owned});
    if (answer.error() != ErrorCode::kNone) {
      client = {};
      return;
    }
    client.joined = true;
    client.epoch = answer->member_epoch;
    if (answer->assignment) client.owned = assigned(answer);
    std::map<std::pair<Uuid, int>, std::string> users;
    for (const auto& [other_id, other] : clients) {
      for (const auto& [topic, partitions] : other.owned) {
        for (const int partition : partitions) {
          const auto [at, first] = users.emplace(std::pair(topic, partition), other_id);
          ASSERT_TRUE(first) << at->second << " and " << other_id << " both use partition " << partition;
        }
      }
    }
  }
  std::map<std::string, Client> clients;
};

TEST_F(Crowd, NeverSharesAPartitionAndSettles) {
  io::Random random(11);
  int partitions = 4;
  LeaderEpoch leader = 1;
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < 30; ++i) {
      const std::string id = "m" + std::to_string(random.below(6));
      switch (random.below(12)) {
        case 0:
          if (clients.contains(id) && clients[id].joined) beat({.member = id, .epoch = -1});
          clients.erase(id);
          break;
        case 1:
          if (random.one_in(4)) set_topics({{"a", ++partitions}, {"b", 2}});
          break;
        case 2:
          if (random.one_in(4)) bench.fail_over(++leader);
          break;
        default:
          tick(id, clients[id]);
      }
      if (HasFatalFailure()) return;
    }
    for (int i = 0; i < 20; ++i) {
      for (auto& [id, client] : clients) tick(id, client);
      if (HasFatalFailure()) return;
    }
    size_t used = 0;
    for (const auto& [id, client] : clients) {
      for (const auto& [topic, set] : client.owned) used += set.size();
    }
    ASSERT_EQ(used, clients.empty() ? 0 : static_cast<size_t>(partitions) + 2) << "round " << round;
    if (!clients.empty()) ASSERT_EQ(group()->state_name(), "Stable");
  }
}

}  // namespace
}  // namespace samsa::coordinator
