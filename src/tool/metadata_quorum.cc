// kafka-metadata-quorum.sh: voters and observers of the metadata log, and controllers that come and go.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "config/properties.h"
#include "config/server_config.h"
#include "protocol/api/add_raft_voter.h"
#include "protocol/api/describe_quorum.h"
#include "protocol/api/remove_raft_voter.h"
#include "tool/admin_calls.h"
#include "tool/argument_parser.h"
#include "tool/commands.h"
#include "tool/java_text.h"

namespace samsa::tool {
namespace {

using Properties = std::map<std::string, std::string>;
using Quorum = protocol::DescribeQuorumResponse;
using Replica = protocol::DescribeQuorumResponse::ReplicaState;

ArgumentParser declare() {
  ArgumentParser parser("kafka-metadata-quorum", "This tool describes kraft metadata quorum status.");
  parser.option({"--command-config"}, "A file of settings for the admin client; with add-controller the settings of the controller too.")
      .option({"--bootstrap-server"}, "Brokers to connect to, host:port separated by commas.")
      .option({"--bootstrap-controller"}, "Controllers to connect to, host:port separated by commas.")
      .only_one({"--bootstrap-server", "--bootstrap-controller"}, true);
  parser.command("describe", "Show the state of the quorum.")
      .flag({"--status"}, "In short.")
      .flag({"--replication"}, "How far each replica has come.")
      .flag({"--human-readable"}, "Show times as how long ago they were.");
  parser.command("add-controller", "Make a controller a voter of the quorum.").flag({"--dry-run"}, "Show what would be done.");
  parser.command("remove-controller", "Take a controller out of the quorum.")
      .option({"--controller-id", "-i"}, "The id of the controller.", ArgumentParser::Kind::kInteger, true)
      .option({"--controller-directory-id", "-d"}, "The id of its directory.", ArgumentParser::Kind::kStore, true)
      .flag({"--dry-run"}, "Show what would be done.");
  return parser;
}

io::Task<Result<client::Reply<Quorum>>> ask(client::Cluster& cluster) {
  protocol::DescribeQuorumRequest request;
  auto& topic = request.topics.emplace_back();
  topic.topic_name = protocol::Text("__cluster_metadata");
  topic.partitions.emplace_back();
  CO_TRY_ASSIGN(auto reply, co_await call_admin(cluster, std::move(request)));
  CO_TRY(answer_result(reply->error_code, reply->error_message));
  if (reply->topics.size() != 1 || reply->topics[0].partitions.size() != 1) {
    co_return fail(ErrorCode::kUnknownServerError, "DescribeMetadataQuorum received an answer without the metadata partition");
  }
  const auto& partition = reply->topics[0].partitions[0];
  CO_TRY(answer_result(partition.error_code, partition.error_message));
  co_return reply;
}

const Replica* leader_of(const protocol::DescribeQuorumResponse_PartitionData& partition) {
  for (const auto& voter : partition.current_voters) {
    if (voter.replica_id == partition.leader_id) return &voter;
  }
  return nullptr;
}

std::string time_text(ToolContext& context, TimestampMs time, bool human) {
  if (time < 0) return "-1";
  return human ? fmt::format("{} ms ago", context.world.loop.wall_ms() - time) : std::to_string(time);
}

Result<void> show_replication(ToolContext& context, const Quorum& quorum, bool human) {
  const auto& partition = quorum.topics[0].partitions[0];
  const Replica* const leader = leader_of(partition);
  if (leader == nullptr) return fail(ErrorCode::kLeaderNotAvailable, "No value present");
  std::vector<std::vector<std::string>> rows{{"NodeId", "DirectoryId", "LogEndOffset", "Lag", "LastFetchTimestamp", "LastCaughtUpTimestamp", "Status"}};
  const auto add = [&](const Replica& replica, const char* status) {
    rows.push_back({std::to_string(replica.replica_id), replica.replica_directory_id.to_string(), std::to_string(replica.log_end_offset),
                    std::to_string(leader->log_end_offset - replica.log_end_offset), time_text(context, replica.last_fetch_timestamp, human),
                    time_text(context, replica.last_caught_up_timestamp, human), status});
  };
  add(*leader, "Leader");
  for (const auto& voter : partition.current_voters) {
    if (&voter != leader) add(voter, "Follower");
  }
  for (const auto& observer : partition.observers) add(observer, "Observer");
  std::vector<size_t> widths(rows[0].size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) context.console.write(fmt::format("{:<{}}\t", row[i], widths[i]));
    context.console.write("\n");
  }
  return {};
}

std::string endpoint_text(std::string_view listener, const std::string& host, int port) {
  return fmt::format(fmt::runtime(host.find(':') == std::string::npos ? "{}://{}:{}" : "{}://[{}]:{}"), listener, host, port);
}

std::string replicas_text(const Quorum& quorum, const std::vector<Replica>& replicas) {
  std::vector<std::string> texts;
  for (const auto& replica : replicas) {
    std::string text = fmt::format("{{\"id\": {}", replica.replica_id);
    if (!replica.replica_directory_id.is_zero()) text += fmt::format(", \"directoryId\": \"{}\"", replica.replica_directory_id.to_string());
    std::vector<std::string> endpoints;
    for (const auto& node : quorum.nodes) {
      if (node.node_id != replica.replica_id) continue;
      for (const auto& listener : node.listeners) {
        endpoints.push_back(fmt::format("\"{}\"", endpoint_text(listener.name.view(), listener.host.str(), listener.port)));
      }
    }
    if (!endpoints.empty()) text += fmt::format(", \"endpoints\": [{}]", fmt::join(endpoints, ", "));
    texts.push_back(text + "}");
  }
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

Result<void> show_status(ToolContext& context, const std::string& cluster_id, const Quorum& quorum) {
  const auto& partition = quorum.topics[0].partitions[0];
  const Replica* const leader = leader_of(partition);
  if (leader == nullptr) return fail(ErrorCode::kLeaderNotAvailable, "No value present");
  const Replica* slowest = &partition.current_voters[0];
  for (const auto& voter : partition.current_voters) {
    if (voter.log_end_offset < slowest->log_end_offset) slowest = &voter;
  }
  int64_t lag_ms = -1;
  if (slowest == leader) lag_ms = 0;
  else if (leader->last_caught_up_timestamp >= 0 && slowest->last_caught_up_timestamp >= 0) lag_ms = leader->last_caught_up_timestamp - slowest->last_caught_up_timestamp;
  context.console.write(fmt::format("ClusterId:              {}\nLeaderId:               {}\nLeaderEpoch:            {}\nHighWatermark:          {}\n"
                                    "MaxFollowerLag:         {}\nMaxFollowerLagTimeMs:   {}\nCurrentVoters:          {}\nCurrentObservers:       {}\n",
                                    cluster_id, partition.leader_id, partition.leader_epoch, partition.high_watermark,
                                    leader->log_end_offset - slowest->log_end_offset, lag_ms, replicas_text(quorum, partition.current_voters),
                                    replicas_text(quorum, partition.observers)));
  return {};
}

io::Task<Result<void>> describe(ToolContext& context, client::Cluster& cluster, const ParsedArguments& arguments) {
  const bool status = arguments.has("--status"), replication = arguments.has("--replication"), human = arguments.has("--human-readable");
  if (status && replication) {
    co_return fail(ErrorCode::kInvalidRequest, "Only one of --status or --replication should be specified with describe sub-command");
  }
  if (!status && !replication) co_return fail(ErrorCode::kInvalidRequest, "One of --status or --replication must be specified with describe sub-command");
  if (status && human) co_return fail(ErrorCode::kInvalidRequest, "The option --human-readable is only supported along with --replication");
  std::string cluster_id;
  if (status) {
    CO_TRY_ASSIGN(const auto about, co_await describe_cluster(cluster));
    cluster_id = about.cluster_id;
  }
  CO_TRY_ASSIGN(const auto quorum, co_await ask(cluster));
  co_return status ? show_status(context, cluster_id, *quorum) : show_replication(context, *quorum, human);
}

Result<int32_t> controller_id(const Properties& properties) {
  constexpr std::string_view kDoubt = "Is this a valid controller configuration file?";
  const auto id = properties.find("node.id");
  if (id == properties.end()) return fail(ErrorCode::kInvalidConfig, fmt::format("node.id not found in configuration file. {}", kDoubt));
  int32_t number = 0;
  const auto parsed = std::from_chars(id->second.data(), id->second.data() + id->second.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != id->second.data() + id->second.size()) {
    return fail(ErrorCode::kInvalidConfig, fmt::format("For input string: \"{}\"", id->second));
  }
  if (number < 0) return fail(ErrorCode::kInvalidConfig, fmt::format("node.id was negative in configuration file. {}", kDoubt));
  const auto roles = properties.find("process.roles");
  if (roles == properties.end() || roles->second.find("controller") == std::string::npos) {
    return fail(ErrorCode::kInvalidConfig, fmt::format("process.roles did not contain 'controller' in configuration file. {}", kDoubt));
  }
  return number;
}

Result<Uuid> directory_id(ToolContext& context, const Properties& properties) {
  std::string directory;
  if (const auto metadata = properties.find("metadata.log.dir"); metadata != properties.end()) directory = metadata->second;
  else if (const auto logs = properties.find("log.dirs"); logs != properties.end()) directory = logs->second.substr(0, logs->second.find(','));
  if (directory.empty()) {
    return fail(ErrorCode::kInvalidConfig, "Neither metadata.log.dir nor log.dirs were found. Is this a valid controller configuration file?");
  }
  const auto content = io::read_file(context.world.disk, io::join_path(directory, "meta.properties"));
  if (!content) return fail(ErrorCode::kInvalidConfig, "Unable to read meta.properties from " + directory);
  TRY_ASSIGN(auto meta, config::parse_properties(as_text(*content)));
  const std::string id = meta["directory.id"];
  if (id.empty()) return fail(ErrorCode::kInvalidConfig, "No directory id found in " + directory);
  return Uuid::parse(id);
}

// The controller listeners, advertised ones before those that are only listened on.
Result<std::vector<config::Listener>> controller_endpoints(const Properties& properties) {
  const auto text_of = [&](const char* name) {
    const auto found = properties.find(name);
    return found == properties.end() ? std::string() : found->second;
  };
  const std::string names = text_of("controller.listener.names");
  if (names.empty()) {
    return fail(ErrorCode::kInvalidConfig, "controller.listener.names was not found. Is this a valid controller configuration file?");
  }
  // Protocols do not matter here, but each listener has to have one.
  std::map<std::string, config::Listener> listeners;
  for (const char* setting : {"listeners", "advertised.listeners"}) {
    std::string protocols = text_of("listener.security.protocol.map");
    if (text_of(setting).empty()) continue;
    if (protocols.empty()) protocols = names.substr(0, names.find(',')) + ":PLAINTEXT,PLAINTEXT:PLAINTEXT";
    TRY_ASSIGN(auto parsed, config::parse_listeners(text_of(setting), protocols));
    for (auto& listener : parsed) listeners[listener.name] = std::move(listener);
  }
  std::vector<config::Listener> endpoints;
  std::string_view rest = names;
  while (!rest.empty()) {
    const std::string name(rest.substr(0, rest.find(',')));
    rest = rest.find(',') == std::string_view::npos ? std::string_view{} : rest.substr(rest.find(',') + 1);
    const auto found = listeners.find(name);
    if (found == listeners.end()) return fail(ErrorCode::kInvalidConfig, "Cannot find information about controller listener name: " + name);
    endpoints.push_back(found->second);
    if (endpoints.back().host.empty()) endpoints.back().host = "localhost";
  }
  return endpoints;
}

io::Task<Result<void>> add_controller(ToolContext& context, client::Cluster& cluster, const Properties& properties, bool dry_run) {
  CO_TRY_ASSIGN(const int32_t id, controller_id(properties));
  CO_TRY_ASSIGN(const Uuid directory, directory_id(context, properties));
  CO_TRY_ASSIGN(const auto endpoints, controller_endpoints(properties));
  std::vector<std::string> texts;
  protocol::AddRaftVoterRequest request;
  request.cluster_id = std::nullopt;  // Whichever this cluster is.
  request.voter_id = id;
  request.voter_directory_id = directory;
  request.timeout_ms = static_cast<int32_t>(cluster.config().connection.request_timeout.count());
  for (const auto& endpoint : endpoints) {
    texts.push_back(endpoint_text(endpoint.name, endpoint.host, endpoint.port));
    auto& listener = request.listeners.emplace_back();
    listener.name = protocol::Text(endpoint.name);
    listener.host = protocol::Text(endpoint.host);
    listener.port = static_cast<uint16_t>(endpoint.port);
  }
  if (!dry_run) {
    CO_TRY_ASSIGN(const auto reply, co_await call_admin(cluster, std::move(request)));
    CO_TRY(answer_result(reply->error_code, reply->error_message));
  }
  context.console.write(fmt::format("{} controller {} with directory id {} and endpoints: {}\n", dry_run ? "DRY RUN of adding" : "Added", id,
                                    directory.to_string(), fmt::join(texts, ", ")));
  co_return Result<void>{};
}

io::Task<Result<void>> remove_controller(ToolContext& context, client::Cluster& cluster, const ParsedArguments& arguments) {
  const int32_t id = *arguments.integer("--controller-id");
  const std::string text = *arguments.get("--controller-directory-id");
  const bool dry_run = arguments.has("--dry-run");
  if (id < 0) co_return fail(ErrorCode::kInvalidRequest, fmt::format("Invalid negative --controller-id: {}", id));
  const auto directory = Uuid::parse(text);
  if (!directory) co_return fail(ErrorCode::kInvalidRequest, "Failed to parse --controller-directory-id: " + directory.error().text());
  if (!dry_run) {
    protocol::RemoveRaftVoterRequest request;
    request.cluster_id = std::nullopt;
    request.voter_id = id;
    request.voter_directory_id = *directory;
    CO_TRY_ASSIGN(const auto reply, co_await call_admin(cluster, std::move(request)));
    CO_TRY(answer_result(reply->error_code, reply->error_message));
  }
  context.console.write(fmt::format("{} KRaft controller {} with directory id {}\n", dry_run ? "DRY RUN of removing " : "Removed ", id, directory->to_string()));
  co_return Result<void>{};
}

io::Task<Result<void>> run(ToolContext& context, const ParsedArguments& arguments) {
  const auto file = arguments.get("--command-config");
  Properties properties;
  if (file) {
    const auto there = context.world.disk.stat(*file);
    if (!there) co_return fail(ErrorCode::kInvalidConfig, fmt::format("Properties file {} does not exists!", *file));
    CO_TRY_ASSIGN(properties, load_properties(context, *file));
  }
  CO_TRY_ASSIGN(auto cluster, open_admin(context, {arguments.get("--bootstrap-server"), arguments.get("--bootstrap-controller"), file}));
  if (arguments.command == "describe") co_return co_await describe(context, *cluster, arguments);
  if (arguments.command == "remove-controller") co_return co_await remove_controller(context, *cluster, arguments);
  if (!file) {
    co_return fail(ErrorCode::kInvalidConfig, "You must supply the configuration file of the controller you are adding when using add-controller.");
  }
  co_return co_await add_controller(context, *cluster, properties, arguments.has("--dry-run"));
}

}  // namespace

io::Task<int> run_metadata_quorum(ToolContext& context, Arguments arguments) {
  ArgumentParser parser = declare();
  const auto parsed = parser.parse(arguments);
  if (!parsed) co_return refuse(context, parser.complaint(parsed.error()));
  if (parsed->help) {
    context.console.write(*parsed->help);
    co_return 0;
  }
  const auto outcome = co_await run(context, *parsed);
  if (!outcome) co_return refuse(context, outcome.error().text());
  co_return 0;
}

}  // namespace samsa::tool
