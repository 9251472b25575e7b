// A quorum on the simulated world for tests: every replica has a RaftNode, a listener that keeps the committed values, and a small
// server of the controller's requests on port 9093.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/sim/world.h"
#include "protocol/api/api_versions.h"
#include "protocol/api/describe_quorum.h"
#include "protocol/api_table.h"
#include "protocol/codec.h"
#include "protocol/headers.h"
#include "raft/raft_messages.h"
#include "raft/raft_node.h"
#include "raft/snapshot.h"
#include "raft/transport.h"

namespace samsa::raft::test {

inline constexpr uint16_t kPort = 9093;
inline constexpr const char* kCluster = "raft-test-cluster-0000";

// The state machine: the list of all values.
struct Values final : RaftListener {
  std::vector<std::string> values;
  LeaderAndEpoch leader;
  bool active = false;
  OffsetAndEpoch position;

  void begin_snapshot(OffsetAndEpoch id, TimestampMs) override {
    values.clear();
    position = id;
  }
  Result<void> on_snapshot_batch(const CommittedBatch& batch) override {
    for (const Bytes v : batch.values) values.emplace_back(as_text(v));
    return {};
  }
  Result<void> end_snapshot() override { return {}; }
  Result<void> on_commit(const CommittedBatch& batch) override {
    for (const Bytes v : batch.values) values.emplace_back(as_text(v));
    position = {batch.last_offset + 1, batch.epoch};
    return {};
  }
  void on_leader_change(LeaderAndEpoch now, std::optional<Offset> epoch_start) override {
    leader = now;
    active = epoch_start.has_value();
  }
};

struct Replica {
  io::sim::SimNode* node = nullptr;
  RaftConfig config;
  std::unique_ptr<Values> values;
  std::unique_ptr<RaftNode> raft;
  std::string fault;
  bool running = false;
};

template <class Request>
io::Task<Result<void>> answer(RaftNode& raft, const protocol::RequestHeader& header, Bytes body, protocol::Encoder& out) {
  CO_TRY_ASSIGN(const auto request, protocol::decode<Request>(body, header.api_version));
  typename Request::Response response;
  if constexpr (std::is_same_v<Request, protocol::VoteRequest>) {
    raft.handle_vote(request, "CONTROLLER", response);
  } else if constexpr (std::is_same_v<Request, protocol::BeginQuorumEpochRequest>) {
    raft.handle_begin_quorum_epoch(request, "CONTROLLER", response);
  } else if constexpr (std::is_same_v<Request, protocol::EndQuorumEpochRequest>) {
    raft.handle_end_quorum_epoch(request, "CONTROLLER", response);
  } else if constexpr (std::is_same_v<Request, protocol::FetchRequest>) {
    co_await raft.handle_fetch(request, header.api_version, "CONTROLLER", response);
  } else if constexpr (std::is_same_v<Request, protocol::FetchSnapshotRequest>) {
    raft.handle_fetch_snapshot(request, "CONTROLLER", response);
  } else if constexpr (std::is_same_v<Request, protocol::UpdateRaftVoterRequest>) {
    co_await raft.handle_update_voter(request, "CONTROLLER", response);
  } else if constexpr (std::is_same_v<Request, protocol::AddRaftVoterRequest>) {
    co_await raft.handle_add_voter(request, response);
  } else if constexpr (std::is_same_v<Request, protocol::RemoveRaftVoterRequest>) {
    co_await raft.handle_remove_voter(request, response);
  } else {
    for (const auto& api : protocol::all_apis()) {
      auto& key = response.api_keys.emplace_back();
      key.api_key = api.key;
      key.min_version = api.min_version;
      key.max_version = api.max_stable();
    }
    auto& feature = response.supported_features.emplace_back();
    feature.name = "kraft.version";
    feature.min_version = 0;
    feature.max_version = 1;
  }
  co_return protocol::encode_response_frame(header, response, out);
}

inline io::Task<Result<void>> dispatch(RaftNode& raft, Bytes frame, protocol::Encoder& out) {
  protocol::RequestHeader header;
  CO_TRY_ASSIGN(const size_t at, protocol::decode_request_header(frame, header));
  const Bytes body = frame.subspan(at);
  switch (header.api_key) {
    case protocol::VoteRequest::kApiKey: co_return co_await answer<protocol::VoteRequest>(raft, header, body, out);
    case protocol::BeginQuorumEpochRequest::kApiKey: co_return co_await answer<protocol::BeginQuorumEpochRequest>(raft, header, body, out);
    case protocol::EndQuorumEpochRequest::kApiKey: co_return co_await answer<protocol::EndQuorumEpochRequest>(raft, header, body, out);
    case protocol::FetchRequest::kApiKey: co_return co_await answer<protocol::FetchRequest>(raft, header, body, out);
    case protocol::FetchSnapshotRequest::kApiKey: co_return co_await answer<protocol::FetchSnapshotRequest>(raft, header, body, out);
    case protocol::UpdateRaftVoterRequest::kApiKey: co_return co_await answer<protocol::UpdateRaftVoterRequest>(raft, header, body, out);
    case protocol::AddRaftVoterRequest::kApiKey: co_return co_await answer<protocol::AddRaftVoterRequest>(raft, header, body, out);
    case protocol::RemoveRaftVoterRequest::kApiKey: co_return co_await answer<protocol::RemoveRaftVoterRequest>(raft, header, body, out);
    case protocol::ApiVersionsRequest::kApiKey: co_return co_await answer<protocol::ApiVersionsRequest>(raft, header, body, out);
    default: co_return fail(ErrorCode::kUnsupportedVersion);
  }
}

inline io::Task<Result<void>> read_exactly(io::Stream& stream, MutableBytes into) {
  while (!into.empty()) {
    CO_TRY_ASSIGN(const size_t n, co_await stream.read_some(into));
    if (n == 0) co_return fail(ErrorCode::kNetworkException, "closed");
    into = into.subspan(n);
  }
  co_return Result<void>{};
}

inline io::Task<> serve_connection(io::World world, RaftNode& raft, std::unique_ptr<io::AcceptedStream> accepted) {
  auto stream = world.network.attach(std::move(accepted));
  while (true) {
    uint8_t prefix[4];
    if (!co_await read_exactly(*stream, prefix)) co_return;
    Buffer frame(load_be<uint32_t>(prefix));
    if (!co_await read_exactly(*stream, frame)) co_return;
    protocol::Encoder out;
    if (!co_await dispatch(raft, frame, out)) co_return;
    const auto chunks = out.chunks();
    if (!co_await stream->write(chunks)) co_return;
  }
}

inline io::Task<> serve(io::World world, RaftNode& raft) {
  auto listener = world.network.listen({"", kPort});
  if (!listener) co_return;
  while (true) {
    auto accepted = co_await (*listener)->accept();
    if (!accepted) co_return;
    io::spawn(world.loop, serve_connection(world, raft, std::move(*accepted)));
  }
}

class Cluster {
 public:
  // Static voters where `dynamic` is false, else a voter set in each one's 0-0 snapshot.
  Cluster(uint64_t seed, int voters, bool dynamic = true) : sim(seed) {
    VoterSet set;
    for (int i = 1; i <= voters; ++i) {
      auto& replica = add(i);
      Voter voter{.key = {i, dynamic ? replica.config.directory_id : kZeroUuid}, .endpoints = replica.config.own_endpoints};
      set.add(std::move(voter));
    }
    for (auto& replica : replicas) {
      if (!dynamic) {
        replica->config.static_voters = set;
        continue;
      }
      auto& disk = replica->node->worlds()[0].disk;
      const std::string directory = "/data/__cluster_metadata-0";
      (void)disk.create_directories(directory);
      (void)disk.sync_directory("/");
      (void)disk.sync_directory("/data");
      auto writer = SnapshotWriter::create(disk, io::join_path(directory, snapshot_name({0, 0})), 0, 0, {.kraft_version = int16_t{1}, .voters = set});
      if (!writer || !(*writer)->freeze()) std::abort();
    }
  }

  ~Cluster() {
    for (auto& replica : replicas) {
      if (replica->running) crash(*replica);
    }
  }

  // One more node; not running, no voter.
  Replica& add(int32_t id) {
    auto& replica = *replicas.emplace_back(std::make_unique<Replica>());
    const std::string name = "n" + std::to_string(id);
    replica.node = &sim.add_node(name);
    replica.config.node_id = id;
    replica.config.cluster_id = kCluster;
    replica.config.directory_id = Uuid{0x1234, static_cast<uint64_t>(1000 + id)};
    replica.config.metadata_dir = "/data";
    replica.config.own_endpoints = {{"CONTROLLER", name, kPort}};
    auto& disk = replica.node->worlds()[0].disk;
    (void)disk.create_directories("/data");
    (void)disk.sync_directory("/");
    return replica;
  }

  static io::Task<> open(io::World world, Replica& replica) {
    auto opened = co_await RaftNode::open(world, replica.config, nullptr);
    if (!opened) {
      replica.fault = opened.error().describe();
      co_return;
    }
    replica.raft = std::move(*opened);
    io::spawn(world.loop, serve(world, *replica.raft));
    replica.raft->start(*replica.values, [&replica](Error error) { replica.fault = error.describe(); });
    replica.running = true;
  }
  void start(Replica& replica) {
    replica.values = std::make_unique<Values>();
    sim.run_task(replica.node->worlds()[0].loop, open(replica.node->worlds()[0], replica), std::chrono::seconds(10));
  }
  void start_all() {
    for (auto& replica : replicas) start(*replica);
  }
  void crash(Replica& replica) {
    sim.crash(*replica.node);
    replica.running = false;
    graveyard.push_back(std::move(replica.raft));
    replica.raft = nullptr;
  }
  void restart(Replica& replica) {
    graveyard.clear();
    sim.restart(*replica.node);
    start(replica);
  }
  // The replica whose state machine is active in the highest epoch; null: none.
  Replica* leader() {
    Replica* found = nullptr;
    for (auto& replica : replicas) {
      if (!replica->running || !replica->values->active || !replica->raft->is_leader()) continue;
      if (found == nullptr || replica->raft->leader().epoch > found->raft->leader().epoch) found = replica.get();
    }
    return found;
  }
  bool run_until(const std::function<bool()>& done, io::Duration limit = std::chrono::seconds(30)) { return sim.run_until(done, limit); }

  static io::Task<> write_task(Replica& replica, std::string value, std::shared_ptr<Result<void>> outcome) {
    const LeaderEpoch epoch = replica.raft->leader().epoch;
    const Buffer bytes(value.begin(), value.end());
    auto offset = replica.raft->append({&bytes, 1}, epoch);
    if (!offset) {
      *outcome = fail(offset.error());
      co_return;
    }
    *outcome = co_await replica.raft->wait_committed(*offset, epoch);
  }
  // Whether it was committed.
  bool write(Replica& replica, const std::string& value, io::Duration limit = std::chrono::seconds(10)) {
    auto outcome = std::make_shared<Result<void>>(fail(ErrorCode::kRequestTimedOut));
    return sim.run_task(replica.node->worlds()[0].loop, write_task(replica, value, outcome), limit) && outcome->has_value();
  }

  io::sim::SimWorld sim;
  std::vector<std::unique_ptr<Replica>> replicas;
  std::vector<std::unique_ptr<RaftNode>> graveyard;
};

}  // namespace samsa::raft::test
