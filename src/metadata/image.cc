#include "metadata/image.h"

#include <algorithm>

#include "metadata/features.h"

namespace samsa::metadata {

const Endpoint* BrokerImage::endpoint(std::string_view listener) const {
  for (const auto& e : endpoints) {
    if (e.listener == listener) return &e;
  }
  return nullptr;
}

bool BrokerImage::directory_online(const Uuid& directory) const {
  if (directory == kLostDirectory) return false;
  if (log_dirs.empty() || directory.is_zero() || directory == kUnassignedDirectory) return true;
  return std::find(log_dirs.begin(), log_dirs.end(), directory) != log_dirs.end();
}

namespace {
bool has(const std::vector<int32_t>& list, int32_t id) { return std::find(list.begin(), list.end(), id) != list.end(); }
}  // namespace

bool PartitionImage::has_replica(int32_t broker) const { return has(replicas, broker); }
bool PartitionImage::in_isr(int32_t broker) const { return has(isr, broker); }

Uuid PartitionImage::directory_of(int32_t broker) const {
  for (size_t i = 0; i < replicas.size() && i < directories.size(); ++i) {
    if (replicas[i] == broker) return directories[i];
  }
  return kUnassignedDirectory;
}

const PartitionImage* MetadataImage::partition(std::string_view name, PartitionIndex index) const {
  const TopicImage* found = topic(name);
  return found == nullptr ? nullptr : found->partition(index);
}
const PartitionImage* MetadataImage::partition(const Uuid& id, PartitionIndex index) const {
  const TopicImage* found = topic(id);
  return found == nullptr ? nullptr : found->partition(index);
}

bool MetadataImage::broker_alive(int32_t id) const {
  const BrokerImage* found = broker(id);
  return found != nullptr && !found->fenced;
}

namespace {
struct ConfigKeyView {
  ConfigType type;
  std::string_view name;
  friend bool operator<(const ConfigKeyView& a, const ConfigResource& b) {
    return a.type != b.type ? a.type < b.type : a.name < std::string_view(b.name);
  }
  friend bool operator<(const ConfigResource& a, const ConfigKeyView& b) {
    return a.type != b.type ? a.type < b.type : std::string_view(a.name) < b.name;
  }
};
}  // namespace

const ConfigMap& MetadataImage::config(ConfigType type, std::string_view name) const {
  static const ConfigMap kNothing;
  const ConfigMap* found = configs.find(ConfigKeyView{type, name});
  return found == nullptr ? kNothing : *found;
}

const std::string* MetadataImage::config(ConfigType type, std::string_view name, std::string_view key) const {
  const ConfigMap& all = config(type, name);
  const auto it = all.find(key);
  return it == all.end() ? nullptr : &it->second;
}

int16_t MetadataImage::feature(std::string_view name) const {
  const int16_t* level = features.find(name);
  return level == nullptr ? int16_t{0} : *level;
}

int16_t MetadataImage::metadata_version() const {
  const int16_t level = feature(kMetadataVersion);
  return level == 0 ? kMinMetadataVersion : level;
}

size_t MetadataImage::partition_count() const {
  size_t count = 0;
  topics.for_each([&](const std::string&, const TopicImage& topic) { count += topic.partitions.size(); });
  return count;
}

std::vector<TopicChange> diff_topics(const MetadataImage& before, const MetadataImage& after) {
  std::vector<TopicChange> changes;
  PersistentMap<Uuid, TopicImage>::diff(before.topics_by_id, after.topics_by_id, [&](const Uuid& id, const TopicImage* old, const TopicImage* now) {
    changes.push_back({id, old, now});
  });
  std::sort(changes.begin(), changes.end(), [](const TopicChange& a, const TopicChange& b) {
    if ((a.after == nullptr) != (b.after == nullptr)) return a.after == nullptr;
    const auto& an = a.after != nullptr ? a.after->name : a.before->name;
    const auto& bn = b.after != nullptr ? b.after->name : b.before->name;
    return an < bn;
  });
  return changes;
}

}  // namespace samsa::metadata
