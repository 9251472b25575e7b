#include "sim/invariants.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "protocol/record_batch.h"

namespace samsa::sim {

void Invariants::say(std::string text) {
  if (broken_.size() >= 20 || !said_.insert(text).second) return;
  broken_.push_back(fmt::format("at {:.6f} s: {}", static_cast<double>(cluster_.now_ns()) / 1e9, text));
}

void Invariants::note_watched() {
  const size_t dash = watched_.rfind('-');
  const std::string topic = watched_.substr(0, dash);
  const PartitionIndex index = std::atoi(watched_.c_str() + dash + 1);
  std::string state;
  for (size_t i = 0; i < cluster_.size(); ++i) {
    const auto replica = cluster_.partition(i, topic, index);
    if (!replica) continue;
    state += fmt::format(" n{}:{} epoch {} [{},{}) hw {} isr [{}];", i + 1, replica->is_leader() ? "leader" : "follows " + std::to_string(replica->leader()),
                         replica->leader_epoch(), replica->log().log_start_offset(), replica->log().log_end_offset(), replica->high_watermark(),
                         fmt::join(replica->isr(), ","));
  }
  if (state == watched_state_) return;
  watched_state_ = state;
  cluster_.world().note("watch", watched_ + ":" + state);
}

void Invariants::look() {
  if (!watched_.empty()) note_watched();
  for (size_t i = 0; i < cluster_.size(); ++i) {
    if (!cluster_.member(i).serves()) continue;
    look_at_quorum(i);
    look_at_partitions(i);
  }
}

void Invariants::look_at_quorum(size_t index) {
  const Member& member = cluster_.member(index);
  const auto& raft = member.node->metadata().raft();
  const auto [leader, epoch] = raft.leader();
  if (leader >= 0) {
    const auto [known, fresh] = quorum_leaders_.emplace(epoch, leader);
    if (!fresh && known->second != leader) say(fmt::format("quorum epoch {} has the leaders {} and {}", epoch, known->second, leader));
  }
  if (member.controller()) {
    auto& last = quorum_epochs_.try_emplace(index, -1).first->second;
    if (epoch < last) say(fmt::format("controller {} went from quorum epoch {} to {}", member.id, last, epoch));
    last = epoch;
  }
  auto& [boot, commit] = quorum_commits_[index];
  if (boot != member.machine->host().boot) commit = -1;
  boot = member.machine->host().boot;
  const Offset now = raft.high_watermark();
  if (now < commit) say(fmt::format("node {}: the quorum's high watermark fell from {} to {}", member.id, commit, now));
  commit = std::max(commit, now);
}

void Invariants::look_at_partitions(size_t index) {
  const Member& member = cluster_.member(index);
  for (int s = 0; s < member.node->shard_count(); ++s) {
    for (const auto& [key, partition] : member.node->shard(s).partitions()) {
      const PartitionKey name{key.topic.to_string(), key.partition};
      auto& state = replicas_[{index, name}];
      if (state.boot != member.machine->host().boot || state.replica.lock() != partition) {
        const Offset had = state.boot != member.machine->host().boot ? std::max(state.end, state.lost_end) : -1;
        state = {};
        state.lost_end = had;
      }
      state.end = partition->log().log_end_offset();
      if (state.end >= state.lost_end) state.lost_end = -1;
      state.boot = member.machine->host().boot;
      state.replica = partition;
      const std::string words = partition->name().to_string();
      if (partition->leader_epoch() < state.epoch) {
        say(fmt::format("node {}: {} went from leader epoch {} to {}", member.id, words, state.epoch, partition->leader_epoch()));
      }
      const Offset mark = partition->high_watermark();
      if (mark < state.high_watermark) {
        say(fmt::format("node {}: the high watermark of {} fell from {} to {}", member.id, words, state.high_watermark, mark));
      }
      const bool moved = mark > state.high_watermark;
      state.epoch = partition->leader_epoch();
      state.high_watermark = mark;
      if (!partition->is_leader()) continue;
      const auto [known, fresh] = leaders_.emplace(std::pair{name, state.epoch}, member.id);
      if (!fresh && known->second != member.id) {
        say(fmt::format("{} has in leader epoch {} the leaders {} and {}", words, state.epoch, known->second, member.id));
      }
      if (moved) look_at_commit(*partition);
    }
  }
}

// When a leader's high watermark moves, min.insync.replicas of the replicas have all below it. Nodes that are down had it, for all we
// can see; and a fetch that says so may arrive when its follower has lost power since, and runs again.
void Invariants::look_at_commit(const replication::Partition& leader) {
  const auto image = cluster_.image();
  const auto* found = image ? image->partition(leader.name().topic, leader.name().partition) : nullptr;
  if (found == nullptr || leader.isr().size() < 2) return;
  auto& greatest = committed_.try_emplace({leader.topic_id().to_string(), leader.name().partition}, -1).first->second;
  if (leader.high_watermark() <= greatest) return;
  greatest = leader.high_watermark();
  size_t have = 0;
  std::string ends;
  for (const int32_t id : found->replicas) {
    const size_t index = cluster_.index_of(id);
    const auto replica = cluster_.partition(index, leader.name().topic, leader.name().partition);
    const auto seen = replicas_.find({index, {leader.topic_id().to_string(), leader.name().partition}});
    const Offset lost = seen == replicas_.end() ? -1 : seen->second.lost_end;
    have += !replica || std::max(replica->log().log_end_offset(), lost) >= greatest ? 1 : 0;
    ends += fmt::format(" {}:{}", id, replica ? std::to_string(replica->log().log_end_offset()) : "down");
  }
  if (have < 2) {
    say(fmt::format("{}: the leader's high watermark went to {} and the logs end at{}", leader.name().to_string(), greatest, ends));
  }
}

void Invariants::compare_replica(size_t index, const std::string& directory, const PartitionKey& key, Offset until,
                                 std::map<Offset, BatchMark>& truth) {
  const Member& member = cluster_.member(index);
  const auto inode = member.machine->files().find(directory);
  if (!inode) return;
  for (const auto& [name, file] : inode->entries) {
    if (name.size() != 24 || !name.ends_with(".log")) continue;
    protocol::BatchIterator batches(file->file.bytes());
    while (true) {
      const auto next = batches.next();
      if (!next || !*next) break;
      const auto& batch = **next;
      if (batch.base_offset() >= until) return;
      ++batches_compared_;
      const BatchMark mark{batch.leader_epoch(), batch.crc(), batch.last_offset(), member.id};
      const auto [known, fresh] = truth.emplace(batch.base_offset(), mark);
      if (!fresh && !(known->second == mark)) {
        say(fmt::format("{} at {}: node {} has epoch {} crc {:08x} up to {}, node {} has epoch {} crc {:08x} up to {}, below both high watermarks",
                        directory, batch.base_offset(), known->second.from, known->second.epoch, known->second.crc, known->second.last, member.id,
                        mark.epoch, mark.crc, mark.last));
      }
    }
  }
}

void Invariants::compare_logs(int lying) {
  const auto image = cluster_.image();
  if (!image) return;
  image->topics.for_each([&](const std::string& topic, const metadata::TopicImage& found) {
    const auto* configs = image->configs.find(metadata::ConfigResource{metadata::ConfigType::kTopic, topic});
    if (configs != nullptr && configs->contains("cleanup.policy")) return;
    found.partitions.for_each([&](PartitionIndex index, const metadata::PartitionImage& partition) {
      std::map<Offset, BatchMark> truth;
      for (const int32_t id : partition.replicas) {
        const size_t at = cluster_.index_of(id);
        const auto replica = cluster_.partition(at, topic, index);
        if (!replica || static_cast<int>(at) == lying) continue;
        compare_replica(at, fmt::format("/data/{}-{}", topic, index), {found.id.to_string(), index}, replica->high_watermark(), truth);
      }
    });
  });
}

}  // namespace samsa::sim
