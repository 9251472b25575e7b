// RaftConfig: what a replica of the metadata log is told by server.properties and by its directory.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "io/network.h"
#include "raft/voter_set.h"

namespace samsa::raft {

struct RaftConfig {
  int32_t node_id = -1;
  std::string cluster_id;
  Uuid directory_id;         // Of the metadata directory.
  std::string metadata_dir;  // Its path; the log is <metadata_dir>/__cluster_metadata-0.
  bool controller = true;    // process.roles has "controller": may be a voter. Otherwise an observer.

  VoterSet static_voters;                       // controller.quorum.voters; empty with a dynamic quorum.
  std::vector<io::Address> bootstrap_servers;   // controller.quorum.bootstrap.servers.
  std::string controller_listener = "CONTROLLER";  // First of controller.listener.names.
  std::vector<VoterEndpoint> own_endpoints;     // Advertised controller listeners of this node (controllers only).
  bool auto_join = false;                       // controller.quorum.auto.join.enable

  std::chrono::milliseconds election_timeout{1000};     // controller.quorum.election.timeout.ms
  std::chrono::milliseconds fetch_timeout{2000};        // controller.quorum.fetch.timeout.ms
  std::chrono::milliseconds election_backoff_max{1000}; // controller.quorum.election.backoff.max.ms
  std::chrono::milliseconds request_timeout{2000};      // controller.quorum.request.timeout.ms
  std::chrono::milliseconds retry_backoff{20};          // controller.quorum.retry.backoff.ms
  int32_t fetch_max_bytes = 1024 * 1024;                // controller.quorum.fetch.max.bytes
  int32_t snapshot_fetch_max_bytes = 1024 * 1024;       // controller.quorum.fetch.snapshot.max.bytes
  int64_t segment_bytes = 1024 * 1024 * 1024;           // metadata.log.segment.bytes
  int64_t segment_ms = 7LL * 24 * 3600 * 1000;          // metadata.log.segment.ms
  int64_t max_retention_bytes = 100 * 1024 * 1024;      // metadata.max.retention.bytes: old snapshots and the log before them
  int64_t max_retention_ms = 7LL * 24 * 3600 * 1000;    // metadata.max.retention.ms
};

}  // namespace samsa::raft
