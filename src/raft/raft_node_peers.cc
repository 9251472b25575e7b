// RaftNode: the client side. One task per request: encode, exchange, and carry out what the answer means for the log.
#include <algorithm>

#include <fmt/format.h>

#include "protocol/codec.h"
#include "raft/raft_node_state.h"

namespace samsa::raft {

// The answer views the frame that `holder` keeps.
template <class Request>
static io::Task<Result<Answer>> exchange_as(RaftTransport& transport, const io::Address& to, const Request& request, int16_t min_version,
                                            std::chrono::milliseconds wait, std::shared_ptr<void>& holder) {
  auto reply = co_await transport.call(to, request, min_version, Request::kMaxVersion, wait);
  if (!reply) co_return fail(std::move(reply).error());
  auto kept = std::make_shared<client::Reply<typename Request::Response>>(std::move(*reply));
  Answer answer(**kept);
  holder = std::move(kept);
  co_return answer;
}

io::Task<Result<Answer>> RaftNode::State::exchange(const Ask& ask, std::shared_ptr<void>& holder) {
  if (transport == nullptr) co_return fail(ErrorCode::kNetworkException, "this node has no way to others");
  if (const auto* r = std::get_if<protocol::VoteRequest>(&ask.question)) {
    // A pre-vote must not reach a voter that would take it for a vote.
    const int16_t least = r->topics[0].partitions[0].pre_vote ? 2 : protocol::VoteRequest::kMinVersion;
    co_return co_await exchange_as(*transport, ask.address, *r, least, {}, holder);
  }
  if (const auto* r = std::get_if<protocol::FetchRequest>(&ask.question)) {
    co_return co_await exchange_as(*transport, ask.address, *r, 15, std::chrono::milliseconds(r->max_wait_ms), holder);
  }
  if (const auto* r = std::get_if<protocol::BeginQuorumEpochRequest>(&ask.question)) {
    co_return co_await exchange_as(*transport, ask.address, *r, 0, {}, holder);
  }
  if (const auto* r = std::get_if<protocol::EndQuorumEpochRequest>(&ask.question)) {
    co_return co_await exchange_as(*transport, ask.address, *r, 0, {}, holder);
  }
  if (const auto* r = std::get_if<protocol::FetchSnapshotRequest>(&ask.question)) {
    co_return co_await exchange_as(*transport, ask.address, *r, 0, {}, holder);
  }
  if (const auto* r = std::get_if<protocol::UpdateRaftVoterRequest>(&ask.question)) {
    co_return co_await exchange_as(*transport, ask.address, *r, 0, {}, holder);
  }
  if (const auto* r = std::get_if<protocol::AddRaftVoterRequest>(&ask.question)) {
    co_return co_await exchange_as(*transport, ask.address, *r, 1, {}, holder);  // From 1 on it can be asked not to wait for the commit.
  }
  co_return co_await exchange_as(*transport, ask.address, std::get<protocol::RemoveRaftVoterRequest>(ask.question), 0, {}, holder);
}

io::Task<> RaftNode::State::send(Ask ask) {
  std::shared_ptr<void> holder;
  auto answer = co_await exchange(ask, holder);
  if (!stopping && !faulted) {
    if (answer) {
      if (const auto* fetch = std::get_if<protocol::FetchResponse>(&*answer)) co_await carry_out(ask, *fetch);
      if (const auto* piece = std::get_if<protocol::FetchSnapshotResponse>(&*answer)) co_await store_piece(ask, *piece);
    }
    core->on_answer(ask, std::move(answer), now());
    pump();
    wake.notify_all();
  }
}

Result<void> RaftNode::State::append_fetched(Bytes records) {
  const Offset before = log->end_offset();
  TRY(log->append_as_follower(records, core->epoch()));
  if (log->end_offset() == before) return {};
  protocol::BatchIterator batches(records);
  while (true) {
    TRY_ASSIGN(const auto batch, batches.next());
    if (!batch || batch->base_offset() >= log->end_offset()) return {};
    TRY(history.replay(*batch));
  }
}

io::Task<> RaftNode::State::carry_out(const Ask& ask, const protocol::FetchResponse& response) {
  const auto step = core->on_fetch_answer(ask, response, now());
  switch (step.kind) {
    case RaftCore::FetchStep::Kind::kNone: co_return;
    case RaftCore::FetchStep::Kind::kSnapshot:
      piece_file = nullptr;
      core->begin_snapshot_fetch(step.snapshot, now());
      co_return;
    case RaftCore::FetchStep::Kind::kTruncate: {
      SAMSA_LOG_INFO("raft: cutting the log to {} as leader {} has it", step.truncate_to, core->leader().leader);
      log_busy = true;
      auto cut = co_await log->truncate(step.truncate_to);
      log_busy = false;
      if (!cut) {
        failed(cut.error());
        co_return;
      }
      core->on_truncated(step.truncate_to);
      co_return;
    }
    case RaftCore::FetchStep::Kind::kAppend: break;
  }
  if (!step.records.empty()) {
    if (auto appended = append_fetched(step.records); !appended) {
      // What the leader sent is broken on the way: fetched again. A disk that fails is the end.
      if (appended.error().code == ErrorCode::kKafkaStorageError) failed(appended.error());
      SAMSA_LOG_WARN("raft: records from leader {}: {}", core->leader().leader, appended.error().describe());
      co_return;
    }
    // The next fetch acknowledges them, so they must be on disk before it; a broker has no vote and need not wait.
    if (config.controller) {
      if (auto synced = co_await log->sync(); !synced) {
        failed(synced.error());
        co_return;
      }
    }
  }
  core->fetch_done(ask, step.leader_hw, now());
}

io::Task<> RaftNode::State::store_piece(const Ask& ask, const protocol::FetchSnapshotResponse& response) {
  const auto piece = core->on_snapshot_answer(ask, response, now());
  if (!piece.usable) co_return;
  const auto& request = std::get<protocol::FetchSnapshotRequest>(ask.question);
  const auto& wanted = request.topics[0].partitions[0].snapshot_id;
  const OffsetAndEpoch id{wanted.end_offset, wanted.epoch};
  const std::string path = log->snapshot_path(id) + ".part";
  if (piece_file == nullptr || piece_id != id || piece.position == 0) {
    auto opened = world.disk.open(path, io::OpenMode::kCreateTruncate);
    if (!opened) {
      failed(opened.error());
      co_return;
    }
    piece_file = *opened;
    piece_id = id;
  }
  if (auto written = piece_file->write_at(piece.bytes, static_cast<uint64_t>(piece.position)); !written) {
    failed(written.error());
    co_return;
  }
  const int64_t next = piece.position + static_cast<int64_t>(piece.bytes.size());
  core->snapshot_progress(next, now());
  if (next < piece.total) co_return;
  if (auto done = co_await finish_snapshot(id); !done) {
    if (done.error().code == ErrorCode::kKafkaStorageError) failed(done.error());
    SAMSA_LOG_WARN("raft: snapshot {}: {}", snapshot_name(id), done.error().describe());
    core->begin_snapshot_fetch(id, now());  // Again from its start.
    co_return;
  }
  core->end_snapshot_fetch(ask, now());
}

io::Task<Result<void>> RaftNode::State::finish_snapshot(OffsetAndEpoch id) {
  const std::string path = log->snapshot_path(id);
  CO_TRY(co_await piece_file->sync());
  piece_file = nullptr;
  CO_TRY_ASSIGN(auto content, read_snapshot(world.disk, path + ".part", [](auto, const auto&) { return Result<void>{}; }));
  CO_TRY(world.disk.set_read_only(path + ".part"));
  CO_TRY(world.disk.rename(path + ".part", path));
  CO_TRY(world.disk.sync_directory(log->directory()));
  // A log without the last record of the snapshot is of no use: it is shorter, or goes on with what was never committed.
  const bool lacks = id.offset > log->end_offset() || id.epoch > log->last_epoch();
  log->add_snapshot(id);
  if (lacks) {
    log_busy = true;
    auto restarted = co_await log->restart_at(id);
    log_busy = false;
    if (!restarted) co_return restarted;
  }
  history.restart();
  if (content.head.kraft_version) history.set_kraft_version(id.offset - 1, *content.head.kraft_version);
  if (content.head.voters) history.set_voters(id.offset - 1, std::move(*content.head.voters));
  co_return Result<void>{};
}

}  // namespace samsa::raft
