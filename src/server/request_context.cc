#include "server/request_context.h"

#include "server/shard.h"

namespace samsa::server {

namespace {

// Every operation that a resource type knows, as a bit field.
int32_t all_operations(ResourceType type) {
  const auto bits = [](std::initializer_list<Operation> operations) {
    int32_t field = 0;
    for (const Operation operation : operations) field |= 1 << static_cast<int>(operation);
    return field;
  };
  using enum Operation;
  switch (type) {
    case ResourceType::kTopic: return bits({kRead, kWrite, kCreate, kDelete, kAlter, kDescribe, kDescribeConfigs, kAlterConfigs});
    case ResourceType::kGroup: return bits({kRead, kDelete, kDescribe, kDescribeConfigs, kAlterConfigs});
    case ResourceType::kCluster:
      return bits({kCreate, kAlter, kDescribe, kClusterAction, kDescribeConfigs, kAlterConfigs, kIdempotentWrite});
    case ResourceType::kTransactionalId: return bits({kWrite, kDescribe, kTwoPhaseCommit});
    case ResourceType::kDelegationToken: return bits({kDescribe});
    case ResourceType::kUser: return 0;
  }
  return 0;
}

}  // namespace

const std::shared_ptr<const Principal>& Principal::anonymous() {
  static const auto everybody = std::make_shared<const Principal>();
  return everybody;
}

// No authorizer is configured yet, so everybody may do everything; with one, this asks it for the connection's principal.
bool RequestContext::authorized(Operation, ResourceType, std::string_view) const { return true; }

int32_t RequestContext::authorized_operations(ResourceType type, std::string_view name) const {
  int32_t field = 0;
  const int32_t all = all_operations(type);
  for (int bit = 0; bit < 31; ++bit) {
    if ((all >> bit & 1) != 0 && authorized(static_cast<Operation>(bit), type, name)) field |= 1 << bit;
  }
  return field;
}

}  // namespace samsa::server
