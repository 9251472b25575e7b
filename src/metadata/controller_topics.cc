// Controller: CreateTopics, DeleteTopics, CreatePartitions. Texts are those that Kafka's clients and tools print.
#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "metadata/controller.h"
#include "metadata/controller_support.h"
#include "metadata/placement.h"
#include "metadata/record.h"
#include "metadata/topic_name.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_topics.h"

namespace samsa::metadata {

namespace {

using protocol::Text;

constexpr std::string_view kTooLarge = "Unable to perform excessively large batch operation.";

template <class Item>
void set_error(Item& item, const Error& error) {
  item.error_code = protocol::to_wire(error.code);
  item.error_message = Text(error.text());
}

// What one CreateTopics request adds, topic by topic.
class TopicCreation {
 public:
  TopicCreation(const Controller& controller, const ConfigValidator& configs, const CallContext& context)
      : image_(controller.image()), settings_(controller.settings()), configs_(configs), context_(context) {}

  Result<void> create(const CreateTopicsRequest::CreatableTopic& topic, CreateTopicsResponse::CreatableTopicResult& result) {
    TRY(check_name(topic.name.view()));
    ConfigMap overrides;
    TRY_ASSIGN(overrides, check_configs(topic));
    TRY_ASSIGN(const auto assignment, assign(topic));
    const Uuid id = context_.random.uuid();
    std::vector<Buffer> records;
    protocol::TopicRecord record;
    record.name = topic.name;
    record.topic_id = id;
    TRY_ASSIGN(records.emplace_back(), try_encode(record));
    for (const auto& [key, value] : overrides) {
      protocol::ConfigRecord config;
      config.resource_type = static_cast<int8_t>(ConfigType::kTopic);
      config.resource_name = topic.name;
      config.name = key;
      config.value = Text(value);
      TRY_ASSIGN(records.emplace_back(), try_encode(config));
    }
    if (elr_enabled(image_) && overrides.contains("min.insync.replicas")) {
      protocol::ClearElrRecord clear;
      clear.topic_name = topic.name;
      TRY_ASSIGN(records.emplace_back(), try_encode(clear));
    }
    for (size_t i = 0; i < assignment.size(); ++i) {
      records.push_back(new_partition_record(image_, id, static_cast<PartitionIndex>(i), assignment[i], active_of(assignment[i])));
    }
    if (records_.size() + records.size() > static_cast<size_t>(settings_.max_records_per_operation)) {
      return fail(ErrorCode::kPolicyViolation, std::string(kTooLarge));
    }
    for (auto& r : records) records_.push_back(std::move(r));
    fill(result, id, overrides, assignment);
    return {};
  }

  std::vector<Buffer> take_records() { return std::move(records_); }

 private:
  std::vector<int32_t> active_of(const std::vector<int32_t>& replicas) const {
    std::vector<int32_t> active;
    for (const int32_t id : replicas) {
      if (broker_active(image_, id)) active.push_back(id);
    }
    return active;
  }

  Result<void> check_name(std::string_view name) {
    if (auto wrong = invalid_topic_name(name)) return fail(ErrorCode::kInvalidTopicException, "Topic name is invalid: " + *wrong);
    if (image_.topic(name) != nullptr) return fail(ErrorCode::kTopicAlreadyExists, fmt::format("Topic '{}' already exists.", name));
    if (const auto other = colliding_topic(image_, name)) {
      return fail(ErrorCode::kInvalidTopicException, fmt::format("Topic '{}' collides with existing topic: {}", name, *other));
    }
    return {};
  }

  Result<ConfigMap> check_configs(const CreateTopicsRequest::CreatableTopic& topic) {
    ConfigMap overrides;
    std::string nulls;
    for (const auto& config : topic.configs) {
      if (!config.value) {
        nulls += (nulls.empty() ? "" : ",") + config.name.str();
      } else {
        overrides[config.name.str()] = config.value->str();
      }
    }
    if (!nulls.empty()) return fail(ErrorCode::kInvalidConfig, "Null value not supported for topic configs: " + nulls);
    if (!overrides.empty()) TRY(configs_.validate({ConfigType::kTopic, topic.name.str()}, {}, overrides));
    return overrides;
  }

  Result<std::vector<std::vector<int32_t>>> assign(const CreateTopicsRequest::CreatableTopic& topic) {
    if (!topic.assignments.empty()) return assign_manually(topic);
    if (topic.replication_factor < -1 || topic.replication_factor == 0) {
      return fail(ErrorCode::kInvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.");
    }
    if (topic.num_partitions < -1 || topic.num_partitions == 0) {
      return fail(ErrorCode::kInvalidPartitions, "Number of partitions was set to an invalid non-positive value.");
    }
    const int32_t count = topic.num_partitions == -1 ? settings_.default_partitions : topic.num_partitions;
    const int16_t factor = topic.replication_factor == -1 ? settings_.default_replication_factor : topic.replication_factor;
    const auto refuse = [&](std::string_view why) {
      return fail(ErrorCode::kInvalidReplicationFactor, fmt::format("Unable to replicate the partition {} time(s): {}", factor, why));
    };
    auto placed = place_replicas(image_, count, factor, context_.random);
    if (!placed) return refuse(placed.error().text());
    for (const auto& replicas : *placed) {
      if (active_of(replicas).empty()) return refuse("All brokers are currently fenced or in controlled shutdown.");
    }
    return placed;
  }

  Result<std::vector<std::vector<int32_t>>> assign_manually(const CreateTopicsRequest::CreatableTopic& topic) {
    if (topic.replication_factor != -1) {
      return fail(ErrorCode::kInvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1.");
    }
    if (topic.num_partitions != -1) {
      return fail(ErrorCode::kInvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1.");
    }
    std::map<int32_t, std::vector<int32_t>> by_index;
    size_t factor = 0;
    for (const auto& assignment : topic.assignments) {
      if (by_index.contains(assignment.partition_index)) {
        return fail(ErrorCode::kInvalidReplicaAssignment,
                    fmt::format("Found multiple manual partition assignments for partition {}", assignment.partition_index));
      }
      TRY(check_manual_assignment(image_, assignment.broker_ids, factor));
      factor = assignment.broker_ids.size();
      if (active_of(assignment.broker_ids).empty()) {
        return fail(ErrorCode::kInvalidReplicaAssignment,
                    fmt::format("All brokers specified in the manual partition assignment for partition {} are fenced or in controlled shutdown.",
                                assignment.partition_index));
      }
      by_index[assignment.partition_index] = assignment.broker_ids;
    }
    std::vector<std::vector<int32_t>> assigned;
    for (auto& [index, replicas] : by_index) {
      if (index != static_cast<int32_t>(assigned.size())) {
        return fail(ErrorCode::kInvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence");
      }
      assigned.push_back(std::move(replicas));
    }
    return assigned;
  }

  void fill(CreateTopicsResponse::CreatableTopicResult& result, const Uuid& id, const ConfigMap& overrides,
            const std::vector<std::vector<int32_t>>& assignment) {
    result.topic_id = id;
    result.error_message = std::nullopt;
    result.num_partitions = static_cast<int32_t>(assignment.size());
    result.replication_factor = static_cast<int16_t>(assignment.front().size());
    auto& list = result.configs.emplace();
    for (const auto& config : configs_.effective_topic_configs(image_, overrides)) {
      auto& to = list.emplace_back();
      to.name = config.name;
      to.value = std::nullopt;
      if (config.value && !config.sensitive) to.value = Text(*config.value);
      to.read_only = config.read_only;
      to.config_source = config.source;
      to.is_sensitive = config.sensitive;
    }
  }

  const MetadataImage& image_;
  const ControllerSettings& settings_;
  const ConfigValidator& configs_;
  const CallContext& context_;
  std::vector<Buffer> records_;
};

// How many partitions the whole request asks for.
int64_t partitions_of(const CreateTopicsRequest& request, int32_t standard) {
  int64_t sum = 0;
  for (const auto& topic : request.topics) {
    if (!topic.assignments.empty()) sum += static_cast<int64_t>(topic.assignments.size());
    else if (topic.num_partitions == -1) sum += standard;
    else sum += std::max(0, topic.num_partitions);
  }
  return sum;
}
}  // namespace

Decision<CreateTopicsResponse> Controller::create_topics(const CreateTopicsRequest& request, const CallContext& context) const {
  Decision<CreateTopicsResponse> decision;
  std::map<std::string_view, int> names;
  for (const auto& topic : request.topics) ++names[topic.name.view()];
  TopicCreation creation(*this, configs_, context);
  const bool too_many = partitions_of(request, settings_.default_partitions) > settings_.max_records_per_operation;
  std::set<std::string_view> refused;
  std::set<std::string> normalized;  // Names that this request creates, for collisions among themselves.
  for (const auto& topic : request.topics) {
    const std::string_view name = topic.name.view();
    if (names[name] > 1 && !refused.insert(name).second) continue;
    auto& result = decision.response.topics.emplace_back();
    result.name = topic.name.str();
    Result<void> created;
    if (names[name] > 1) {
      created = fail(ErrorCode::kInvalidRequest, "Duplicate topic name.");
    } else if (name == "__cluster_metadata") {
      created = fail(ErrorCode::kTopicAuthorizationFailed, "Authorization failed.");
    } else if (too_many) {
      created = fail(ErrorCode::kPolicyViolation, "Excessively large number of partitions per request.");
    } else {
      created = creation.create(topic, result);
    }
    if (!created) {
      result = {};
      result.name = topic.name.str();
      set_error(result, created.error());
    }
  }
  if (!request.validate_only) decision.records = creation.take_records();
  return decision;
}

Decision<DeleteTopicsResponse> Controller::delete_topics(const DeleteTopicsRequest& request, const CallContext& context) const {
  Decision<DeleteTopicsResponse> decision;
  std::set<Uuid> seen;
  const auto remove = [&](const TopicImage* topic, const protocol::NullableText& name, const Uuid& id, ErrorCode missing, std::string text) {
    auto& result = decision.response.responses.emplace_back();
    if (name) result.name = Text(name->str());
    result.topic_id = id;
    if (topic == nullptr) return set_error(result, {missing, std::move(text)});
    result.name = Text(topic->name);
    result.topic_id = topic->id;
    if (!seen.insert(topic->id).second) {
      return set_error(result, {ErrorCode::kInvalidRequest, fmt::format("The provided topic name maps to an ID that was already supplied.")});
    }
    protocol::RemoveTopicRecord record;
    record.topic_id = topic->id;
    decision.records.push_back(encode(record));
  };
  const auto by_name = [&](const Text& name) { remove(image_.topic(name.view()), name, {}, ErrorCode::kUnknownTopicOrPartition, ""); };
  for (const auto& topic : request.topics) {
    if (topic.name && !topic.topic_id.is_zero()) {
      remove(nullptr, topic.name, topic.topic_id, ErrorCode::kInvalidRequest, "You may not specify both topic name and topic id.");
    } else if (topic.name) {
      by_name(*topic.name);
    } else if (topic.topic_id.is_zero()) {
      remove(nullptr, std::nullopt, topic.topic_id, ErrorCode::kInvalidRequest, "Neither topic name nor id were specified.");
    } else {
      remove(image_.topic(topic.topic_id), std::nullopt, topic.topic_id, ErrorCode::kUnknownTopicId, "");
    }
  }
  for (const auto& name : request.topic_names) by_name(name);
  return decision;
}

namespace {
Result<void> add_partitions(const MetadataImage& image, const CreatePartitionsRequest::CreatePartitionsTopic& topic, const CallContext& context,
                            std::vector<Buffer>& records) {
  const TopicImage* found = image.topic(topic.name.view());
  if (found == nullptr) return fail(ErrorCode::kUnknownTopicOrPartition);
  const int32_t have = found->partition_count();
  if (topic.count == have) return fail(ErrorCode::kInvalidPartitions, fmt::format("Topic already has {} partition(s).", have));
  if (topic.count < have) {
    return fail(ErrorCode::kInvalidPartitions, fmt::format("The topic {} currently has {} partition(s); {} would not be an increase.",
                                                           topic.name.view(), have, topic.count));
  }
  const int32_t more = topic.count - have;
  const PartitionImage* first = found->partition(0);
  if (first == nullptr) return fail(ErrorCode::kUnknownServerError, fmt::format("Invalid state: topic {} appears to have no partitions.", found->name));
  const size_t factor = first->replicas.size();
  std::vector<std::vector<int32_t>> assignment;
  if (topic.assignments) {
    if (static_cast<int32_t>(topic.assignments->size()) != more) {
      return fail(ErrorCode::kInvalidReplicaAssignment,
                  fmt::format("Attempted to add {} additional partition(s), but only {} assignment(s) were specified.", more, topic.assignments->size()));
    }
    for (const auto& a : *topic.assignments) {
      TRY(check_manual_assignment(image, a.broker_ids, factor));
      assignment.push_back(a.broker_ids);
    }
  } else {
    if (more > 10000) return fail(ErrorCode::kPolicyViolation, std::string(kTooLarge));
    TRY_ASSIGN(assignment, place_replicas(image, more, static_cast<int32_t>(factor), context.random));
  }
  for (int32_t i = 0; i < more; ++i) {
    const auto& replicas = assignment[static_cast<size_t>(i)];
    std::vector<int32_t> isr;
    for (const int32_t id : replicas) {
      if (broker_active(image, id)) isr.push_back(id);
    }
    if (isr.empty() && topic.assignments) {
      return fail(ErrorCode::kInvalidReplicaAssignment,
                  fmt::format("All brokers specified in the manual partition assignment for partition {} are fenced or in controlled shutdown.", have + i));
    }
    if (isr.empty()) {
      return fail(ErrorCode::kInvalidReplicationFactor,
                  fmt::format("Unable to replicate the partition {} time(s): All brokers are currently fenced or in controlled shutdown.", factor));
    }
    records.push_back(new_partition_record(image, found->id, have + i, replicas, isr));
  }
  return {};
}
}  // namespace

Decision<CreatePartitionsResponse> Controller::create_partitions(const CreatePartitionsRequest& request, const CallContext& context) const {
  Decision<CreatePartitionsResponse> decision;
  std::map<std::string_view, int> names;
  for (const auto& topic : request.topics) ++names[topic.name.view()];
  std::set<std::string_view> refused;
  for (const auto& topic : request.topics) {
    const std::string_view name = topic.name.view();
    if (names[name] > 1 && !refused.insert(name).second) continue;
    auto& result = decision.response.results.emplace_back();
    result.name = topic.name.str();
    std::vector<Buffer> records;
    Result<void> added;
    if (names[name] > 1) {
      added = fail(ErrorCode::kInvalidRequest, "Duplicate topic name.");
    } else {
      added = add_partitions(image_, topic, context, records);
    }
    if (added && decision.records.size() + records.size() > static_cast<size_t>(settings_.max_records_per_operation)) {
      added = fail(ErrorCode::kPolicyViolation, std::string(kTooLarge));
    }
    if (!added) {
      set_error(result, added.error());
      continue;
    }
    for (auto& record : records) decision.records.push_back(std::move(record));
  }
  if (request.validate_only) decision.records.clear();
  return decision;
}

}  // namespace samsa::metadata
