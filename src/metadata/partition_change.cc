#include "metadata/partition_change.h"

#include <algorithm>

#include "base/mutant.h"
#include "metadata/features.h"
#include "metadata/record.h"

namespace samsa::metadata {

namespace {

constexpr int32_t kLeaderUnchanged = -2;

bool has(const std::vector<int32_t>& list, int32_t id) { return std::find(list.begin(), list.end(), id) != list.end(); }
bool has_all(const std::vector<int32_t>& list, const std::vector<int32_t>& ids) {
  return std::all_of(ids.begin(), ids.end(), [&](int32_t id) { return has(list, id); });
}
std::vector<int32_t> without(const std::vector<int32_t>& list, const std::vector<int32_t>& gone) {
  std::vector<int32_t> left;
  for (const int32_t id : list) {
    if (!has(gone, id)) left.push_back(id);
  }
  return left;
}

}  // namespace

void apply_change(PartitionImage& partition, const protocol::PartitionChangeRecord& change) {
  if (change.replicas) {
    // Directories follow their replicas where the record does not name them.
    std::vector<Uuid> directories;
    for (const int32_t id : *change.replicas) directories.push_back(partition.directory_of(id));
    partition.replicas = *change.replicas;
    partition.directories = std::move(directories);
  }
  if (change.directories) partition.directories = *change.directories;
  if (change.isr) partition.isr = *change.isr;
  if (change.removing_replicas) partition.removing = *change.removing_replicas;
  if (change.adding_replicas) partition.adding = *change.adding_replicas;
  if (change.eligible_leader_replicas) partition.elr = *change.eligible_leader_replicas;
  if (change.last_known_elr) partition.last_known_elr = *change.last_known_elr;
  if (change.leader_recovery_state >= 0) partition.recovery = change.leader_recovery_state == 1 ? LeaderRecovery::kRecovering : LeaderRecovery::kRecovered;
  if (change.leader != kLeaderUnchanged) {
    partition.leader = change.leader;
    if (!SAMSA_MUTANT("same-epoch")) ++partition.leader_epoch;
  }
  ++partition.partition_epoch;
}

PartitionChangeBuilder::PartitionChangeBuilder(const PartitionImage& partition, const Uuid& topic, PartitionIndex index, Options options)
    : partition_(partition),
      topic_(topic),
      index_(index),
      options_(std::move(options)),
      target_isr_(partition.isr),
      target_replicas_(partition.replicas),
      target_removing_(partition.removing),
      target_adding_(partition.adding),
      target_elr_(partition.elr),
      target_last_known_elr_(partition.last_known_elr),
      default_directory_([](int32_t) { return kUnassignedDirectory; }),
      target_recovery_(partition.recovery),
      target_leader_(partition.leader) {}

PartitionChangeBuilder& PartitionChangeBuilder::set_directory(int32_t broker, const Uuid& directory) {
  directories_.emplace_back(broker, directory);
  return *this;
}

void PartitionChangeBuilder::complete_reassignment() {
  if (target_removing_.empty() && target_adding_.empty()) return;
  const auto isr = without(target_isr_, target_removing_);
  const auto replicas = without(target_replicas_, target_removing_);
  if (isr.empty() || replicas.empty() || !has_all(isr, target_adding_)) return;
  const bool shrinks = target_removing_.size() > target_adding_.size();
  if (shrinks && !has_all(isr, replicas)) return;
  target_isr_ = isr;
  target_replicas_ = replicas;
  target_removing_.clear();
  target_adding_.clear();
}

void PartitionChangeBuilder::update_elr() {
  if (!options_.elr) return;
  if (static_cast<int32_t>(target_isr_.size()) >= options_.min_isr) {
    target_elr_.clear();
    return;
  }
  std::vector<int32_t> candidates = target_elr_;
  for (const int32_t id : partition_.isr) {
    if (!has(candidates, id)) candidates.push_back(id);
  }
  target_elr_ = without(without(candidates, target_isr_), unclean_shutdown_);
  std::erase_if(target_elr_, [&](int32_t id) { return !has(target_replicas_, id); });
}

bool PartitionChangeBuilder::may_lead(int32_t broker) const {
  const bool eligible = SAMSA_MUTANT("elect-anyone") || has(target_isr_, broker) || (target_isr_.empty() && has(target_elr_, broker));
  return eligible && options_.acceptable(broker);
}

void PartitionChangeBuilder::elect() {
  const auto clean = [&]() -> int32_t {
    if (election_ == Election::kPreferred && !target_replicas_.empty() && may_lead(target_replicas_.front())) return target_replicas_.front();
    if (may_lead(partition_.leader)) return partition_.leader;
    for (const int32_t id : target_replicas_) {
      if (may_lead(id)) return id;
    }
    return kNoLeader;
  };
  target_leader_ = clean();
  if (target_leader_ == kNoLeader) {
    const bool last_known = options_.elr && target_elr_.empty() && target_isr_.empty() && partition_.last_known_elr.size() == 1 &&
                            options_.acceptable(partition_.last_known_elr.front());
    if (last_known) {
      target_leader_ = partition_.last_known_elr.front();
      unclean_elected_ = true;
    } else if (election_ == Election::kUnclean) {
      for (const int32_t id : target_replicas_) {
        if (!options_.acceptable(id)) continue;
        target_leader_ = id;
        unclean_elected_ = true;
        break;
      }
    }
  }
  if (target_leader_ == partition_.leader) {
    unclean_elected_ = false;
    return;
  }
  if (unclean_elected_) {
    // Only what the new leader has is kept; the loss is marked until it has recovered.
    target_isr_ = {target_leader_};
    target_recovery_ = LeaderRecovery::kRecovering;
  } else if (has(target_elr_, target_leader_)) {
    target_isr_ = {target_leader_};
    std::erase(target_elr_, target_leader_);
  }
}

std::optional<Buffer> PartitionChangeBuilder::build() {
  complete_reassignment();
  update_elr();
  elect();

  protocol::PartitionChangeRecord record;
  record.topic_id = topic_;
  record.partition_id = index_;
  bool changes = false;
  const auto note = [&](auto& field, const auto& now, const auto& before) {
    if (now == before) return;
    field = now;
    changes = true;
  };
  if (target_leader_ != partition_.leader) {
    record.leader = target_leader_;
    changes = true;
  } else if (!has_all(target_replicas_, partition_.replicas)) {
    record.leader = partition_.leader;  // Replicas left: followers must notice.
    changes = true;
  }
  if (unclean_elected_ || !options_.elr) target_elr_.clear();
  note(record.eligible_leader_replicas, target_elr_, partition_.elr);
  // Without ELR the last member of the ISR stays in it, even when it cannot lead.
  if (!target_isr_.empty() || options_.elr) note(record.isr, target_isr_, partition_.isr);
  const bool shrunk = record.isr && !has_all(*record.isr, partition_.isr);
  if (shrunk && options_.metadata_version < kMvSkipIsrEpochBump && record.leader == kLeaderUnchanged) record.leader = partition_.leader;
  if (options_.elr) {
    const bool has_leader = target_leader_ != kNoLeader;
    if (record.isr && record.isr->empty() && partition_.leader != kNoLeader) {
      note(record.last_known_elr, std::vector<int32_t>{partition_.leader}, partition_.last_known_elr);
    } else if (has_leader && !partition_.last_known_elr.empty()) {
      note(record.last_known_elr, std::vector<int32_t>{}, partition_.last_known_elr);
    }
  } else {
    note(record.last_known_elr, std::vector<int32_t>{}, partition_.last_known_elr);
  }
  if (options_.metadata_version >= kMvDirectories) {
    std::vector<Uuid> directories;
    for (const int32_t id : target_replicas_) {
      Uuid directory = partition_.has_replica(id) ? partition_.directory_of(id) : default_directory_(id);
      for (const auto& [broker, wanted] : directories_) {
        if (broker == id) directory = wanted;
      }
      directories.push_back(directory);
    }
    note(record.directories, directories, partition_.directories);
  }
  note(record.replicas, target_replicas_, partition_.replicas);
  note(record.removing_replicas, target_removing_, partition_.removing);
  note(record.adding_replicas, target_adding_, partition_.adding);
  if (target_recovery_ != partition_.recovery) {
    record.leader_recovery_state = static_cast<int8_t>(target_recovery_);
    changes = true;
  }
  if (!changes) return std::nullopt;
  const int16_t version = options_.metadata_version >= kMvElr ? 2 : options_.metadata_version >= kMvDirectories ? 1 : 0;
  return encode(record, version);
}

}  // namespace samsa::metadata
