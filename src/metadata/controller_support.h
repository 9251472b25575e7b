// What several of the controller's decisions share. For controller_*.cc.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "metadata/config_validator.h"
#include "metadata/image.h"
#include "metadata/partition_change.h"

namespace samsa::metadata {

inline bool elr_enabled(const MetadataImage& image) { return image.feature("eligible.leader.replicas.version") >= 1; }
int32_t effective_min_isr(const MetadataImage& image, const ConfigValidator& configs, std::string_view topic, size_t replicas);
bool unclean_election_allowed(const MetadataImage& image, const ConfigValidator& configs, std::string_view topic);

// Who may lead a partition: `broker_ok` and the replica's directory is online.
std::function<bool(int32_t)> leader_acceptor(const MetadataImage& image, const PartitionImage& partition, std::function<bool(int32_t)> broker_ok);
// Unfenced and not shutting down.
bool broker_active(const MetadataImage& image, int32_t broker);

// `placed`: the partition with the directories that the change gives it, where who may lead depends on these; it outlives the builder.
PartitionChangeBuilder change_builder(const MetadataImage& image, const ConfigValidator& configs, const TopicImage& topic, PartitionIndex index,
                                      const PartitionImage& partition, std::function<bool(int32_t)> broker_ok,
                                      const PartitionImage* placed = nullptr);

// The record of a new partition: leader and ISR from the active replicas; nothing is checked.
Buffer new_partition_record(const MetadataImage& image, const Uuid& topic, PartitionIndex index, const std::vector<int32_t>& replicas,
                            const std::vector<int32_t>& isr);

struct LeaderUpdates {
  int32_t remove = -1;   // Leaves ISRs and leadership (fenced, shutting down, gone).
  int32_t add = -1;      // May lead from now on (unfenced).
  int32_t unclean = -1;  // Shut down uncleanly: leaves ISRs and ELRs.
};
// Records for every partition whose leader, ISR or ELR changes by it.
void leader_updates(const MetadataImage& image, const ConfigValidator& configs, const LeaderUpdates& change, std::vector<Buffer>& records);

}  // namespace samsa::metadata
