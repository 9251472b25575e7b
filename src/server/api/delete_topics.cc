// DeleteTopics: by name or id; the controller decides. delete.topic.enable is the controllers' setting.
#include "protocol/api/delete_topics.h"

#include "server/api/common.h"
#include "server/controller_call.h"

namespace samsa::server {

namespace {

using Request = protocol::DeleteTopicsRequest;
using Response = protocol::DeleteTopicsResponse;

void refuse(Response& response, const protocol::NullableText& name, const Uuid& id, const Error& error) {
  auto& answer = response.responses.emplace_back();
  answer.name = name;
  answer.topic_id = id;
  answer.error_code = to_wire(error.code);
  answer.error_message = protocol::Text(error.text());
}

}  // namespace

io::Task<> handle_delete_topics(RequestContext& context, Request& request, Response& response) {
  // Versions below 6 have names only; from here on there is one list.
  for (auto& name : request.topic_names) request.topics.emplace_back().name = std::move(name);
  request.topic_names.clear();
  const auto& settings = context.shard.settings();
  if (settings.controller && !settings.config->flag("delete.topic.enable")) {
    // Clients before version 3 do not know the error.
    const ErrorCode code = context.version() >= 3 ? ErrorCode::kTopicDeletionDisabled : ErrorCode::kInvalidRequest;
    for (const auto& topic : request.topics) refuse(response, topic.name, topic.topic_id, {code, "Topic deletion is disabled."});
    co_return;
  }
  const auto image = context.shard.image();
  std::erase_if(request.topics, [&](const Request::DeleteTopicState& topic) {
    if (topic.name && !topic.topic_id.is_zero()) {
      refuse(response, topic.name, topic.topic_id, {ErrorCode::kInvalidRequest, "You may not specify both topic name and topic id."});
      return true;
    }
    if (!topic.name && topic.topic_id.is_zero()) {
      refuse(response, topic.name, topic.topic_id, {ErrorCode::kInvalidRequest, "Neither topic name nor id were specified."});
      return true;
    }
    const auto* known = topic.name ? image->topic(topic.name->view()) : image->topic(topic.topic_id);
    const std::string_view name = topic.name ? topic.name->view() : known != nullptr ? std::string_view(known->name) : "";
    if (name.empty() || context.authorized(Operation::kDelete, ResourceType::kTopic, name)) return false;
    refuse(response, topic.name, topic.topic_id, {ErrorCode::kTopicAuthorizationFailed, {}});
    return true;
  });
  if (request.topics.empty()) co_return;
  if (context.version() < 6) {
    // As it came: it may have to be passed on, in its own version.
    for (auto& topic : request.topics) request.topic_names.push_back(std::move(*topic.name));
    request.topics.clear();
  }
  auto answer = co_await ask_controller(context, request, &metadata::ControllerRuntime::delete_topics, request.timeout_ms);
  if (!answer) {
    for (const auto& topic : request.topics) refuse(response, topic.name, topic.topic_id, answer.error());
    for (const auto& name : request.topic_names) refuse(response, name, kZeroUuid, answer.error());
    co_return;
  }
  for (auto& result : answer->responses) response.responses.push_back(std::move(result));
}

}  // namespace samsa::server
