// State is what you get by replaying the log: after any sequence of requests the next coordinator, which has only the log, knows the
// same offsets, and the same groups as far as they are persistent.
#include <gtest/gtest.h>

#include "coordinator/group/testing.h"

namespace samsa::coordinator {
namespace {

using namespace testing;

const std::vector<std::string> kGroups{"g", "h"};
const std::vector<std::string> kTopics{"a", "b", "c"};

// Offsets of all groups, and the groups that are at rest. A group in the middle of a rebalance has only its name: what it will be is
// not decided yet.
std::map<std::string, std::string> persistent_state(const GroupMachine& machine) {
  std::map<std::string, std::string> state;
  for (const auto& id : kGroups) {
    machine.offsets().for_each(id, INT64_MAX, [&](const TopicPartition& tp, const CommittedOffset& value) {
      state[id + "/" + tp.to_string()] = std::to_string(value.offset) + " " + value.metadata + " @" + std::to_string(value.record_offset) +
                                         " " + std::to_string(value.commit_timestamp);
    });
    for (const auto& topic : kTopics) {
      for (PartitionIndex p = 0; p < 3; ++p) {
        if (machine.offsets().has_pending(id, topic, p)) state[id + "/" + topic + std::to_string(p) + "/pending"] = "yes";
      }
    }
    const ClassicGroup* group = machine.find(id);
    if (!group) continue;
    std::string& text = state[id];
    if (!group->in(ClassicState::kStable) && !group->in(ClassicState::kEmpty)) continue;
    text = std::string(state_name(group->state())) + " generation " + std::to_string(group->generation()) + " leader " +
           group->leader().value_or("-") + " protocol " + group->protocol_name().value_or("-") + " type " +
           group->protocol_type().value_or("-");
    for (const auto& [member_id, member] : group->members()) {
      text += "\n " + member_id + " " + member.instance_id.value_or("-") + " " + std::to_string(member.session_timeout_ms) + " " +
              std::to_string(member.rebalance_timeout_ms) + " " +
              std::string(as_text(member.metadata(group->protocol_name().value_or("")))) + " " + std::string(as_text(member.assignment));
    }
  }
  return state;
}

// A client that mostly does the right thing, and sometimes something else.
class Chaos {
 public:
  explicit Chaos(uint64_t seed)
      : random_(seed), bench_({.initial_rebalance_delay = 100ms, .offsets_retention = 600s, .offsets_retention_check = 60s}) {}

  void step() {
    const std::string group = kGroups[random_.below(kGroups.size())];
    switch (random_.below(14)) {
      case 0:
      case 1:
        join(group);
        break;
      case 2:
      case 3:
      case 4:
        sync(group);
        break;
      case 5:
        leave(group);
        break;
      case 6:
      case 7:
        commit(group);
        break;
      case 8:
        txn_commit(group);
        break;
      case 9:
        end_transaction();
        break;
      case 10:
        bench_.loop.advance(std::chrono::milliseconds(random_.below(20'000)));
        break;
      case 11:
        heartbeats(group);
        break;
      case 12:
        remove(group);
        break;
      default:
        disturb();
        break;
    }
  }

  void check() {
    bench_.log->commit_all();
    bench_.loop.run();
    const auto before = persistent_state(bench_.groups.machine_for_test(0));
    // A group in a rebalance is known to the next coordinator as it was before; only its name is compared.
    std::set<std::string> moving;
    for (const auto& [key, value] : before) {
      if (value.empty()) moving.insert(key);
    }
    bench_.fail_over(++epoch_);
    auto after = persistent_state(bench_.groups.machine_for_test(0));
    for (auto& [key, value] : after) {
      if (moving.contains(key)) value.clear();
    }
    ASSERT_EQ(before, after);
  }

 private:
  ClassicGroup* group(const std::string& id) { return const_cast<ClassicGroup*>(bench_.group(id)); }
  std::string any_member(const std::string& id) {
    ClassicGroup* found = group(id);
    if (!found || found->members().empty()) return "nobody";
    auto at = found->members().begin();
    std::advance(at, static_cast<long>(random_.below(found->members().size())));
    return at->first;
  }
  int32_t generation(const std::string& id) { return group(id) ? group(id)->generation() : 0; }

  void join(const std::string& id) {
    Bench::Join join{.group = id, .version = static_cast<int16_t>(random_.between(2, 9))};
    join.protocols = {{"range", "m" + std::to_string(random_.below(2))}};
    if (random_.one_in(2)) join.protocols.emplace_back("sticky", "s");
    if (random_.one_in(3)) join.instance = "i" + std::to_string(random_.below(2));
    if (random_.one_in(2)) {
      join.member = any_member(id);
      if (ClassicGroup* found = group(id)) {
        if (const ClassicMember* member = found->member(join.member)) join.instance = member->instance_id;
      }
    }
    const auto answer = bench_.join(join);
    if (!answer.done() || answer.error() != ErrorCode::kMemberIdRequired) return;
    join.member = answer->member_id.str();
    bench_.join(join);
  }
  void sync(const std::string& id) {
    Bench::Sync sync{.group = id, .member = any_member(id), .generation = generation(id)};
    if (ClassicGroup* found = group(id); found && found->leader() && random_.one_in(2)) sync.member = *found->leader();
    if (ClassicGroup* found = group(id)) {
      for (const auto& [member_id, member] : found->members()) {
        if (!random_.one_in(5)) sync.assignments.emplace_back(member_id, "p" + std::to_string(random_.below(100)));
      }
    }
    bench_.sync(sync);
  }
  void leave(const std::string& id) { bench_.leave({{any_member(id), {}}}, id); }
  void commit(const std::string& id) {
    const bool simple = random_.one_in(3);
    bench_.start_commit({.group = id,
                         .member = simple ? "" : any_member(id),
                         .generation = simple ? -1 : generation(id),
                         .topic = kTopics[random_.below(3)],
                         .partition = static_cast<PartitionIndex>(random_.below(3)),
                         .offset = static_cast<Offset>(random_.below(1000)),
                         .metadata = random_.one_in(2) ? "" : "note"});
  }
  void txn_commit(const std::string& id) {
    protocol::TxnOffsetCommitRequest request;
    request.group_id = id;
    request.transactional_id = "tx";
    request.producer_id = static_cast<int64_t>(random_.below(3));
    request.producer_epoch = 0;
    auto& topic = request.topics.emplace_back();
    topic.name = kTopics[random_.below(3)];
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = static_cast<PartitionIndex>(random_.below(3));
    partition.committed_offset = static_cast<Offset>(random_.below(1000));
    bench_.call(&GroupCoordinator::txn_offset_commit, 2, request);
  }
  void end_transaction() {
    const auto complete = [](GroupCoordinator& groups, int64_t producer, bool yes) -> io::Task<> {
      co_await groups.complete_transaction(0, {producer, 0}, 1, yes);
    };
    io::spawn(bench_.loop, complete(bench_.groups, static_cast<int64_t>(random_.below(3)), random_.one_in(2)));
    bench_.loop.run();
  }
  void heartbeats(const std::string& id) {
    ClassicGroup* found = group(id);
    if (!found) return;
    std::vector<std::string> ids;
    for (const auto& [member_id, member] : found->members()) ids.push_back(member_id);
    for (const auto& member : ids) bench_.start_heartbeat(member, generation(id), {}, id);
  }
  void remove(const std::string& id) {
    if (random_.one_in(2)) {
      protocol::DeleteGroupsRequest request;
      request.groups_names.emplace_back(id);
      bench_.call(&GroupCoordinator::delete_groups, 2, request);
      return;
    }
    protocol::OffsetDeleteRequest request;
    request.group_id = id;
    auto& topic = request.topics.emplace_back();
    topic.name = kTopics[random_.below(3)];
    topic.partitions.emplace_back().partition_index = static_cast<PartitionIndex>(random_.below(3));
    bench_.call(&GroupCoordinator::offset_delete, 0, request);
  }
  void disturb() {
    switch (random_.below(4)) {
      case 0:
        // Only what is replayed is taken back whole: a group that could not write that it is empty stays ahead of its log.
        bench_.log->fail_next(ErrorCode::kNotEnoughReplicas);
        commit(kGroups[random_.below(2)]);
        bench_.log->succeed();
        break;
      case 1:
        bench_.log->hold_commits();
        break;
      case 2:
        bench_.log->commit_all();
        break;
      default:
        bench_.loop.advance(700s);
        break;
    }
    bench_.loop.run();
  }

  io::Random random_;
  Bench bench_;
  LeaderEpoch epoch_ = 1;
};

TEST(Replay, GivesTheSameState) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Chaos chaos(seed);
    for (int round = 0; round < 4; ++round) {
      for (int i = 0; i < 60; ++i) chaos.step();
      chaos.check();
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace samsa::coordinator
