// PartitionChange: how a partition's state moves from one PartitionChangeRecord to the next. Used by replay (apply_change), and by the
// controller's decisions through PartitionChangeBuilder, which works out leader, ISR, ELR and reassignment from a wished-for change
// and says whether a record is needed. Rules: facts "Elections, ELR, reassignment"; KIP-455, KIP-966.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "metadata/image.h"

namespace samsa::protocol {
struct PartitionChangeRecord;
}

namespace samsa::metadata {

// Epochs are counted here, as they are not in the record: every change raises the partition epoch, a leader in it the leader epoch.
void apply_change(PartitionImage& partition, const protocol::PartitionChangeRecord& change);

enum class Election {
  kPreferred,  // The first replica, if it may lead; else no change unless there is no leader.
  kOnline,     // Keep the leader if it may lead; else the first replica in order that may.
  kUnclean,    // As kOnline; where none may, the first live replica, and the loss is noted.
};

class PartitionChangeBuilder {
 public:
  struct Options {
    int16_t metadata_version = 0;
    bool elr = false;                   // eligible.leader.replicas.version is 1.
    int32_t min_isr = 1;                // min.insync.replicas of the topic, at most its replication factor.
    bool unclean_allowed = false;       // unclean.leader.election.enable of the topic.
    // Whether this broker may lead: unfenced, not shutting down, the replica's directory online.
    std::function<bool(int32_t)> acceptable;
  };
  PartitionChangeBuilder(const PartitionImage& partition, const Uuid& topic, PartitionIndex index, Options options);

  PartitionChangeBuilder& set_election(Election election) { election_ = election; return *this; }
  PartitionChangeBuilder& set_target_isr(std::vector<int32_t> isr) { target_isr_ = std::move(isr); return *this; }
  PartitionChangeBuilder& set_target_replicas(std::vector<int32_t> replicas) { target_replicas_ = std::move(replicas); return *this; }
  PartitionChangeBuilder& set_target_removing(std::vector<int32_t> removing) { target_removing_ = std::move(removing); return *this; }
  PartitionChangeBuilder& set_target_adding(std::vector<int32_t> adding) { target_adding_ = std::move(adding); return *this; }
  PartitionChangeBuilder& set_target_recovery(LeaderRecovery recovery) { target_recovery_ = recovery; return *this; }
  PartitionChangeBuilder& set_unclean_shutdown(std::vector<int32_t> brokers) { unclean_shutdown_ = std::move(brokers); return *this; }
  PartitionChangeBuilder& set_directory(int32_t broker, const Uuid& directory);
  // The directory that a new replica on that broker gets.
  PartitionChangeBuilder& set_default_directory(std::function<Uuid(int32_t)> of) { default_directory_ = std::move(of); return *this; }

  // The framed record, or nothing where the partition stays as it is.
  std::optional<Buffer> build();

 private:
  void complete_reassignment();
  void elect();
  void update_elr();
  [[nodiscard]] bool may_lead(int32_t broker) const;

  const PartitionImage& partition_;
  Uuid topic_;
  PartitionIndex index_;
  Options options_;
  Election election_ = Election::kOnline;
  std::vector<int32_t> target_isr_, target_replicas_, target_removing_, target_adding_, target_elr_, target_last_known_elr_, unclean_shutdown_;
  std::vector<std::pair<int32_t, Uuid>> directories_;
  std::function<Uuid(int32_t)> default_directory_;
  LeaderRecovery target_recovery_;
  int32_t target_leader_;
  bool force_leader_epoch_ = false;
  bool unclean_elected_ = false;
};

}  // namespace samsa::metadata
