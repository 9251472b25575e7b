// Controller: configurations, producer ids, feature levels.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "metadata/controller.h"
#include "metadata/controller_support.h"
#include "metadata/features.h"
#include "metadata/record.h"
#include "protocol/api/allocate_producer_ids.h"
#include "protocol/api/alter_configs.h"
#include "protocol/api/incremental_alter_configs.h"
#include "protocol/api/update_features.h"

namespace samsa::metadata {

namespace {

using protocol::Text;

constexpr int64_t kProducerIdBlock = 1000;

bool known_type(int8_t type) {
  switch (static_cast<ConfigType>(type)) {
    case ConfigType::kTopic:
    case ConfigType::kBroker:
    case ConfigType::kClientMetrics:
    case ConfigType::kGroup: return true;
    case ConfigType::kBrokerLogger: return false;
  }
  return false;
}

// Whether the resource exists, as far as that can be said.
Result<void> check_exists(const MetadataImage& image, const ConfigResource& resource) {
  if (resource.type == ConfigType::kTopic && image.topic(resource.name) == nullptr) {
    return fail(ErrorCode::kUnknownTopicOrPartition, fmt::format("The topic '{}' does not exist.", resource.name));
  }
  if (resource.type == ConfigType::kBroker && !resource.name.empty()) {
    const bool number = std::all_of(resource.name.begin(), resource.name.end(), [](char c) { return c >= '0' && c <= '9'; }) && resource.name.size() < 10;
    if (!number) return fail(ErrorCode::kInvalidRequest, fmt::format("Invalid broker name {}", resource.name));
    const int32_t id = std::stoi(resource.name);
    if (image.broker(id) == nullptr && !image.controllers.contains(id)) {
      return fail(ErrorCode::kBrokerIdNotRegistered, fmt::format("No node with id {} found.", id));
    }
  }
  return {};
}

// With eligible leader replicas min.insync.replicas belongs to the cluster.
Result<void> check_min_isr_rule(const MetadataImage& image, const ConfigResource& resource, std::string_view key, bool removed) {
  if (!elr_enabled(image) || resource.type != ConfigType::kBroker || key != "min.insync.replicas") return {};
  if (!resource.name.empty()) return fail(ErrorCode::kInvalidConfig, "Broker-level min.insync.replicas cannot be altered while ELR is enabled.");
  if (removed) return fail(ErrorCode::kInvalidConfig, "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.");
  return {};
}

// The records of one resource's change, with the ClearElr that a change of min.insync.replicas brings along.
class ResourceChange {
 public:
  ResourceChange(const MetadataImage& image, const ConfigValidator& configs, ConfigResource resource)
      : image_(image), configs_(configs), resource_(std::move(resource)), proposed_(image.config(resource_.type, resource_.name)) {}

  Result<void> put(std::string_view key, std::optional<std::string> next) {
    // A record's string is at most 32,767 bytes long.
    constexpr size_t kLongest = INT16_MAX;
    if (key.size() > kLongest || (next && next->size() > kLongest)) {
      return fail(ErrorCode::kInvalidConfig, fmt::format("{} or its value is longer than {} bytes.", key.substr(0, 100), kLongest));
    }
    TRY(check_min_isr_rule(image_, resource_, key, !next));
    const ConfigMap& now = image_.config(resource_.type, resource_.name);
    const auto current = now.find(key);
    const bool same = current == now.end() ? !next.has_value() : next.has_value() && *next == current->second;
    if (next) {
      proposed_.insert_or_assign(std::string(key), *next);
    } else if (const auto it = proposed_.find(key); it != proposed_.end()) {
      proposed_.erase(it);
    }
    // A broker's record is written even when nothing changes: it makes the broker load its key stores again.
    if (same && resource_.type != ConfigType::kBroker) return {};
    protocol::ConfigRecord record;
    record.resource_type = static_cast<int8_t>(resource_.type);
    record.resource_name = resource_.name;
    record.name = Text(key);
    record.value = std::nullopt;
    if (next) record.value = Text(*next);
    TRY_ASSIGN(records_.emplace_back(), try_encode(record));
    min_isr_changed_ = min_isr_changed_ || key == "min.insync.replicas";
    return {};
  }

  Result<std::vector<Buffer>> finish() {
    TRY(check_exists(image_, resource_));
    TRY(configs_.validate(resource_, image_.config(resource_.type, resource_.name), proposed_));
    const bool concerns_isr = resource_.type == ConfigType::kTopic || resource_.type == ConfigType::kBroker;
    if (min_isr_changed_ && concerns_isr && elr_enabled(image_)) {
      protocol::ClearElrRecord clear;
      if (resource_.type == ConfigType::kTopic) clear.topic_name = resource_.name;
      TRY_ASSIGN(records_.emplace_back(), try_encode(clear));
    }
    return std::move(records_);
  }

 private:
  const MetadataImage& image_;
  const ConfigValidator& configs_;
  ConfigResource resource_;
  ConfigMap proposed_;
  std::vector<Buffer> records_;
  bool min_isr_changed_ = false;
};

Result<std::vector<Buffer>> change_incrementally(const MetadataImage& image, const ConfigValidator& configs,
                                                 const IncrementalAlterConfigsRequest::AlterConfigsResource& resource) {
  const ConfigResource key{static_cast<ConfigType>(resource.resource_type), resource.resource_name.str()};
  std::vector<config::Alter> alters;
  for (const auto& config : resource.configs) {
    auto& alter = alters.emplace_back(config::Alter{config.name.str(), static_cast<config::AlterOp>(config.config_operation), {}});
    if (config.value) alter.value = config.value->str();
  }
  TRY_ASSIGN(const ConfigMap values, configs.altered(image, key.type, image.config(key.type, key.name), alters));
  ResourceChange change(image, configs, key);
  for (const auto& alter : alters) {
    const auto value = values.find(alter.name);
    TRY(change.put(alter.name, value == values.end() ? std::nullopt : std::optional(value->second)));
  }
  return change.finish();
}

Result<std::vector<Buffer>> replace_all(const MetadataImage& image, const ConfigValidator& configs,
                                        const AlterConfigsRequest::AlterConfigsResource& resource) {
  const ConfigResource key{static_cast<ConfigType>(resource.resource_type), resource.resource_name.str()};
  ResourceChange change(image, configs, key);
  std::set<std::string, std::less<>> named;
  for (const auto& config : resource.configs) {
    if (!config.value) return fail(ErrorCode::kInvalidRequest, fmt::format("Null value not supported for : {}", config.name.view()));
    if (!named.insert(config.name.str()).second) return fail(ErrorCode::kInvalidRequest, "Error due to duplicate config keys");
    TRY(change.put(config.name.view(), config.value->str()));
  }
  for (const auto& [name, value] : image.config(key.type, key.name)) {
    if (!named.contains(name)) TRY(change.put(name, std::nullopt));
  }
  return change.finish();
}

// Both alter requests: per resource a result; a resource named twice is refused each time.
template <class Request, class Response, class Change>
Decision<Response> alter(const Request& request, Change change) {
  Decision<Response> decision;
  std::map<std::pair<int8_t, std::string_view>, int> seen;
  for (const auto& r : request.resources) ++seen[{r.resource_type, r.resource_name.view()}];
  for (const auto& r : request.resources) {
    auto& result = decision.response.responses.emplace_back();
    result.resource_type = r.resource_type;
    result.resource_name = r.resource_name.str();
    result.error_message = std::nullopt;
    Result<std::vector<Buffer>> records = std::vector<Buffer>{};
    if (seen[{r.resource_type, r.resource_name.view()}] > 1) {
      records = fail(ErrorCode::kInvalidRequest, "Each resource must appear at most once.");
    } else if (!known_type(r.resource_type)) {
      records = fail(ErrorCode::kInvalidRequest, fmt::format("Unexpected resource type {}.", r.resource_type));
    } else {
      records = change(r);
    }
    if (!records) {
      result.error_code = protocol::to_wire(records.error().code);
      result.error_message = Text(records.error().text());
      continue;
    }
    for (auto& record : *records) decision.records.push_back(std::move(record));
  }
  if (request.validate_only) decision.records.clear();
  return decision;
}

}  // namespace

Decision<IncrementalAlterConfigsResponse> Controller::incremental_alter_configs(const IncrementalAlterConfigsRequest& request,
                                                                                const CallContext& context) const {
  return alter<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>(
      request, [&](const auto& resource) { return change_incrementally(image_, configs_, resource); });
}

Decision<AlterConfigsResponse> Controller::alter_configs(const AlterConfigsRequest& request, const CallContext& context) const {
  return alter<AlterConfigsRequest, AlterConfigsResponse>(request, [&](const auto& resource) { return replace_all(image_, configs_, resource); });
}

Result<Decision<AllocateProducerIdsResponse>> Controller::allocate_producer_ids(const AllocateProducerIdsRequest& request,
                                                                                const CallContext& context) const {
  const BrokerImage* broker = image_.broker(request.broker_id);
  if (broker == nullptr || broker->epoch != request.broker_epoch) return fail(ErrorCode::kStaleBrokerEpoch);
  const int64_t first = image_.next_producer_id;
  if (first > INT64_MAX - kProducerIdBlock) return fail(ErrorCode::kUnknownServerError, "Exhausted all producer IDs.");
  protocol::ProducerIdsRecord record;
  record.broker_id = request.broker_id;
  record.broker_epoch = request.broker_epoch;
  record.next_producer_id = first + kProducerIdBlock;
  Decision<AllocateProducerIdsResponse> decision;
  decision.records.push_back(encode(record));
  decision.response.producer_id_start = first;
  decision.response.producer_id_len = static_cast<int32_t>(kProducerIdBlock);
  return decision;
}

namespace {

enum class UpgradeType : int8_t { kUpgrade = 1, kSafeDowngrade = 2, kUnsafeDowngrade = 3 };

Result<void> check_supported(const MetadataImage& image, const ControllerSettings& settings, std::string_view name, int16_t level) {
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorCode::kInvalidUpdateVersion, fmt::format("Invalid update version {} for feature {}. {}", level, name, why));
  };
  const auto own = settings.supported_features.find(name);
  if (own == settings.supported_features.end()) return refuse(fmt::format("Local controller {} does not support this feature.", settings.node_id));
  const auto fits = [&](const FeatureRange& r) { return (level == 0 && r.min == 0) || (level >= r.min && level <= r.max); };
  if (!fits(own->second)) {
    return refuse(fmt::format("Local controller {} only supports versions {}-{}", settings.node_id, own->second.min, own->second.max));
  }
  Result<void> checked;
  const auto check = [&](std::string_view what, int32_t id, const auto& features) {
    if (!checked) return;
    const auto range = features.find(name);
    if (range == features.end()) {
      if (level != 0) checked = refuse(fmt::format("{} {} does not support this feature.", what, id));
    } else if (!fits(range->second)) {
      checked = refuse(fmt::format("{} {} only supports versions {}-{}", what, id, range->second.min, range->second.max));
    }
  };
  image.brokers.for_each([&](int32_t id, const BrokerImage& b) { check("Broker", id, b.features); });
  image.controllers.for_each([&](int32_t id, const ControllerImage& c) { check("Controller", id, c.features); });
  return checked;
}

// Whether records change their format somewhere in (low, high].
bool format_changes_between(int16_t low, int16_t high) {
  constexpr int16_t kChanges[] = {8, 11, 13, 14, 15, 17, 23, 30};
  return std::any_of(std::begin(kChanges), std::end(kChanges), [&](int16_t at) { return at > low && at <= high; });
}

Result<void> check_update(const MetadataImage& image, const ControllerSettings& settings, std::string_view name, int16_t level, UpgradeType type) {
  const auto refuse = [&](std::string text) {
    return fail(ErrorCode::kInvalidUpdateVersion, fmt::format("Invalid update version {} for feature {}. {}", level, name, text));
  };
  if (level < 0) return refuse("A feature version cannot be less than 0.");
  const int16_t now = name == kMetadataVersion ? image.metadata_version() : image.feature(name);
  TRY(check_supported(image, settings, name, level));
  if (level < now && type == UpgradeType::kUpgrade) return refuse("Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.");
  if (level > now && type != UpgradeType::kUpgrade) return refuse("Can't downgrade to a newer version.");
  if (name == kMetadataVersion && level < now) {
    if (format_changes_between(level, now)) {
      return fail(ErrorCode::kInvalidUpdateVersion,
                  fmt::format("Unsupported metadata.version downgrade from {} to {}. {}", now, level,
                              type == UpgradeType::kSafeDowngrade ? "Refusing to perform the requested downgrade because it might delete metadata information."
                                                                  : "Unsafe metadata downgrade is not supported in this version."));
    }
  }
  return {};
}

}  // namespace

Decision<UpdateFeaturesResponse> Controller::update_features(const UpdateFeaturesRequest& request, int16_t version, const CallContext& context) const {
  Decision<UpdateFeaturesResponse> decision;
  decision.response.error_message = std::nullopt;
  std::optional<Error> first;
  std::set<std::string_view> seen;
  int16_t mv = image_.metadata_version();
  for (const auto& update : request.feature_updates) {
    if (update.feature.view() == kMetadataVersion) mv = update.max_version_level;
  }
  for (const auto& update : request.feature_updates) {
    const auto type = version == 0 ? (update.allow_downgrade ? UpgradeType::kSafeDowngrade : UpgradeType::kUpgrade) : static_cast<UpgradeType>(update.upgrade_type);
    Result<void> checked;
    if (!seen.insert(update.feature.view()).second) {
      checked = fail(ErrorCode::kInvalidRequest, "Each feature may be named once.");
    } else if (type < UpgradeType::kUpgrade || type > UpgradeType::kUnsafeDowngrade) {
      checked = fail(ErrorCode::kInvalidUpdateVersion, fmt::format("Invalid update version {} for feature {}. The controller does not support the given upgrade type.",
                                                                   update.max_version_level, update.feature.view()));
    } else {
      checked = check_update(image_, settings_, update.feature.view(), update.max_version_level, type);
    }
    if (checked && update.feature.view() == "eligible.leader.replicas.version" && update.max_version_level >= 1 && mv < kMvElr) {
      checked = fail(ErrorCode::kInvalidUpdateVersion, fmt::format("eligible.leader.replicas.version could not be set to {} because it depends on metadata.version level {}",
                                                                   update.max_version_level, kMvElr));
    }
    if (!checked && !first) first = checked.error();
    if (version < 2) {
      auto& result = decision.response.results.emplace_back();
      result.feature = update.feature.str();
      result.error_message = std::nullopt;
      if (!checked) {
        result.error_code = protocol::to_wire(checked.error().code);
        result.error_message = Text(checked.error().text());
      }
    }
    const int16_t now = update.feature.view() == kMetadataVersion ? image_.metadata_version() : image_.feature(update.feature.view());
    if (!checked || now == update.max_version_level) continue;
    protocol::FeatureLevelRecord record;
    record.name = update.feature;
    record.feature_level = update.max_version_level;
    decision.records.push_back(encode(record));
  }
  if (first) {
    decision.records.clear();
    decision.response.error_code = protocol::to_wire(first->code);
    decision.response.error_message =
        Text(fmt::format("The update failed for all features since the following feature had an error: {}", first->text()));
    if (version < 2) {
      for (auto& result : decision.response.results) {
        if (result.error_code == 0) result.error_code = decision.response.error_code;
      }
    }
  }
  if (request.validate_only) decision.records.clear();
  return decision;
}

}  // namespace samsa::metadata
