// The follower's side of an incremental fetch session (KIP-227): which partitions the leader knows of it, with what. Makes the requests
// and takes in what answers say of the session. One per connection attempt; reset() after any error. Pure.
#pragma once

#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "base/ids.h"
#include "base/uuid.h"
#include "protocol/api/fetch.h"

namespace samsa::replication {

class FetchClientSession {
 public:
  using Key = std::pair<Uuid, PartitionIndex>;
  struct Wanted {
    Offset offset = 0;
    Offset log_start = 0;
    LeaderEpoch current_epoch = -1;
    LeaderEpoch last_fetched_epoch = -1;
    bool no_records = false;  // Only the leader's offsets are of interest.
    bool operator==(const Wanted&) const = default;
  };

  void reset() {
    id_ = 0;
    epoch_ = 0;
    known_.clear();
  }
  // Fills session and partitions of the request: all of `wanted` at the start, later what changed, and what is wanted no more.
  void fill(protocol::FetchRequest& request, const std::map<Key, Wanted>& wanted, int32_t partition_max_bytes) {
    request.session_id = id_;
    request.session_epoch = epoch_;
    // Without a session the leader keeps no turns: a small answer would always have the same partition first.
    auto next = wanted.begin();
    if (id_ == 0 && !wanted.empty()) std::advance(next, static_cast<int64_t>(turn_++ % wanted.size()));
    for (size_t i = 0; i < wanted.size(); ++i, ++next) {
      if (next == wanted.end()) next = wanted.begin();
      const auto& [key, want] = *next;
      const auto known = known_.find(key);
      if (known != known_.end() && known->second == want) continue;
      if (request.topics.empty() || request.topics.back().topic_id != key.first) request.topics.emplace_back().topic_id = key.first;
      auto& partition = request.topics.back().partitions.emplace_back();
      partition.partition = key.second;
      partition.fetch_offset = want.offset;
      partition.log_start_offset = want.log_start;
      partition.current_leader_epoch = want.current_epoch;
      partition.last_fetched_epoch = want.last_fetched_epoch;
      partition.partition_max_bytes = want.no_records ? 0 : partition_max_bytes;
    }
    for (const auto& [key, want] : known_) {
      if (wanted.contains(key)) continue;
      auto& forgotten = request.forgotten_topics_data;
      if (forgotten.empty() || forgotten.back().topic_id != key.first) forgotten.emplace_back().topic_id = key.first;
      forgotten.back().partitions.push_back(key.second);
    }
    known_ = wanted;
  }
  // After an answer without an error of the whole.
  void answered(int32_t session_id) {
    if (id_ == 0) {
      id_ = session_id;
      epoch_ = session_id == 0 ? 0 : 1;
    } else {
      epoch_ = epoch_ == INT32_MAX ? 1 : epoch_ + 1;
      if (session_id != id_) reset();
    }
    if (id_ == 0) reset();  // The leader has no room for a session: everything again each time.
  }

 private:
  int32_t id_ = 0;
  int32_t epoch_ = 0;
  std::map<Key, Wanted> known_;
  size_t turn_ = 0;
};

}  // namespace samsa::replication
