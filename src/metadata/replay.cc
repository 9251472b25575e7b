#include "metadata/replay.h"

#include <algorithm>

#include "metadata/features.h"
#include "metadata/partition_change.h"
#include "metadata/record.h"

namespace samsa::metadata {

namespace {

using namespace protocol;  // NOLINT: the records' names.

template <class List>
std::map<std::string, FeatureRange, std::less<>> feature_ranges(const List& from) {
  std::map<std::string, FeatureRange, std::less<>> to;
  for (const auto& f : from) to[f.name.str()] = {f.min_supported_version, f.max_supported_version};
  return to;
}

template <class List>
std::vector<Endpoint> endpoints_of(const List& from) {
  std::vector<Endpoint> to;
  for (const auto& e : from) to.push_back({e.name.str(), e.host.str(), e.port, e.security_protocol});
  return to;
}

class Replayer {
 public:
  explicit Replayer(MetadataImage& image) : image_(image) {}

  Result<void> operator()(const RegisterBrokerRecord& r) {
    BrokerImage broker;
    broker.id = r.broker_id;
    broker.epoch = r.broker_epoch;
    broker.incarnation = r.incarnation_id;
    broker.endpoints = endpoints_of(r.end_points);
    broker.features = feature_ranges(r.features);
    if (r.rack) broker.rack = r.rack->str();
    broker.fenced = r.fenced;
    broker.in_controlled_shutdown = r.in_controlled_shutdown;
    broker.log_dirs = r.log_dirs;
    if (r.cordoned_log_dirs) broker.cordoned_log_dirs = *r.cordoned_log_dirs;
    image_.brokers.set(r.broker_id, std::move(broker));
    return {};
  }

  Result<void> operator()(const UnregisterBrokerRecord& r) {
    const BrokerImage* broker = image_.broker(r.broker_id);
    if (broker == nullptr || broker->epoch != r.broker_epoch) return wrong(fmt::format("broker {} with epoch {} is not registered", r.broker_id, r.broker_epoch));
    image_.brokers.erase(r.broker_id);
    return {};
  }

  Result<void> operator()(const FenceBrokerRecord& r) { return change_broker(r.id, r.epoch, [](BrokerImage& b) { b.fenced = true; }); }
  Result<void> operator()(const UnfenceBrokerRecord& r) { return change_broker(r.id, r.epoch, [](BrokerImage& b) { b.fenced = false; }); }
  Result<void> operator()(const BrokerRegistrationChangeRecord& r) {
    return change_broker(r.broker_id, r.broker_epoch, [&](BrokerImage& b) {
      if (r.fenced != 0) b.fenced = r.fenced > 0;
      if (r.in_controlled_shutdown > 0) b.in_controlled_shutdown = true;
      if (!r.log_dirs.empty()) b.log_dirs = r.log_dirs;
      if (r.cordoned_log_dirs) b.cordoned_log_dirs = *r.cordoned_log_dirs;
    });
  }

  Result<void> operator()(const RegisterControllerRecord& r) {
    image_.controllers.set(r.controller_id,
                           ControllerImage{r.controller_id, r.incarnation_id, r.zk_migration_ready, endpoints_of(r.end_points), feature_ranges(r.features)});
    return {};
  }

  Result<void> operator()(const TopicRecord& r) {
    if (image_.topic(r.topic_id) != nullptr) return wrong(fmt::format("topic id {} is there already", r.topic_id.to_string()));
    if (image_.topic(r.name.view()) != nullptr) return wrong(fmt::format("topic {} is there already", r.name.view()));
    set_topic(TopicImage{r.name.str(), r.topic_id, {}});
    return {};
  }

  Result<void> operator()(const PartitionRecord& r) {
    PartitionImage partition;
    partition.replicas = r.replicas;
    partition.directories = r.directories;
    if (partition.directories.size() != partition.replicas.size()) {
      if (!partition.directories.empty()) return wrong("directories and replicas differ in number");
      partition.directories.assign(partition.replicas.size(), kUnassignedDirectory);
    }
    partition.isr = r.isr;
    partition.removing = r.removing_replicas;
    partition.adding = r.adding_replicas;
    if (r.eligible_leader_replicas) partition.elr = *r.eligible_leader_replicas;
    if (r.last_known_elr) partition.last_known_elr = *r.last_known_elr;
    partition.leader = r.leader;
    partition.recovery = r.leader_recovery_state == 1 ? LeaderRecovery::kRecovering : LeaderRecovery::kRecovered;
    partition.leader_epoch = r.leader_epoch;
    partition.partition_epoch = r.partition_epoch;
    return change_topic(r.topic_id, [&](TopicImage& topic) -> Result<void> {
      topic.partitions.set(r.partition_id, std::move(partition));
      return {};
    });
  }

  Result<void> operator()(const PartitionChangeRecord& r) {
    return change_topic(r.topic_id, [&](TopicImage& topic) -> Result<void> {
      const PartitionImage* before = topic.partition(r.partition_id);
      if (before == nullptr) return wrong(fmt::format("{}-{} is not there", topic.name, r.partition_id));
      PartitionImage after = *before;
      apply_change(after, r);
      topic.partitions.set(r.partition_id, std::move(after));
      return {};
    });
  }

  Result<void> operator()(const RemoveTopicRecord& r) {
    const auto topic = image_.topics_by_id.find_shared(r.topic_id);
    if (!topic) return wrong(fmt::format("topic id {} is not there", r.topic_id.to_string()));
    image_.topics_by_id.erase(r.topic_id);
    image_.topics.erase(topic->name);
    image_.configs.erase({ConfigType::kTopic, topic->name});
    return {};
  }

  Result<void> operator()(const ClearElrRecord& r) {
    if (!r.topic_name.empty()) {
      const auto topic = image_.topics.find_shared(r.topic_name.view());
      if (!topic) return wrong(fmt::format("topic {} is not there", r.topic_name.view()));
      clear_elr(*topic);
      return {};
    }
    std::vector<std::shared_ptr<const TopicImage>> all;
    image_.topics.for_each([&](const std::string& name, const TopicImage&) { all.push_back(image_.topics.find_shared(name)); });
    for (const auto& topic : all) clear_elr(*topic);
    return {};
  }

  Result<void> operator()(const ConfigRecord& r) {
    const ConfigResource key{static_cast<ConfigType>(r.resource_type), r.resource_name.str()};
    ConfigMap map = image_.config(key.type, key.name);
    if (r.value) {
      map[r.name.str()] = r.value->str();
    } else {
      map.erase(r.name.str());
    }
    if (map.empty()) {
      image_.configs.erase(key);
    } else {
      image_.configs.set(key, std::move(map));
    }
    return {};
  }

  Result<void> operator()(const FeatureLevelRecord& r) {
    if (r.name.view() == kMetadataVersion && r.feature_level > kLatestMetadataVersion) {
      return fail(ErrorCode::kUnsupportedVersion,
                  fmt::format("metadata.version {} is above {} ({}), the latest that this build knows", r.feature_level, kLatestMetadataVersion,
                              metadata_version_text(kLatestMetadataVersion)));
    }
    if (r.feature_level == 0) {
      image_.features.erase(r.name.str());
    } else {
      image_.features.set(r.name.str(), r.feature_level);
    }
    return {};
  }

  Result<void> operator()(const ClientQuotaRecord& r) {
    QuotaEntity entity;
    for (const auto& part : r.entity) entity.parts[part.entity_type.str()] = part.entity_name ? std::optional(part.entity_name->str()) : std::nullopt;
    const QuotaMap* before = image_.quotas.find(entity);
    QuotaMap map = before != nullptr ? *before : QuotaMap{};
    if (r.remove) {
      map.erase(r.key.str());
    } else {
      map[r.key.str()] = r.value;
    }
    if (map.empty()) {
      image_.quotas.erase(entity);
    } else {
      image_.quotas.set(entity, std::move(map));
    }
    return {};
  }

  Result<void> operator()(const ProducerIdsRecord& r) {
    image_.next_producer_id = r.next_producer_id;
    return {};
  }

  Result<void> operator()(const AccessControlEntryRecord& r) {
    image_.acls.set(r.id, AclImage{r.id, r.resource_type, r.pattern_type, r.operation, r.permission_type, r.resource_name.str(), r.principal.str(), r.host.str()});
    return {};
  }
  Result<void> operator()(const RemoveAccessControlEntryRecord& r) {
    if (!image_.acls.erase(r.id)) return wrong(fmt::format("ACL {} is not there", r.id.to_string()));
    return {};
  }

  Result<void> operator()(const UserScramCredentialRecord& r) {
    image_.scram.set({r.name.str(), r.mechanism}, ScramCredential{r.salt.copy(), r.stored_key.copy(), r.server_key.copy(), r.iterations});
    return {};
  }
  Result<void> operator()(const RemoveUserScramCredentialRecord& r) {
    if (!image_.scram.erase({r.name.str(), r.mechanism})) return wrong(fmt::format("user {} has no such credential", r.name.view()));
    return {};
  }

  Result<void> operator()(const DelegationTokenRecord& r) {
    DelegationTokenImage token{.owner = r.owner.str(), .requester = r.requester.str(), .token_id = r.token_id.str()};
    for (const auto& renewer : r.renewers) token.renewers.push_back(renewer.str());
    token.issued_ms = r.issue_timestamp;
    token.max_ms = r.max_timestamp;
    token.expires_ms = r.expiration_timestamp;
    image_.tokens.set(r.token_id.str(), std::move(token));
    return {};
  }
  Result<void> operator()(const RemoveDelegationTokenRecord& r) {
    image_.tokens.erase(r.token_id.str());
    return {};
  }

  Result<void> operator()(const NoOpRecord&) { return {}; }
  Result<void> operator()(const ZkMigrationStateRecord&) { return {}; }
  Result<void> operator()(const BeginTransactionRecord&) { return wrong("a transaction begins within a record"); }
  Result<void> operator()(const EndTransactionRecord&) { return wrong("a transaction ends that did not begin"); }
  Result<void> operator()(const AbortTransactionRecord&) { return wrong("a transaction is aborted that did not begin"); }

 private:
  static std::unexpected<Error> wrong(std::string what) { return fail(ErrorCode::kInvalidRecord, "metadata record: " + std::move(what)); }

  template <class F>
  Result<void> change_broker(int32_t id, int64_t epoch, F change) {
    const BrokerImage* before = image_.broker(id);
    if (before == nullptr || before->epoch != epoch) return wrong(fmt::format("broker {} with epoch {} is not registered", id, epoch));
    BrokerImage after = *before;
    change(after);
    image_.brokers.set(id, std::move(after));
    return {};
  }

  void set_topic(TopicImage topic) {
    const auto shared = std::make_shared<const TopicImage>(std::move(topic));
    image_.topics.set(shared->name, shared);
    image_.topics_by_id.set(shared->id, shared);
  }

  template <class F>
  Result<void> change_topic(const Uuid& id, F change) {
    const TopicImage* before = image_.topic(id);
    if (before == nullptr) return wrong(fmt::format("topic id {} is not there", id.to_string()));
    TopicImage after = *before;
    TRY(change(after));
    set_topic(std::move(after));
    return {};
  }

  void clear_elr(const TopicImage& before) {
    TopicImage after = before;
    bool changed = false;
    before.partitions.for_each([&](PartitionIndex index, const PartitionImage& p) {
      if (p.elr.empty() && p.last_known_elr.empty()) return;
      PartitionImage cleared = p;
      cleared.elr.clear();
      cleared.last_known_elr.clear();
      after.partitions.set(index, std::move(cleared));
      changed = true;
    });
    if (changed) set_topic(std::move(after));
  }

  MetadataImage& image_;
};

}  // namespace

Result<void> replay_record(MetadataImage& image, Bytes framed) { return visit_record(framed, Replayer(image)); }

void TransactionReplay::reset(MetadataImage image) {
  committed_ = std::move(image);
  pending_ = {};
  open_ = false;
}

Result<void> TransactionReplay::replay_one(Bytes value) {
  TRY_ASSIGN(const auto head, protocol::peek_metadata_record(value));
  if (head.api_key == protocol::BeginTransactionRecord::kApiKey) {
    if (open_) return fail(ErrorCode::kInvalidRecord, "metadata transaction begins within another");
    open_ = true;
    pending_ = committed_;
    return {};
  }
  if (head.api_key == protocol::EndTransactionRecord::kApiKey || head.api_key == protocol::AbortTransactionRecord::kApiKey) {
    if (!open_) return fail(ErrorCode::kInvalidRecord, "metadata transaction ends that did not begin");
    open_ = false;
    if (head.api_key == protocol::EndTransactionRecord::kApiKey) committed_ = pending_;
    pending_ = {};
    return {};
  }
  return replay_record(open_ ? pending_ : committed_, value);
}

Result<void> TransactionReplay::replay_batch(std::span<const Bytes> values, Offset last_offset, LeaderEpoch epoch, TimestampMs append_ms) {
  for (const Bytes value : values) TRY(replay_one(value));
  if (!open_) committed_.provenance = {last_offset + 1, epoch, append_ms};
  return {};
}

}  // namespace samsa::metadata
