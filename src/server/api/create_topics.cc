// CreateTopics: authorize and check here, the controller decides.
#include "protocol/api/create_topics.h"

#include <set>

#include "server/api/common.h"
#include "server/controller_call.h"

namespace samsa::server {

namespace {

using Request = protocol::CreateTopicsRequest;
using Response = protocol::CreateTopicsResponse;

void refuse(Response& response, std::string_view name, ErrorCode code, std::string text) {
  auto& answer = response.topics.emplace_back();
  answer.name = name;
  answer.error_code = to_wire(code);
  answer.error_message = protocol::Text(text);
}

// Keeps in the request what may go to the controller; answers the rest.
void sift(RequestContext& context, Request& request, Response& response) {
  const bool may_create_all = context.authorized(Operation::kCreate, ResourceType::kCluster, kClusterResource);
  std::map<std::string, int> count;
  for (const auto& topic : request.topics) ++count[topic.name.str()];
  for (const auto& [name, times] : count) {
    if (times > 1) refuse(response, name, ErrorCode::kInvalidRequest, "Duplicate topic name.");
  }
  std::erase_if(request.topics, [&](const Request::CreatableTopic& topic) {
    if (count[topic.name.str()] > 1) return true;
    if (may_create_all || context.authorized(Operation::kCreate, ResourceType::kTopic, topic.name)) return false;
    refuse(response, topic.name, ErrorCode::kTopicAuthorizationFailed, "Authorization failed.");
    return true;
  });
}

}  // namespace

io::Task<> handle_create_topics(RequestContext& context, Request& request, Response& response) {
  sift(context, request, response);
  if (request.topics.empty()) co_return;
  auto answer = co_await ask_controller(context, request, &metadata::ControllerRuntime::create_topics, request.timeout_ms);
  if (!answer) {
    for (const auto& topic : request.topics) refuse(response, topic.name, answer.error().code, answer.error().text());
    co_return;
  }
  for (auto& topic : answer->topics) {
    const bool may_see = context.authorized(Operation::kDescribeConfigs, ResourceType::kTopic, topic.name);
    if (!may_see) {
      topic.configs.reset();
      topic.topic_config_error_code = to_wire(ErrorCode::kTopicAuthorizationFailed);
    }
    response.topics.push_back(std::move(topic));
  }
}

}  // namespace samsa::server
