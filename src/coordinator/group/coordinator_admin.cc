// GroupCoordinator: ListGroups, DescribeGroups, DeleteGroups.
#include <algorithm>
#include <set>

#include "coordinator/group/coordinator.h"
#include "coordinator/group/machine.h"

namespace samsa::coordinator {
namespace {

using Listed = std::vector<protocol::ListGroupsResponse::ListedGroup>;
using Described = protocol::DescribeGroupsResponse::DescribedGroup;
using Deleted = std::vector<protocol::DeleteGroupsResponse::DeletableGroupResult>;

int16_t wire(ErrorCode code) { return static_cast<int16_t>(code); }

template <class Texts>
std::vector<std::string> lowered(const Texts& texts) {
  std::vector<std::string> result;
  for (const auto& text : texts) {
    std::string word(text.view());
    for (char& c : word) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    result.push_back(std::move(word));
  }
  return result;
}

}  // namespace

// On the shard that leads the partitions.
struct GroupCoordinator::Admin {
  static io::Task<Result<Listed>> list_here(GroupCoordinator& self, const std::vector<std::string>& states,
                                            const std::vector<std::string>& types) {
    Listed listed;
    for (const auto& [index, led] : self.led_) {
      const auto active = led.partition->check_active();
      if (!active && active.error().code == ErrorCode::kNotCoordinator) continue;
      if (!active) co_return fail(active.error());
      std::ranges::move(led.partition->machine().list(states, types), std::back_inserter(listed));
    }
    co_return listed;
  }

  static io::Task<Result<Described>> describe_here(GroupCoordinator& self, PartitionIndex partition, std::string_view group,
                                                   int16_t api_version) {
    CO_TRY_ASSIGN(const auto runtime, self.led(partition));
    CO_TRY(runtime->check_active());
    co_return runtime->machine().describe(group, api_version);
  }

  static io::Task<Result<Deleted>> delete_here(GroupCoordinator& self, PartitionIndex partition, const std::vector<std::string>& groups) {
    CO_TRY_ASSIGN(const auto runtime, self.led(partition));
    co_return co_await Partition::write(
        runtime, [&](GroupMachine& machine, Now) -> Result<Decision<Deleted>> { return machine.delete_groups(groups); });
  }
};

io::Task<protocol::ListGroupsResponse> GroupCoordinator::list_groups(RequestInfo info, const protocol::ListGroupsRequest& request) {
  const auto states = lowered(request.states_filter);
  const auto types = lowered(request.types_filter);
  protocol::ListGroupsResponse response;
  for (GroupCoordinator* shard : all_) {
    // The partitions led there; one that still loads makes the list incomplete, which the client must know.
    auto listed = co_await io::call_on(loop_, shard->loop_, [&] { return Admin::list_here(*shard, states, types); });
    if (!listed) {
      protocol::ListGroupsResponse failed;
      failed.error_code = wire(listed.error().code);
      co_return failed;
    }
    std::ranges::move(*listed, std::back_inserter(response.groups));
  }
  std::erase_if(response.groups, [&](const auto& group) { return !info.scope.group_allowed(group.group_id); });
  co_return response;
}

io::Task<protocol::DescribeGroupsResponse> GroupCoordinator::describe_groups(RequestInfo info,
                                                                             const protocol::DescribeGroupsRequest& request) {
  protocol::DescribeGroupsResponse response;
  for (const auto& id : request.groups) {
    const auto home = home_of(id, true);
    Result<Described> described = fail(ErrorCode::kGroupAuthorizationFailed);
    if (info.scope.group_allowed(id)) {
      described = fail(home ? ErrorCode::kNone : home.error().code);
      if (home) {
        described = co_await io::call_on(loop_, home->owner->loop_,
                                         [&] { return Admin::describe_here(*home->owner, home->partition, id, info.api_version); });
      }
    }
    if (!described) {
      auto& failed = response.groups.emplace_back();
      failed.group_id = id.str();
      failed.error_code = wire(described.error().code);
      continue;
    }
    if (request.include_authorized_operations && described->error_code == 0) {
      described->authorized_operations = info.scope.group_operations(id);
    }
    response.groups.push_back(std::move(*described));
  }
  co_return response;
}

io::Task<protocol::DeleteGroupsResponse> GroupCoordinator::delete_groups(RequestInfo info, const protocol::DeleteGroupsRequest& request) {
  protocol::DeleteGroupsResponse response;
  const auto refuse = [&](const std::string& id, ErrorCode code) {
    auto& result = response.results.emplace_back();
    result.group_id = id;
    result.error_code = wire(code);
  };
  std::map<PartitionIndex, std::vector<std::string>> by_partition;
  std::set<std::string> seen;
  for (const auto& name : request.groups_names) {
    const std::string id = name.str();
    if (!seen.insert(id).second) continue;
    const auto home = home_of(id, true);
    if (!info.scope.group_allowed(id)) {
      refuse(id, ErrorCode::kGroupAuthorizationFailed);
    } else if (!home) {
      refuse(id, home.error().code);
    } else {
      by_partition[home->partition].push_back(id);
    }
  }
  for (const auto& [partition, ids] : by_partition) {
    GroupCoordinator* owner = all_[static_cast<size_t>(shard_of_(partition))];
    const PartitionIndex index = partition;
    const auto& names = ids;
    auto deleted = co_await io::call_on(loop_, owner->loop_, [&] { return Admin::delete_here(*owner, index, names); });
    if (deleted) {
      std::ranges::move(*deleted, std::back_inserter(response.results));
      continue;
    }
    for (const auto& id : ids) refuse(id, deleted.error().code);
  }
  co_return response;
}

}  // namespace samsa::coordinator
