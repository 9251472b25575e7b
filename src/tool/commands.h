// The entries of the commands, one per file; tool/tools.cc lists them.
#pragma once

#include "tool/tool.h"

namespace samsa::tool {

io::Task<int> run_broker_api_versions(ToolContext& context, Arguments arguments);
io::Task<int> run_cluster(ToolContext& context, Arguments arguments);
io::Task<int> run_configs(ToolContext& context, Arguments arguments);
io::Task<int> run_console_consumer(ToolContext& context, Arguments arguments);
io::Task<int> run_console_producer(ToolContext& context, Arguments arguments);
io::Task<int> run_consumer_groups(ToolContext& context, Arguments arguments);
io::Task<int> run_delete_records(ToolContext& context, Arguments arguments);
io::Task<int> run_dump_log(ToolContext& context, Arguments arguments);
io::Task<int> run_features(ToolContext& context, Arguments arguments);
io::Task<int> run_get_offsets(ToolContext& context, Arguments arguments);
io::Task<int> run_leader_election(ToolContext& context, Arguments arguments);
io::Task<int> run_log_dirs(ToolContext& context, Arguments arguments);
io::Task<int> run_metadata_quorum(ToolContext& context, Arguments arguments);
io::Task<int> run_metadata_shell(ToolContext& context, Arguments arguments);
io::Task<int> run_reassign_partitions(ToolContext& context, Arguments arguments);
io::Task<int> run_replica_verification(ToolContext& context, Arguments arguments);
io::Task<int> run_storage(ToolContext& context, Arguments arguments);
io::Task<int> run_topics(ToolContext& context, Arguments arguments);

}  // namespace samsa::tool
