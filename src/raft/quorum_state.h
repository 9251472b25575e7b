// The quorum-state file: which epoch this replica is in, whom it voted for and whom it knows as leader. It is durable before a
// vote is answered or a role begins, so that no epoch gets two votes of one replica (facts "quorum-state").
//
// One line of JSON. data_version 0 goes with kraft.version 0, 1 (with the voted directory id) with kraft.version 1; both are read.
#pragma once

#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "io/file.h"
#include "raft/voter_set.h"

namespace samsa::raft {

struct QuorumState {
  LeaderEpoch epoch = 0;
  int32_t leader = -1;  // -1: none known.
  ReplicaKey voted;     // id -1: no vote in this epoch.
  bool operator==(const QuorumState&) const = default;
};

// Where the state machine keeps it.
class QuorumStateStore {
 public:
  virtual ~QuorumStateStore() = default;
  // Durable when it returns.
  virtual Result<void> write(const QuorumState& state, int16_t kraft_version, const VoterSet& voters) = 0;
};

std::string format_quorum_state(const QuorumState& state, int16_t kraft_version, const VoterSet& voters);
// CORRUPT_MESSAGE with what is wrong.
Result<QuorumState> parse_quorum_state(std::string_view json);

class QuorumStateFile final : public QuorumStateStore {
 public:
  QuorumStateFile(io::Disk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
  // nullopt where there is no file.
  Result<std::optional<QuorumState>> read();
  Result<void> write(const QuorumState& state, int16_t kraft_version, const VoterSet& voters) override;

 private:
  io::Disk& disk_;
  std::string path_;
};

}  // namespace samsa::raft
