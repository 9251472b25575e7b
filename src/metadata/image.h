// MetadataImage: all that the committed part of __cluster_metadata says, as an immutable value.
//
// Readers hold a `std::shared_ptr<const MetadataImage>` (ImagePtr) and may keep it on any thread for any time. A new image shares
// with the one before everything that did not change (persistent_map.h), so making and keeping images is cheap. What changed
// between two images is found by comparing them: PersistentMap::diff(before.topics_by_id, after.topics_by_id, f) and diff_topics
// below; images may be skipped on the way, the comparison still tells all.
//
// The controller's own state is the same type: the image as of the last record it appended, committed or not (controller.h).
// Numbers of brokers are wire numbers (int32_t). Formats: docs/formats, facts "Metadata record types"; KIP-500, 631, 858, 966.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "metadata/persistent_map.h"

namespace samsa::metadata {

inline constexpr int32_t kNoLeader = -1;

// A listener of a broker or controller, as it advertises it.
struct Endpoint {
  std::string listener;  // "PLAINTEXT", "CONTROLLER", ...
  std::string host;
  uint16_t port = 0;
  int16_t security_protocol = 0;  // 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
  auto operator<=>(const Endpoint&) const = default;
};

struct FeatureRange {
  int16_t min = 0;
  int16_t max = 0;
  auto operator<=>(const FeatureRange&) const = default;
};

struct BrokerImage {
  int32_t id = -1;
  int64_t epoch = -1;  // Offset of the registration; every later request of the broker carries it.
  Uuid incarnation;    // Random per process.
  std::vector<Endpoint> endpoints;
  std::map<std::string, FeatureRange, std::less<>> features;
  std::optional<std::string> rack;
  bool fenced = true;
  bool in_controlled_shutdown = false;
  std::vector<Uuid> log_dirs;           // Online directories, sorted; empty: registered before directories existed.
  std::vector<Uuid> cordoned_log_dirs;  // Get no new replicas.
  bool operator==(const BrokerImage&) const = default;

  // The endpoint of that listener, or nullptr.
  [[nodiscard]] const Endpoint* endpoint(std::string_view listener) const;
  // Whether replicas in that directory can be served. UNASSIGNED counts as online, LOST never.
  [[nodiscard]] bool directory_online(const Uuid& directory) const;
  [[nodiscard]] bool active() const { return !fenced && !in_controlled_shutdown; }
};

struct ControllerImage {
  int32_t id = -1;
  Uuid incarnation;
  bool zk_migration_ready = false;
  std::vector<Endpoint> endpoints;
  std::map<std::string, FeatureRange, std::less<>> features;
  bool operator==(const ControllerImage&) const = default;
};

enum class LeaderRecovery : int8_t { kRecovered = 0, kRecovering = 1 };

struct PartitionImage {
  std::vector<int32_t> replicas;  // In order of preference.
  std::vector<Uuid> directories;  // Parallel to replicas.
  std::vector<int32_t> isr;
  std::vector<int32_t> removing;
  std::vector<int32_t> adding;
  std::vector<int32_t> elr;             // Eligible leader replicas (KIP-966).
  std::vector<int32_t> last_known_elr;  // The last leader, kept when ISR and ELR ran empty.
  int32_t leader = kNoLeader;
  LeaderRecovery recovery = LeaderRecovery::kRecovered;
  LeaderEpoch leader_epoch = 0;
  int32_t partition_epoch = 0;
  bool operator==(const PartitionImage&) const = default;

  [[nodiscard]] bool has_replica(int32_t broker) const;
  [[nodiscard]] bool in_isr(int32_t broker) const;
  [[nodiscard]] bool reassigning() const { return !removing.empty() || !adding.empty(); }
  // The replica's directory; UNASSIGNED where it is unknown or the broker has no replica.
  [[nodiscard]] Uuid directory_of(int32_t broker) const;
  [[nodiscard]] int32_t preferred_leader() const { return replicas.empty() ? kNoLeader : replicas.front(); }
};

struct TopicImage {
  std::string name;
  Uuid id;
  PersistentMap<PartitionIndex, PartitionImage> partitions;  // Indexes 0 .. size-1.

  [[nodiscard]] const PartitionImage* partition(PartitionIndex index) const { return partitions.find(index); }
  [[nodiscard]] int32_t partition_count() const { return static_cast<int32_t>(partitions.size()); }
};

// What a configuration belongs to. Values are the wire's resource types.
enum class ConfigType : int8_t {
  kTopic = 2,
  kBroker = 4,  // Name "": the default of the whole cluster.
  kBrokerLogger = 8,
  kClientMetrics = 16,
  kGroup = 32,
};
struct ConfigResource {
  ConfigType type = ConfigType::kTopic;
  std::string name;
  auto operator<=>(const ConfigResource&) const = default;
};
inline uint64_t key_priority(const ConfigResource& key) { return key_priority(key.name) + static_cast<uint64_t>(key.type); }
// Keys that are set, with their values as the user wrote them. Never empty in an image.
using ConfigMap = std::map<std::string, std::string, std::less<>>;

// Entity of a client quota: at most one each of "user", "client-id", "ip"; no name (nullopt): the default entity.
struct QuotaEntity {
  std::map<std::string, std::optional<std::string>> parts;
  auto operator<=>(const QuotaEntity&) const = default;
};
inline uint64_t key_priority(const QuotaEntity& key) {
  uint64_t h = 7;
  for (const auto& [type, name] : key.parts) h = mix_bits(h * 31 + key_priority(type) + (name ? key_priority(*name) + 1 : 0));
  return h;
}
using QuotaMap = std::map<std::string, double, std::less<>>;  // "producer_byte_rate" -> bytes per second, ...

struct AclImage {
  Uuid id;
  int8_t resource_type = 0, pattern_type = 0, operation = 0, permission = 0;  // The wire's codes.
  std::string resource_name, principal, host;
  bool operator==(const AclImage&) const = default;
};

struct ScramCredential {
  Buffer salt, stored_key, server_key;
  int32_t iterations = 0;
  bool operator==(const ScramCredential&) const = default;
};
using ScramKey = std::pair<std::string, int32_t>;  // User; mechanism (1 SHA-256, 2 SHA-512).

struct DelegationTokenImage {
  std::string owner, requester, token_id;  // Owner and requester as "User:name".
  std::vector<std::string> renewers;
  TimestampMs issued_ms = 0, max_ms = 0, expires_ms = 0;
  bool operator==(const DelegationTokenImage&) const = default;
};

// Where the image stands in the log: it holds all records below `next_offset`.
struct Provenance {
  Offset next_offset = 0;  // Offset of the last record contained, plus one.
  LeaderEpoch epoch = 0;   // Epoch of the last record contained.
  TimestampMs timestamp_ms = -1;
  [[nodiscard]] Offset last_offset() const { return next_offset - 1; }
};

struct MetadataImage {
  Provenance provenance;
  PersistentMap<std::string, TopicImage> topics;         // By name, in order of names.
  PersistentMap<Uuid, TopicImage> topics_by_id;          // The same TopicImage objects.
  PersistentMap<int32_t, BrokerImage> brokers;           // All registered ones, fenced too.
  PersistentMap<int32_t, ControllerImage> controllers;   // As they registered.
  PersistentMap<ConfigResource, ConfigMap> configs;
  PersistentMap<std::string, int16_t> features;          // Finalized levels above 0, without kraft.version.
  PersistentMap<QuotaEntity, QuotaMap> quotas;
  PersistentMap<Uuid, AclImage> acls;
  PersistentMap<ScramKey, ScramCredential> scram;
  PersistentMap<std::string, DelegationTokenImage> tokens;
  int64_t next_producer_id = 0;

  [[nodiscard]] const TopicImage* topic(std::string_view name) const { return topics.find(name); }
  [[nodiscard]] const TopicImage* topic(const Uuid& id) const { return topics_by_id.find(id); }
  [[nodiscard]] const PartitionImage* partition(std::string_view topic, PartitionIndex index) const;
  [[nodiscard]] const PartitionImage* partition(const Uuid& topic, PartitionIndex index) const;
  [[nodiscard]] const BrokerImage* broker(int32_t id) const { return brokers.find(id); }
  // Registered and unfenced.
  [[nodiscard]] bool broker_alive(int32_t id) const;
  // The overrides of a resource; an empty map where there are none.
  [[nodiscard]] const ConfigMap& config(ConfigType type, std::string_view name) const;
  // nullptr where not set.
  [[nodiscard]] const std::string* config(ConfigType type, std::string_view name, std::string_view key) const;
  // Finalized level of a feature; 0 where it is not finalized.
  [[nodiscard]] int16_t feature(std::string_view name) const;
  // Level of "metadata.version"; 7 (3.3-IV3), the lowest there is, before any was written.
  [[nodiscard]] int16_t metadata_version() const;
  [[nodiscard]] size_t partition_count() const;
};

using ImagePtr = std::shared_ptr<const MetadataImage>;

// One topic that differs between two images. `before` null: created; `after` null: deleted. A topic that was deleted and created
// again under its name has two entries, as its ids differ. The pointers live as long as the images.
struct TopicChange {
  Uuid id;
  const TopicImage* before = nullptr;
  const TopicImage* after = nullptr;
};
// Deletions first, then the others in order of names.
std::vector<TopicChange> diff_topics(const MetadataImage& before, const MetadataImage& after);

}  // namespace samsa::metadata
