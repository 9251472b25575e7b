// Controller: AlterPartition, elections, reassignments, directories.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/log.h"
#include "metadata/controller.h"
#include "metadata/controller_support.h"
#include "metadata/features.h"
#include "metadata/record.h"
#include "metadata/replay.h"
#include "metadata/topic_name.h"
#include "protocol/api/alter_partition.h"
#include "protocol/api/alter_partition_reassignments.h"
#include "protocol/api/assign_replicas_to_dirs.h"
#include "protocol/api/elect_leaders.h"
#include "protocol/api/list_partition_reassignments.h"

namespace samsa::metadata {

namespace {

using protocol::Text;

bool has(const std::vector<int32_t>& list, int32_t id) { return std::find(list.begin(), list.end(), id) != list.end(); }

template <class Item>
void set_error(Item& item, const Error& error) {
  item.error_code = protocol::to_wire(error.code);
  item.error_message = Text(error.text());
}

// What a PartitionChangeRecord makes of the partition, without changing anything.
PartitionImage after_change(const PartitionImage& before, Bytes framed) {
  PartitionImage after = before;
  (void)visit_record(framed, [&](const auto& record) -> Result<void> {
    if constexpr (std::is_same_v<std::decay_t<decltype(record)>, protocol::PartitionChangeRecord>) apply_change(after, record);
    return {};
  });
  return after;
}

struct WantedIsr {
  std::vector<int32_t> brokers;
  std::vector<int64_t> epochs;  // Parallel; -1: not given.
};

// The checks of AlterPartition, in Kafka's order.
ErrorCode check_alter(const MetadataImage& image, int32_t sender, const AlterPartitionRequest::PartitionData& data, const PartitionImage* partition,
                      const WantedIsr& wanted) {
  if (partition == nullptr) return ErrorCode::kUnknownTopicOrPartition;
  if (data.leader_epoch > partition->leader_epoch || data.partition_epoch > partition->partition_epoch) return ErrorCode::kNotController;
  if (data.leader_epoch < partition->leader_epoch) return ErrorCode::kFencedLeaderEpoch;
  if (sender != partition->leader) return ErrorCode::kInvalidRequest;
  if (data.partition_epoch < partition->partition_epoch) return ErrorCode::kInvalidUpdateVersion;
  const std::set<int32_t> unique(wanted.brokers.begin(), wanted.brokers.end());
  if (unique.size() != wanted.brokers.size() || !unique.contains(partition->leader)) return ErrorCode::kInvalidRequest;
  for (const int32_t id : wanted.brokers) {
    if (!has(partition->replicas, id)) return ErrorCode::kInvalidRequest;
  }
  const auto recovery = static_cast<LeaderRecovery>(data.leader_recovery_state);
  if (recovery != LeaderRecovery::kRecovered && recovery != LeaderRecovery::kRecovering) return ErrorCode::kInvalidRequest;
  if (recovery == LeaderRecovery::kRecovering && wanted.brokers.size() > 1) return ErrorCode::kInvalidRequest;
  if (recovery == LeaderRecovery::kRecovering && partition->recovery == LeaderRecovery::kRecovered) return ErrorCode::kInvalidRequest;
  for (size_t i = 0; i < wanted.brokers.size(); ++i) {
    const BrokerImage* broker = image.broker(wanted.brokers[i]);
    if (broker == nullptr || !broker->active()) return ErrorCode::kIneligibleReplica;
    if (wanted.epochs[i] != -1 && wanted.epochs[i] != broker->epoch) return ErrorCode::kIneligibleReplica;
  }
  return ErrorCode::kNone;
}

WantedIsr wanted_isr(const AlterPartitionRequest::PartitionData& data, int16_t version) {
  WantedIsr wanted;
  if (version < 3) {
    wanted.brokers = data.new_isr;
    wanted.epochs.assign(wanted.brokers.size(), -1);
    return wanted;
  }
  for (const auto& state : data.new_isr_with_epochs) {
    wanted.brokers.push_back(state.broker_id);
    wanted.epochs.push_back(state.broker_epoch);
  }
  return wanted;
}

}  // namespace

Result<Decision<AlterPartitionResponse>> Controller::alter_partition(const AlterPartitionRequest& request, int16_t version,
                                                                     const CallContext& context) const {
  const BrokerImage* sender = image_.broker(request.broker_id);
  if (sender == nullptr || sender->epoch != request.broker_epoch) return fail(ErrorCode::kStaleBrokerEpoch);
  Decision<AlterPartitionResponse> decision;
  decision.atomic = false;
  for (const auto& topic : request.topics) {
    auto& topic_result = decision.response.topics.emplace_back();
    topic_result.topic_id = topic.topic_id;
    const TopicImage* found = image_.topic(topic.topic_id);
    for (const auto& data : topic.partitions) {
      auto& result = topic_result.partitions.emplace_back();
      result.partition_index = data.partition_index;
      if (found == nullptr) {
        result.error_code = protocol::to_wire(ErrorCode::kUnknownTopicId);
        continue;
      }
      const PartitionImage* partition = found->partition(data.partition_index);
      const WantedIsr wanted = wanted_isr(data, version);
      if (const ErrorCode error = check_alter(image_, request.broker_id, data, partition, wanted); error != ErrorCode::kNone) {
        result.error_code = protocol::to_wire(error);
        continue;
      }
      auto builder = change_builder(image_, configs_, *found, data.partition_index, *partition, [&](int32_t id) { return broker_active(image_, id); });
      if (unclean_election_allowed(image_, configs_, found->name)) builder.set_election(Election::kUnclean);
      builder.set_target_isr(wanted.brokers).set_target_recovery(static_cast<LeaderRecovery>(data.leader_recovery_state));
      PartitionImage after = *partition;
      if (auto record = builder.build()) {
        after = after_change(*partition, *record);
        decision.records.push_back(std::move(*record));
        if (after.leader != request.broker_id && after.leader_epoch != partition->leader_epoch) {
          // The change was made and completed a reassignment that took the leadership away.
          result.error_code = protocol::to_wire(ErrorCode::kNewLeaderElected);
          continue;
        }
      }
      result.leader_id = after.leader;
      result.leader_epoch = after.leader_epoch;
      result.isr = after.isr;
      result.leader_recovery_state = static_cast<int8_t>(after.recovery);
      result.partition_epoch = after.partition_epoch;
    }
  }
  return decision;
}

// ---- Elections

namespace {
Result<std::optional<Buffer>> elect_one(const MetadataImage& image, const ConfigValidator& configs, const TopicImage* topic, std::string_view name,
                                        PartitionIndex index, bool unclean) {
  if (topic == nullptr) return fail(ErrorCode::kUnknownTopicOrPartition, fmt::format("No such topic as {}", name));
  const PartitionImage* partition = topic->partition(index);
  if (partition == nullptr) return fail(ErrorCode::kUnknownTopicOrPartition, fmt::format("No such partition as {}-{}", name, index));
  const bool fine = unclean ? partition->leader != kNoLeader : partition->leader == partition->preferred_leader();
  if (fine) return fail(ErrorCode::kElectionNotNeeded);
  auto builder = change_builder(image, configs, *topic, index, *partition, [&](int32_t id) { return broker_active(image, id); });
  builder.set_election(unclean ? Election::kUnclean : Election::kPreferred);
  auto record = builder.build();
  if (!record) return fail(unclean ? ErrorCode::kEligibleLeadersNotAvailable : ErrorCode::kPreferredLeaderNotAvailable);
  const PartitionImage after = after_change(*partition, *record);
  if (!unclean && after.leader != partition->preferred_leader()) return fail(ErrorCode::kPreferredLeaderNotAvailable);
  return std::optional<Buffer>(std::move(*record));
}
}  // namespace

Decision<ElectLeadersResponse> Controller::elect_leaders(const ElectLeadersRequest& request, const CallContext& context) const {
  Decision<ElectLeadersResponse> decision;
  decision.atomic = false;
  if (request.election_type != 0 && request.election_type != 1) {
    decision.response.error_code = protocol::to_wire(ErrorCode::kInvalidRequest);
    return decision;
  }
  const bool unclean = request.election_type == 1;
  const auto elect = [&](ElectLeadersResponse::ReplicaElectionResult& to, const TopicImage* topic, PartitionIndex index, bool explicit_one) {
    auto elected = elect_one(image_, configs_, topic, to.topic.view(), index, unclean);
    if (!elected && !explicit_one && elected.error().code == ErrorCode::kElectionNotNeeded) return;
    auto& result = to.partition_result.emplace_back();
    result.partition_id = index;
    result.error_message = std::nullopt;
    if (!elected) return set_error(result, elected.error());
    if (*elected) decision.records.push_back(std::move(**elected));
  };
  if (request.topic_partitions) {
    for (const auto& topic : *request.topic_partitions) {
      auto& to = decision.response.replica_election_results.emplace_back();
      to.topic = topic.topic.str();
      for (const int32_t index : topic.partitions) elect(to, image_.topic(topic.topic.view()), index, true);
    }
    return decision;
  }
  image_.topics.for_each([&](const std::string& name, const TopicImage& topic) {
    ElectLeadersResponse::ReplicaElectionResult to;
    to.topic = name;
    topic.partitions.for_each([&](PartitionIndex index, const PartitionImage&) { elect(to, &topic, index, false); });
    if (!to.partition_result.empty()) decision.response.replica_election_results.push_back(std::move(to));
  });
  return decision;
}

std::vector<Buffer> Controller::balance_leaders(size_t limit) const {
  std::vector<Buffer> records;
  image_.topics.for_each([&](const std::string&, const TopicImage& topic) {
    topic.partitions.for_each([&](PartitionIndex index, const PartitionImage& p) {
      if (p.leader == p.preferred_leader() || !p.in_isr(p.preferred_leader())) return true;
      auto elected = elect_one(image_, configs_, &topic, topic.name, index, false);
      if (elected && *elected) records.push_back(std::move(**elected));
      return records.size() < limit;
    });
    return records.size() < limit;
  });
  return records;
}

std::vector<Buffer> Controller::elect_unclean(size_t limit) const {
  std::vector<Buffer> records;
  image_.topics.for_each([&](const std::string&, const TopicImage& topic) {
    std::optional<bool> allowed;
    topic.partitions.for_each([&](PartitionIndex index, const PartitionImage& p) {
      if (p.leader != kNoLeader) return true;
      if (!allowed) allowed = unclean_election_allowed(image_, configs_, topic.name);
      if (!*allowed) return false;
      auto elected = elect_one(image_, configs_, &topic, topic.name, index, true);
      if (elected && *elected) records.push_back(std::move(**elected));
      return records.size() < limit;
    });
    return records.size() < limit;
  });
  return records;
}

// ---- Reassignment (KIP-455)

namespace {

std::vector<int32_t> without(const std::vector<int32_t>& list, const std::vector<int32_t>& gone) {
  std::vector<int32_t> left;
  for (const int32_t id : list) {
    if (!has(gone, id)) left.push_back(id);
  }
  return left;
}
std::vector<int32_t> sorted(std::vector<int32_t> list) {
  std::sort(list.begin(), list.end());
  return list;
}

// Back to the replicas from before the reassignment.
Result<std::optional<Buffer>> cancel_reassignment(const MetadataImage& image, const ConfigValidator& configs, const TopicImage& topic,
                                                  PartitionIndex index, const PartitionImage& p) {
  if (!p.reassigning()) return fail(ErrorCode::kNoReassignmentInProgress);
  const auto original = without(p.replicas, p.adding);
  auto isr = without(p.isr, p.adding);
  const bool unclean = unclean_election_allowed(image, configs, topic.name);
  if (isr.empty()) {
    const bool live = std::any_of(original.begin(), original.end(), [&](int32_t id) { return broker_active(image, id); });
    if (!unclean || !live) {
      return fail(ErrorCode::kInvalidReplicaAssignment,
                  fmt::format("Unable to revert partition assignment for {}:{} because it would require an unclean leader election.", topic.name, index));
    }
  }
  auto builder = change_builder(image, configs, topic, index, p, [&](int32_t id) { return broker_active(image, id); });
  if (unclean) builder.set_election(Election::kUnclean);
  builder.set_target_isr(std::move(isr)).set_target_replicas(original).set_target_removing({}).set_target_adding({});
  return builder.build();
}

Result<std::optional<Buffer>> change_reassignment(const MetadataImage& image, const ConfigValidator& configs, const TopicImage& topic,
                                                  PartitionIndex index, const PartitionImage& p, const std::vector<int32_t>& target,
                                                  bool factor_may_change) {
  TRY(check_manual_assignment(image, target, 0));
  const auto current = without(p.replicas, p.adding);
  if (!factor_may_change && target.size() != current.size()) {
    return fail(ErrorCode::kInvalidReplicationFactor,
                fmt::format("The replication factor is changed from {} to {}", current.size(), target.size()));
  }
  const auto removing = sorted(without(current, target));
  const auto adding = sorted(without(target, current));
  std::vector<int32_t> replicas = target;
  replicas.insert(replicas.end(), removing.begin(), removing.end());
  auto builder = change_builder(image, configs, topic, index, p, [&](int32_t id) { return broker_active(image, id); });
  if (unclean_election_allowed(image, configs, topic.name)) builder.set_election(Election::kUnclean);
  // Members of an earlier reassignment that is overtaken leave the ISR with their replicas.
  std::vector<int32_t> isr;
  for (const int32_t id : p.isr) {
    if (has(replicas, id)) isr.push_back(id);
  }
  if (isr.empty()) {
    return fail(ErrorCode::kInvalidReplicaAssignment,
                fmt::format("Unable to change the assignment of {}:{}: no replica of the new one is in sync.", topic.name, index));
  }
  builder.set_target_isr(std::move(isr)).set_target_replicas(std::move(replicas)).set_target_removing(removing).set_target_adding(adding);
  return builder.build();
}

}  // namespace

Decision<AlterPartitionReassignmentsResponse> Controller::alter_reassignments(const AlterPartitionReassignmentsRequest& request,
                                                                              const CallContext& context) const {
  Decision<AlterPartitionReassignmentsResponse> decision;
  decision.response.error_message = std::nullopt;
  for (const auto& topic : request.topics) {
    auto& to = decision.response.responses.emplace_back();
    to.name = topic.name.str();
    const TopicImage* found = image_.topic(topic.name.view());
    for (const auto& wanted : topic.partitions) {
      auto& result = to.partitions.emplace_back();
      result.partition_index = wanted.partition_index;
      result.error_message = std::nullopt;
      const PartitionImage* partition = found == nullptr ? nullptr : found->partition(wanted.partition_index);
      if (partition == nullptr) {
        set_error(result, {ErrorCode::kUnknownTopicOrPartition,
                           found == nullptr ? fmt::format("Unable to find a topic named {}.", topic.name.view())
                                            : fmt::format("Unable to find partition {}:{}.", topic.name.view(), wanted.partition_index)});
        continue;
      }
      auto record = wanted.replicas
                        ? change_reassignment(image_, configs_, *found, wanted.partition_index, *partition, *wanted.replicas,
                                              request.allow_replication_factor_change)
                        : cancel_reassignment(image_, configs_, *found, wanted.partition_index, *partition);
      if (!record) {
        set_error(result, record.error());
      } else if (*record) {
        decision.records.push_back(std::move(**record));
      }
    }
  }
  return decision;
}

ListPartitionReassignmentsResponse Controller::list_reassignments(const ListPartitionReassignmentsRequest& request) const {
  ListPartitionReassignmentsResponse response;
  response.error_message = std::nullopt;
  const auto list = [&](const TopicImage& topic, const std::vector<int32_t>* only) {
    ListPartitionReassignmentsResponse::OngoingTopicReassignment to;
    to.name = topic.name;
    topic.partitions.for_each([&](PartitionIndex index, const PartitionImage& p) {
      if (!p.reassigning() || (only != nullptr && !has(*only, index))) return;
      auto& entry = to.partitions.emplace_back();
      entry.partition_index = index;
      entry.replicas = p.replicas;
      entry.adding_replicas = p.adding;
      entry.removing_replicas = p.removing;
    });
    if (!to.partitions.empty()) response.topics.push_back(std::move(to));
  };
  if (!request.topics) {
    image_.topics.for_each([&](const std::string&, const TopicImage& topic) { list(topic, nullptr); });
    return response;
  }
  for (const auto& wanted : *request.topics) {
    if (const TopicImage* topic = image_.topic(wanted.name.view())) list(*topic, &wanted.partition_indexes);
  }
  return response;
}

// ---- Directories (KIP-858)

Result<Decision<AssignReplicasToDirsResponse>> Controller::assign_directories(const AssignReplicasToDirsRequest& request,
                                                                              const CallContext& context) const {
  const BrokerImage* broker = image_.broker(request.broker_id);
  if (broker == nullptr || broker->epoch != request.broker_epoch) return fail(ErrorCode::kStaleBrokerEpoch);
  if (image_.metadata_version() < kMvDirectories) {
    return fail(ErrorCode::kUnsupportedVersion, "Directory assignment is not supported yet.");
  }
  Decision<AssignReplicasToDirsResponse> decision;
  decision.atomic = false;
  for (const auto& directory : request.directories) {
    auto& to = decision.response.directories.emplace_back();
    to.id = directory.id;
    const bool online = std::find(broker->log_dirs.begin(), broker->log_dirs.end(), directory.id) != broker->log_dirs.end();
    for (const auto& topic : directory.topics) {
      auto& topic_result = to.topics.emplace_back();
      topic_result.topic_id = topic.topic_id;
      const TopicImage* found = image_.topic(topic.topic_id);
      for (const auto& wanted : topic.partitions) {
        auto& result = topic_result.partitions.emplace_back();
        result.partition_index = wanted.partition_index;
        const PartitionImage* p = found == nullptr ? nullptr : found->partition(wanted.partition_index);
        if (p == nullptr) {
          result.error_code = protocol::to_wire(found == nullptr ? ErrorCode::kUnknownTopicId : ErrorCode::kUnknownTopicOrPartition);
          continue;
        }
        if (!p->has_replica(broker->id)) {
          result.error_code = protocol::to_wire(ErrorCode::kNotLeaderOrFollower);
          continue;
        }
        PartitionImage placed = *p;
        placed.directories.resize(p->replicas.size(), kUnassignedDirectory);
        for (size_t i = 0; i < p->replicas.size(); ++i) {
          if (p->replicas[i] == broker->id) placed.directories[i] = directory.id;
        }
        auto builder = change_builder(image_, configs_, *found, wanted.partition_index, *p, [&](int32_t id) { return broker_active(image_, id); }, &placed);
        builder.set_directory(broker->id, directory.id);
        // A directory that is not online any more takes its replica out of the ISR.
        if (!online && p->in_isr(broker->id)) {
          std::vector<int32_t> isr = p->isr;
          std::erase(isr, broker->id);
          builder.set_target_isr(std::move(isr));
        }
        if (auto record = builder.build()) decision.records.push_back(std::move(*record));
      }
    }
  }
  return decision;
}

}  // namespace samsa::metadata
