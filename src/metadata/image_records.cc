// An image as records: what a snapshot holds. Order as Kafka has it: features first, then what others refer to.
#include "metadata/features.h"
#include "metadata/record.h"
#include "metadata/replay.h"

namespace samsa::metadata {

namespace {

using protocol::Text;

constexpr size_t kBatchRecords = 1024;

class Writer {
 public:
  explicit Writer(const std::function<Result<void>(std::span<const Buffer>)>& emit) : emit_(emit) {}
  template <class M>
  void add(const M& message, int16_t version = 0) {
    auto record = try_encode(message, version);
    if (!record) {
      if (state_) state_ = fail(std::move(record).error());
      return;
    }
    batch_.push_back(std::move(*record));
    if (batch_.size() >= kBatchRecords) flush();
  }
  Result<void> finish() {
    flush();
    return state_;
  }

 private:
  void flush() {
    if (!batch_.empty() && state_) state_ = emit_(batch_);
    batch_.clear();
  }
  const std::function<Result<void>(std::span<const Buffer>)>& emit_;
  std::vector<Buffer> batch_;
  Result<void> state_;
};

template <class List>
void put_endpoints(List& to, const std::vector<Endpoint>& from) {
  for (const auto& e : from) {
    auto& added = to.emplace_back();
    added.name = e.listener;
    added.host = e.host;
    added.port = e.port;
    added.security_protocol = e.security_protocol;
  }
}
template <class List>
void put_features(List& to, const std::map<std::string, FeatureRange, std::less<>>& from) {
  for (const auto& [name, range] : from) {
    auto& added = to.emplace_back();
    added.name = name;
    added.min_supported_version = range.min;
    added.max_supported_version = range.max;
  }
}

void write_features(const MetadataImage& image, Writer& to) {
  const auto write = [&](std::string_view name, int16_t level) {
    protocol::FeatureLevelRecord record;
    record.name = Text(name);
    record.feature_level = level;
    to.add(record);
  };
  if (image.feature(kMetadataVersion) > 0) write(kMetadataVersion, image.metadata_version());
  image.features.for_each([&](const std::string& name, int16_t level) {
    if (name != kMetadataVersion) write(name, level);
  });
}

void write_cluster(const MetadataImage& image, Writer& to) {
  const int16_t mv = image.metadata_version();
  image.brokers.for_each([&](int32_t id, const BrokerImage& broker) {
    protocol::RegisterBrokerRecord record;
    record.broker_id = id;
    record.incarnation_id = broker.incarnation;
    record.broker_epoch = broker.epoch;
    put_endpoints(record.end_points, broker.endpoints);
    put_features(record.features, broker.features);
    record.rack = broker.rack ? protocol::NullableText(Text(*broker.rack)) : std::nullopt;
    record.fenced = broker.fenced;
    record.in_controlled_shutdown = broker.in_controlled_shutdown;
    if (mv >= kMvDirectories) record.log_dirs = broker.log_dirs;
    if (mv >= kMvCordoned && !broker.cordoned_log_dirs.empty()) record.cordoned_log_dirs = broker.cordoned_log_dirs;
    to.add(record, mv >= kMvCordoned ? 4 : mv >= kMvDirectories ? 3 : mv >= kMvControlledShutdownRecord ? 2 : 1);
  });
  if (mv < kMvControllerRegistration) return;
  image.controllers.for_each([&](int32_t id, const ControllerImage& controller) {
    protocol::RegisterControllerRecord record;
    record.controller_id = id;
    record.incarnation_id = controller.incarnation;
    record.zk_migration_ready = controller.zk_migration_ready;
    put_endpoints(record.end_points, controller.endpoints);
    put_features(record.features, controller.features);
    to.add(record);
  });
}

void write_topics(const MetadataImage& image, Writer& to) {
  const int16_t mv = image.metadata_version();
  image.topics_by_id.for_each([&](const Uuid& id, const TopicImage& topic) {
    protocol::TopicRecord record;
    record.name = topic.name;
    record.topic_id = id;
    to.add(record);
    topic.partitions.for_each([&](PartitionIndex index, const PartitionImage& p) {
      protocol::PartitionRecord part;
      part.partition_id = index;
      part.topic_id = id;
      part.replicas = p.replicas;
      part.isr = p.isr;
      part.removing_replicas = p.removing;
      part.adding_replicas = p.adding;
      part.leader = p.leader;
      part.leader_recovery_state = static_cast<int8_t>(p.recovery);
      part.leader_epoch = p.leader_epoch;
      part.partition_epoch = p.partition_epoch;
      if (mv >= kMvDirectories) part.directories = p.directories;
      if (mv >= kMvElr && !p.elr.empty()) part.eligible_leader_replicas = p.elr;
      if (mv >= kMvElr && !p.last_known_elr.empty()) part.last_known_elr = p.last_known_elr;
      to.add(part, mv >= kMvElr ? 2 : mv >= kMvDirectories ? 1 : 0);
    });
  });
}

void write_configs(const MetadataImage& image, Writer& to) {
  image.configs.for_each([&](const ConfigResource& resource, const ConfigMap& map) {
    for (const auto& [key, value] : map) {
      protocol::ConfigRecord record;
      record.resource_type = static_cast<int8_t>(resource.type);
      record.resource_name = resource.name;
      record.name = key;
      record.value = Text(value);
      to.add(record);
    }
  });
  image.quotas.for_each([&](const QuotaEntity& entity, const QuotaMap& map) {
    for (const auto& [key, value] : map) {
      protocol::ClientQuotaRecord record;
      for (const auto& [type, name] : entity.parts) {
        auto& part = record.entity.emplace_back();
        part.entity_type = type;
        part.entity_name = name ? protocol::NullableText(Text(*name)) : std::nullopt;
      }
      record.key = key;
      record.value = value;
      to.add(record);
    }
  });
}

void write_security(const MetadataImage& image, Writer& to) {
  const int16_t mv = image.metadata_version();
  image.acls.for_each([&](const Uuid& id, const AclImage& acl) {
    protocol::AccessControlEntryRecord record;
    record.id = id;
    record.resource_type = acl.resource_type;
    record.resource_name = acl.resource_name;
    record.pattern_type = acl.pattern_type;
    record.principal = acl.principal;
    record.host = acl.host;
    record.operation = acl.operation;
    record.permission_type = acl.permission;
    to.add(record);
  });
  if (mv >= kMvScram) {
    image.scram.for_each([&](const ScramKey& key, const ScramCredential& credential) {
      protocol::UserScramCredentialRecord record;
      record.name = key.first;
      record.mechanism = static_cast<int8_t>(key.second);
      record.salt = protocol::Blob(credential.salt);
      record.stored_key = protocol::Blob(credential.stored_key);
      record.server_key = protocol::Blob(credential.server_key);
      record.iterations = credential.iterations;
      to.add(record);
    });
  }
  if (mv >= kMvTokens) {
    image.tokens.for_each([&](const std::string& id, const DelegationTokenImage& token) {
      protocol::DelegationTokenRecord record;
      record.owner = token.owner;
      record.requester = token.requester;
      for (const auto& renewer : token.renewers) record.renewers.emplace_back(renewer);
      record.issue_timestamp = token.issued_ms;
      record.max_timestamp = token.max_ms;
      record.expiration_timestamp = token.expires_ms;
      record.token_id = id;
      to.add(record);
    });
  }
}

}  // namespace

Result<void> image_to_records(const MetadataImage& image, const std::function<Result<void>(std::span<const Buffer>)>& emit) {
  Writer writer(emit);
  write_features(image, writer);
  write_cluster(image, writer);
  write_topics(image, writer);
  write_configs(image, writer);
  if (image.next_producer_id > 0) {
    protocol::ProducerIdsRecord record;
    record.broker_id = -1;
    record.broker_epoch = -1;
    record.next_producer_id = image.next_producer_id;
    writer.add(record);
  }
  write_security(image, writer);
  return writer.finish();
}

}  // namespace samsa::metadata
