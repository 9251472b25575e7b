#include "metadata/controller_support.h"

#include <algorithm>
#include <charconv>

#include "metadata/features.h"
#include "metadata/placement.h"
#include "metadata/record.h"

namespace samsa::metadata {

namespace {
std::string topic_config(const MetadataImage& image, const ConfigValidator& configs, std::string_view topic, std::string_view key) {
  if (const std::string* own = image.config(ConfigType::kTopic, topic, key)) return *own;
  return configs.default_value(image, ConfigType::kTopic, key).value_or("");
}
bool has(const std::vector<int32_t>& list, int32_t id) { return std::find(list.begin(), list.end(), id) != list.end(); }
}  // namespace

int32_t effective_min_isr(const MetadataImage& image, const ConfigValidator& configs, std::string_view topic, size_t replicas) {
  const std::string text = topic_config(image, configs, topic, "min.insync.replicas");
  int32_t value = 1;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return std::min(value, static_cast<int32_t>(replicas));
}

bool unclean_election_allowed(const MetadataImage& image, const ConfigValidator& configs, std::string_view topic) {
  return topic_config(image, configs, topic, "unclean.leader.election.enable") == "true";
}

bool broker_active(const MetadataImage& image, int32_t broker) {
  const BrokerImage* found = image.broker(broker);
  return found != nullptr && found->active();
}

std::function<bool(int32_t)> leader_acceptor(const MetadataImage& image, const PartitionImage& partition, std::function<bool(int32_t)> broker_ok) {
  return [&image, &partition, ok = std::move(broker_ok)](int32_t broker) {
    if (broker < 0 || !ok(broker)) return false;
    const BrokerImage* found = image.broker(broker);
    return found != nullptr && found->directory_online(partition.directory_of(broker));
  };
}

PartitionChangeBuilder change_builder(const MetadataImage& image, const ConfigValidator& configs, const TopicImage& topic, PartitionIndex index,
                                      const PartitionImage& partition, std::function<bool(int32_t)> broker_ok, const PartitionImage* placed) {
  PartitionChangeBuilder::Options options;
  options.metadata_version = image.metadata_version();
  options.elr = elr_enabled(image);
  if (options.elr) options.min_isr = effective_min_isr(image, configs, topic.name, partition.replicas.size());
  options.acceptable = leader_acceptor(image, placed != nullptr ? *placed : partition, std::move(broker_ok));
  PartitionChangeBuilder builder(partition, topic.id, index, std::move(options));
  builder.set_default_directory([&image](int32_t broker) { return default_directory(image, broker); });
  return builder;
}

Buffer new_partition_record(const MetadataImage& image, const Uuid& topic, PartitionIndex index, const std::vector<int32_t>& replicas,
                            const std::vector<int32_t>& isr) {
  protocol::PartitionRecord record;
  record.partition_id = index;
  record.topic_id = topic;
  record.replicas = replicas;
  record.isr = isr;
  record.leader = isr.front();
  record.leader_epoch = 0;
  record.partition_epoch = 0;
  const int16_t mv = image.metadata_version();
  if (mv >= kMvDirectories) {
    for (const int32_t id : replicas) record.directories.push_back(default_directory(image, id));
  }
  return encode(record, mv >= kMvElr ? 2 : mv >= kMvDirectories ? 1 : 0);
}

void leader_updates(const MetadataImage& image, const ConfigValidator& configs, const LeaderUpdates& change, std::vector<Buffer>& records) {
  const auto broker_ok = [&](int32_t id) {
    return id != change.remove && id != change.unclean && (id == change.add || broker_active(image, id));
  };
  image.topics.for_each([&](const std::string&, const TopicImage& topic) {
    topic.partitions.for_each([&](PartitionIndex index, const PartitionImage& p) {
      const auto concerns = [&](int32_t id) { return id >= 0 && (p.leader == id || has(p.isr, id)); };
      bool touched = concerns(change.remove) || concerns(change.unclean) || (change.unclean >= 0 && has(p.elr, change.unclean));
      if (change.add >= 0 && p.leader == kNoLeader) touched = touched || has(p.replicas, change.add);
      if (!touched) return;
      auto builder = change_builder(image, configs, topic, index, p, broker_ok);
      if (unclean_election_allowed(image, configs, topic.name)) builder.set_election(Election::kUnclean);
      if (change.unclean >= 0) builder.set_unclean_shutdown({change.unclean});
      std::vector<int32_t> isr = p.isr;
      std::erase_if(isr, [&](int32_t id) { return id == change.remove || id == change.unclean; });
      builder.set_target_isr(std::move(isr));
      if (auto record = builder.build()) records.push_back(std::move(*record));
    });
  });
}

}  // namespace samsa::metadata
