// kafka-consumer-groups.sh: what its parts share. consumer_groups.cc lists, describes and deletes; offset_reset.cc resets and deletes offsets.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "client/admin.h"
#include "tool/options.h"
#include "tool/tool.h"

namespace samsa::tool {

class GroupCommand {
 public:
  GroupCommand(ToolContext& context, client::Cluster& cluster, const Options& options) : context_(context), cluster_(cluster), options_(options) {}
  io::Task<Result<void>> list();
  io::Task<Result<void>> describe();
  io::Task<Result<void>> remove();
  io::Task<Result<void>> reset_offsets();
  io::Task<Result<void>> delete_offsets();

 private:
  struct Member {
    std::string id, instance_id, client_id, host;
    std::vector<TopicPartition> assignment;
  };
  struct Group {
    std::string id, state, assignor, coordinator;
    ErrorCode error = ErrorCode::kNone;
    std::string message;
    std::vector<Member> members;
  };
  struct Listing {
    std::string id, state, type;
  };
  using Offsets = std::map<TopicPartition, Offset>;

  io::Task<Result<std::vector<Listing>>> listings(std::vector<std::string> states, std::vector<std::string> types);
  io::Task<Result<std::vector<std::string>>> group_ids();
  io::Task<Result<Group>> describe_group(std::string id);
  // False: nothing more is to be printed of this group. Says what people should know of its state.
  bool say_state(const Group& group);
  io::Task<Result<void>> print_offsets(const Group& group);
  void print_members(const Group& group);
  void print_state(const Group& group);

  io::Task<Result<std::vector<TopicPartition>>> partitions_to_reset();
  io::Task<Result<Offsets>> offsets_at(std::vector<TopicPartition> partitions, int64_t timestamp);
  io::Task<Result<Offsets>> within_range(Offsets wanted);
  io::Task<Result<Offsets>> plan(std::string group, std::vector<TopicPartition> partitions);
  io::Task<Result<Offsets>> plan_from_time(std::vector<TopicPartition> partitions, int64_t timestamp);
  io::Task<Result<Offsets>> plan_from_committed(std::string group, std::vector<TopicPartition> partitions);
  Result<std::map<std::string, Offsets>> plan_file();
  // `top` is what ended the whole or is the first error of a partition; partition -1 stands for a topic as a whole.
  void print_deleted_offsets(Error top, const std::map<TopicPartition, Error>& outcomes);

  ToolContext& context_;
  client::Cluster& cluster_;
  const Options& options_;
};

}  // namespace samsa::tool
