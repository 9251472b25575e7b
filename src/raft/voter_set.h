// VoterSet: who votes in the quorum, by node id and directory id, with the endpoints of their controller listeners (KIP-853).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/uuid.h"

namespace samsa::raft {

// A replica of the metadata log: node id, and the id of its metadata directory (zero: unknown, as with kraft.version 0).
struct ReplicaKey {
  int32_t id = -1;
  Uuid directory;
  auto operator<=>(const ReplicaKey&) const = default;
  [[nodiscard]] std::string to_string() const;
};

struct VoterEndpoint {
  std::string listener;
  std::string host;
  uint16_t port = 0;
  auto operator<=>(const VoterEndpoint&) const = default;
};

struct Voter {
  ReplicaKey key;
  std::vector<VoterEndpoint> endpoints;
  int16_t min_kraft_version = 0;
  int16_t max_kraft_version = 1;
  bool operator==(const Voter&) const = default;
  [[nodiscard]] const VoterEndpoint* endpoint(std::string_view listener) const;
};

class VoterSet {
 public:
  VoterSet() = default;
  explicit VoterSet(std::vector<Voter> voters);

  [[nodiscard]] bool empty() const { return voters_.empty(); }
  [[nodiscard]] size_t size() const { return voters_.size(); }
  [[nodiscard]] const std::map<int32_t, Voter>& all() const { return voters_; }
  [[nodiscard]] const Voter* find(int32_t id) const;
  // Whether this replica is a voter. A zero directory on either side matches by id alone (kraft.version 0).
  [[nodiscard]] bool contains(const ReplicaKey& key) const;
  // Whether the replica is the only voter.
  [[nodiscard]] bool is_only(const ReplicaKey& key) const { return size() == 1 && contains(key); }
  // How many of the voters are a majority.
  [[nodiscard]] size_t majority() const { return voters_.size() / 2 + 1; }
  void add(Voter voter) { voters_[voter.key.id] = std::move(voter); }
  void remove(int32_t id) { voters_.erase(id); }
  bool operator==(const VoterSet&) const = default;

 private:
  std::map<int32_t, Voter> voters_;
};

// "1@host:9093,2@other:9093" (controller.quorum.voters). INVALID_REQUEST with what would be right.
Result<VoterSet> parse_static_voters(std::string_view text, const std::string& listener);
// "1@host:9093:directory-id,..." (kafka-storage.sh format --initial-controllers).
Result<VoterSet> parse_initial_controllers(std::string_view text, const std::string& listener);

}  // namespace samsa::raft
