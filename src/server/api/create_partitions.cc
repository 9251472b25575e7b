// CreatePartitions: more partitions for a topic; the controller decides.
#include "protocol/api/create_partitions.h"

#include <map>

#include "server/api/common.h"
#include "server/controller_call.h"

namespace samsa::server {

namespace {

using Request = protocol::CreatePartitionsRequest;
using Response = protocol::CreatePartitionsResponse;

void refuse(Response& response, std::string_view name, ErrorCode code, std::string text) {
  auto& answer = response.results.emplace_back();
  answer.name = name;
  answer.error_code = to_wire(code);
  answer.error_message = protocol::Text(text);
}

}  // namespace

io::Task<> handle_create_partitions(RequestContext& context, Request& request, Response& response) {
  std::map<std::string, int> count;
  for (const auto& topic : request.topics) ++count[topic.name.str()];
  for (const auto& [name, times] : count) {
    if (times > 1) refuse(response, name, ErrorCode::kInvalidRequest, "Duplicate topic name.");
  }
  std::erase_if(request.topics, [&](const Request::CreatePartitionsTopic& topic) {
    if (count[topic.name.str()] > 1) return true;
    if (context.authorized(Operation::kAlter, ResourceType::kTopic, topic.name)) return false;
    refuse(response, topic.name, ErrorCode::kTopicAuthorizationFailed, "The topic authorization is failed.");
    return true;
  });
  if (request.topics.empty()) co_return;
  auto answer = co_await ask_controller(context, request, &metadata::ControllerRuntime::create_partitions, request.timeout_ms);
  if (!answer) {
    for (const auto& topic : request.topics) refuse(response, topic.name, answer.error().code, answer.error().text());
    co_return;
  }
  for (auto& result : answer->results) response.results.push_back(std::move(result));
}

}  // namespace samsa::server
