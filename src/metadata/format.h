// Formatting of a node's directories, as kafka-storage.sh format does it. What is there at start is checked by
// storage/log_directories.h.
//
// A formatted node has in every log directory a meta.properties (storage/meta_properties.h), in its metadata directory a
// bootstrap.checkpoint with the feature levels of a new cluster, and, where it is one of the first voters of a dynamic quorum,
// the voter set in __cluster_metadata-0/00000000000000000000-0000000000.checkpoint. Nothing here overwrites a formatted
// directory. Formats: facts "kafka-storage format essentials"; KIP-853, KIP-1022.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/bytes.h"
#include "io/file.h"
#include "io/random.h"
#include "metadata/image.h"
#include "raft/voter_set.h"

namespace samsa::metadata {

// A SCRAM user that the new cluster starts with (kafka-storage.sh format --add-scram). Keys are derived by the caller.
struct BootstrapScram {
  std::string user;
  int32_t mechanism = 1;  // 1 SHA-256, 2 SHA-512.
  ScramCredential credential;
};

struct FormatOptions {
  int32_t node_id = -1;
  std::string cluster_id;             // 22 characters of a UUID, or any text that the user chose.
  std::vector<std::string> log_dirs;  // All directories of the node.
  std::string metadata_log_dir;       // One of log_dirs, or a directory of its own.
  bool ignore_formatted = false;      // Leaves formatted directories as they are; otherwise they are an error.
  // The first voters. kStandalone: this node alone, with the endpoints below. kInitial: the set given; this node has its
  // directory id from there if it is in it. kNone: a broker or a later joiner, or a static quorum (controller.quorum.voters): no voters are written.
  enum class Voters { kNone, kStandalone, kInitial } voters = Voters::kNone;
  std::vector<raft::VoterEndpoint> standalone_endpoints;  // Controller listeners of this node; ports must be real.
  raft::VoterSet initial_voters;
  int16_t kraft_version = 1;            // 0 where the quorum is static.
  std::string release_version;          // "4.3", "3.9-IV0", ...; empty: the latest (4.3).
  std::map<std::string, int16_t> features;  // --feature name=level; overrides the release's defaults.
  std::vector<BootstrapScram> scram;
};

struct FormatReport {
  std::vector<std::string> formatted;          // Directories written now.
  std::vector<std::string> already_formatted;  // Left as they were (ignore_formatted).
  int16_t metadata_version = 0;
  std::string metadata_version_text;  // "4.3-IV0".
  std::vector<std::pair<std::string, int16_t>> features;  // Of bootstrap.checkpoint, in its order.
};

// INVALID_REQUEST with a text for people where an option is wrong or a directory is formatted already; KAFKA_STORAGE_ERROR where
// the disk fails. Directory ids come from `random`.
Result<FormatReport> format_directories(io::Disk& disk, const FormatOptions& options, io::Random& random);

// Records of <metadata_log_dir>/bootstrap.checkpoint, framed; where there is none: the features of this build's latest release.
Result<std::vector<Buffer>> read_bootstrap(io::Disk& disk, const std::string& metadata_log_dir);

}  // namespace samsa::metadata
