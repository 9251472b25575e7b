// Settings that change while the cluster runs: their layers, what DescribeConfigs says of them, and what AlterConfigs,
// IncrementalAlterConfigs and CreateTopics may write.
//
// A topic's value is the topic's own, else that of its broker synonym: this broker's dynamic one, the cluster-wide dynamic one, the
// static one of server.properties, the default. A broker setting has the same layers without the first. Pure; any thread.
// KIP-133, KIP-226, KIP-339.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/server_config.h"
#include "config/settings.h"

namespace samsa::config {

// Where a value comes from; the numbers are DescribeConfigs' config_source.
enum class Source : int8_t {
  kUnknown = 0,
  kTopic = 1,
  kDynamicBroker = 2,
  kDynamicDefaultBroker = 3,
  kStaticBroker = 4,
  kDefault = 5,
  kBrokerLogger = 6,
  kClientMetrics = 7,
  kGroup = 8,
};

// The layers above the defaults; a null pointer is an empty layer. All must outlive the call.
struct Layers {
  const Properties* own = nullptr;              // The topic's, group's or client-metrics subscription's own values.
  const Properties* broker = nullptr;           // Dynamic, of this broker.
  const Properties* cluster = nullptr;          // Dynamic, cluster-wide default.
  const Properties* server = nullptr;           // ServerConfig::given().
};

struct Synonym {
  std::string name;
  std::optional<std::string> value;  // Nothing for sensitive ones.
  Source source = Source::kDefault;
};

struct Described {
  std::string name;
  std::optional<std::string> value;  // Nothing: null or sensitive.
  Source source = Source::kDefault;
  bool read_only = false;
  bool sensitive = false;
  SettingType type = SettingType::kUnknown;
  std::string_view doc;
  std::vector<Synonym> synonyms;
};

// The effective text of a setting: first layer that has it, else the default. Nothing for null.
std::optional<std::string> effective_text(Kind kind, std::string_view name, const Layers& layers);
// The same, parsed. Values in the layers were checked when they were written; one that is wrong all the same counts as not there.
Value effective_value(Kind kind, std::string_view name, const Layers& layers);
// All effective values of a topic by name (null ones left out): what storage builds a LogConfig from.
Properties effective_topic(const Layers& layers);

// What DescribeConfigs answers. `names` nothing or empty: all (internal ones only where a topic has them); names that do not exist are left out.
std::vector<Described> describe_topic(const Layers& layers, const std::optional<std::vector<std::string>>& names);
std::vector<Described> describe_group(const Layers& layers, const std::optional<std::vector<std::string>>& names);
std::vector<Described> describe_client_metrics(const Layers& layers, const std::optional<std::vector<std::string>>& names);
std::vector<Described> describe_broker(const Layers& layers, const std::optional<std::vector<std::string>>& names);
// The cluster-wide default broker resource (empty name): only what is set there.
std::vector<Described> describe_cluster(const Layers& layers, const std::optional<std::vector<std::string>>& names);

// The numbers of IncrementalAlterConfigs.
enum class AlterOp : int8_t { kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3 };
struct Alter {
  std::string name;
  AlterOp op = AlterOp::kSet;
  std::optional<std::string> value;
};
// The resource's values after the operations, on top of `current`; APPEND and SUBTRACT start from the current or the default value.
// Does not check the result: see check_*.
// Errors: INVALID_REQUEST (null value with SET, APPEND or SUBTRACT, name twice, unknown operation), INVALID_CONFIG (APPEND or SUBTRACT
// on what is no LIST; a value beyond 32767 bytes).
Result<Properties> apply_alters(Kind kind, const Properties& current, const std::vector<Alter>& alters, const Layers& layers = {});

// Whether a resource may have these values. Errors: INVALID_CONFIG with Kafka's words.
Result<void> check_topic(const Properties& values, const ServerConfig& server);
Result<void> check_group(const Properties& values, const ServerConfig& server);
Result<void> check_client_metrics(std::string_view name, const Properties& values);
// Dynamic broker values: `per_broker` for one broker's, else the cluster-wide ones.
// Errors: INVALID_REQUEST for settings that cannot change (there) and for wrong values, as Kafka has it.
Result<void> check_broker(const Properties& values, bool per_broker, const ServerConfig& server);

}  // namespace samsa::config
