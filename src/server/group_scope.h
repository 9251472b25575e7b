// GroupScope: what the group coordinator may ask about a request: rights, and topics as of the image. Lives for one call on the
// connection's shard.
#pragma once

#include <string>

#include "coordinator/group/coordinator.h"
#include "metadata/image.h"
#include "server/request_context.h"

namespace samsa::server {

class GroupScope final : public coordinator::RequestScope {
 public:
  // Which operation counts as allowed on the group and on topics is the API's.
  GroupScope(RequestContext& context, Operation on_group, Operation on_topic);

  [[nodiscard]] bool group_allowed(std::string_view group) const override;
  [[nodiscard]] bool topic_allowed(std::string_view topic) const override;
  [[nodiscard]] std::optional<Uuid> topic_id(std::string_view name) const override;
  [[nodiscard]] std::optional<std::string> topic_name(const Uuid& id) const override;
  [[nodiscard]] bool partition_exists(std::string_view topic, PartitionIndex partition) const override;
  [[nodiscard]] int32_t group_operations(std::string_view group) const override;

  // What the coordinator's calls take with them; refers to this scope.
  [[nodiscard]] coordinator::RequestInfo info() const;

 private:
  RequestContext& context_;
  metadata::ImagePtr image_;
  Operation on_group_;
  Operation on_topic_;
  std::string client_host_;
};

}  // namespace samsa::server
