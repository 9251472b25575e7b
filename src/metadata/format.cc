#include "metadata/format.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "metadata/features.h"
#include "metadata/record.h"
#include "raft/snapshot.h"
#include "storage/meta_properties.h"

namespace samsa::metadata {

namespace {

// The features of a new cluster, in the order of their records.
std::vector<std::pair<std::string, int16_t>> initial_features(int16_t metadata_version, const std::map<std::string, int16_t>& levels) {
  std::vector<std::pair<std::string, int16_t>> features{{std::string(kMetadataVersion), metadata_version}};
  for (const auto& [name, level] : levels) {
    // kraft.version stands in the voters' snapshot, level 0 is no record.
    if (name != kKraftVersion && name != kMetadataVersion && level > 0) features.emplace_back(name, level);
  }
  return features;
}

std::vector<Buffer> feature_records(int16_t metadata_version, const std::map<std::string, int16_t>& levels) {
  std::vector<Buffer> records;
  for (const auto& [name, level] : initial_features(metadata_version, levels)) {
    protocol::FeatureLevelRecord record;
    record.name = protocol::Text(name);
    record.feature_level = level;
    records.push_back(encode(record));
  }
  return records;
}

struct Plan {
  int16_t metadata_version = kLatestMetadataVersion;
  std::map<std::string, int16_t> levels;
  std::vector<std::string> fresh, formatted;
};

Result<void> check_levels(const FormatOptions& options, Plan& plan) {
  if (!options.release_version.empty()) {
    TRY_ASSIGN(plan.metadata_version, parse_metadata_version(options.release_version));
  }
  if (const auto it = options.features.find(std::string(kMetadataVersion)); it != options.features.end()) plan.metadata_version = it->second;
  plan.levels = default_features(plan.metadata_version);
  plan.levels[std::string(kKraftVersion)] = options.kraft_version;
  for (const auto& [name, level] : options.features) {
    const auto range = supported_features().find(name);
    if (range == supported_features().end()) {
      std::string known;
      for (const auto& [other, r] : supported_features()) known += (known.empty() ? "" : ", ") + other;
      return fail(ErrorCode::kInvalidRequest, fmt::format("Unsupported feature: {}. Supported features are: {}", name, known));
    }
    if (level < range->second.min || level > range->second.max) {
      return fail(ErrorCode::kInvalidRequest,
                  fmt::format("No feature:{} with feature level {}: {} to {} are supported", name, level, range->second.min, range->second.max));
    }
    plan.levels[name] = level;
  }
  if (plan.levels["eligible.leader.replicas.version"] > 0 && plan.metadata_version < kMvElr) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("eligible.leader.replicas.version could not be set to {} because it depends on metadata.version level {}",
                                                        plan.levels["eligible.leader.replicas.version"], kMvElr));
  }
  if (!options.scram.empty() && plan.metadata_version < kMvScram) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("SCRAM is only supported in metadata.version {} or later.", metadata_version_text(kMvScram)));
  }
  return {};
}

Result<void> check_options(const FormatOptions& options) {
  if (options.node_id < 0) return fail(ErrorCode::kInvalidRequest, fmt::format("Invalid node id {}", options.node_id));
  if (options.cluster_id.empty()) return fail(ErrorCode::kInvalidRequest, "No cluster ID given");
  if (options.log_dirs.empty()) return fail(ErrorCode::kInvalidRequest, "No log directories given");
  if (options.voters != FormatOptions::Voters::kNone && options.kraft_version < 1) {
    return fail(ErrorCode::kInvalidRequest, "Initial voters need kraft.version 1 or later.");
  }
  if (options.voters == FormatOptions::Voters::kStandalone && options.standalone_endpoints.empty()) {
    return fail(ErrorCode::kInvalidRequest, "A standalone controller needs an advertised controller listener.");
  }
  return {};
}

std::set<std::string> directories_of(const FormatOptions& options) {
  std::set<std::string> all(options.log_dirs.begin(), options.log_dirs.end());
  if (!options.metadata_log_dir.empty()) all.insert(options.metadata_log_dir);
  return all;
}

Result<void> find_formatted(io::Disk& disk, const FormatOptions& options, Plan& plan) {
  for (const auto& directory : directories_of(options)) {
    auto meta = storage::read_meta_properties(disk, directory);
    if (!meta) {
      if (meta.error().code != ErrorCode::kResourceNotFound) return fail(meta.error());
      plan.fresh.push_back(directory);
      continue;
    }
    if (!options.ignore_formatted) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("Log directory {} is already formatted. Use --ignore-formatted to ignore this directory and "
                                                          "format the others.", directory));
    }
    if (meta->cluster_id && *meta->cluster_id != options.cluster_id) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("Log directory {} belongs to cluster {}, not {}.", directory, *meta->cluster_id, options.cluster_id));
    }
    if (meta->node_id && meta->node_id->value != options.node_id) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("Log directory {} belongs to node {}, not {}.", directory, meta->node_id->value, options.node_id));
    }
    plan.formatted.push_back(directory);
  }
  return {};
}

Result<void> write_bootstrap(io::Disk& disk, const FormatOptions& options, const Plan& plan, const std::string& directory) {
  std::vector<Buffer> records = feature_records(plan.metadata_version, plan.levels);
  for (const auto& user : options.scram) {
    protocol::UserScramCredentialRecord record;
    record.name = user.user;
    record.mechanism = static_cast<int8_t>(user.mechanism);
    record.salt = protocol::Blob(user.credential.salt);
    record.stored_key = protocol::Blob(user.credential.stored_key);
    record.server_key = protocol::Blob(user.credential.server_key);
    record.iterations = user.credential.iterations;
    TRY_ASSIGN(records.emplace_back(), try_encode(record));
  }
  TRY_ASSIGN(auto writer, raft::SnapshotWriter::create(disk, io::join_path(directory, "bootstrap.checkpoint"), 0, 0, {}));
  TRY(writer->append(records));
  return writer->freeze();
}

Result<void> write_voters(io::Disk& disk, const FormatOptions& options, const Uuid& directory_id) {
  raft::VoterSet voters = options.initial_voters;
  if (options.voters == FormatOptions::Voters::kStandalone) {
    voters = raft::VoterSet({raft::Voter{.key = {options.node_id, directory_id}, .endpoints = options.standalone_endpoints}});
  }
  const std::string directory = io::join_path(options.metadata_log_dir, "__cluster_metadata-0");
  TRY(disk.create_directories(directory));
  TRY(disk.sync_directory(options.metadata_log_dir));
  const raft::SnapshotHead head{.kraft_version = options.kraft_version, .voters = std::move(voters)};
  TRY_ASSIGN(auto writer, raft::SnapshotWriter::create(disk, io::join_path(directory, raft::snapshot_name({0, 0})), 0, 0, head));
  return writer->freeze();
}

}  // namespace

Result<FormatReport> format_directories(io::Disk& disk, const FormatOptions& given, io::Random& random) {
  FormatOptions options = given;
  if (options.metadata_log_dir.empty() && !options.log_dirs.empty()) options.metadata_log_dir = options.log_dirs.front();
  TRY(check_options(options));
  Plan plan;
  TRY(check_levels(options, plan));
  TRY(find_formatted(disk, options, plan));
  for (const auto& directory : plan.fresh) {
    TRY(disk.create_directories(directory));
    TRY(disk.sync_directory(io::parent_path(directory)));
    Uuid id = random.uuid();
    const bool metadata = directory == options.metadata_log_dir;
    const bool initial = metadata && options.voters == FormatOptions::Voters::kInitial;
    if (const auto* own = initial ? options.initial_voters.find(options.node_id) : nullptr) id = own->key.directory;
    // Before meta.properties: a directory that has that is complete. As Kafka does it in every directory; that of the metadata counts.
    TRY(write_bootstrap(disk, options, plan, directory));
    if (metadata && options.voters != FormatOptions::Voters::kNone) TRY(write_voters(disk, options, id));
    TRY(storage::write_meta_properties(disk, directory,
                                       {.version = 1, .cluster_id = options.cluster_id, .node_id = NodeId(options.node_id), .directory_id = id}));
  }
  return FormatReport{plan.fresh, plan.formatted, plan.metadata_version, metadata_version_text(plan.metadata_version),
                      initial_features(plan.metadata_version, plan.levels)};
}

Result<std::vector<Buffer>> read_bootstrap(io::Disk& disk, const std::string& metadata_log_dir) {
  const std::string path = io::join_path(metadata_log_dir, "bootstrap.checkpoint");
  if (!disk.exists(path)) return feature_records(kLatestMetadataVersion, default_features(kLatestMetadataVersion));
  std::vector<Buffer> records;
  TRY(raft::read_snapshot(disk, path, [&](std::span<const Bytes> values, const auto&) -> Result<void> {
    for (const Bytes value : values) records.emplace_back(value.begin(), value.end());
    return {};
  }));
  return records;
}

}  // namespace samsa::metadata
