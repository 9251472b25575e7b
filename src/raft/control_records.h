// The quorum's control records: their values as bytes, and VotersHistory, which knows the voter set and the kraft.version at every
// offset that matters (KIP-853: they take effect when appended and are undone by truncation).
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "protocol/control_batch.h"
#include "raft/raft_types.h"
#include "raft/voter_set.h"

namespace samsa::raft {

// A control record with its value owned.
struct OwnedControl {
  protocol::ControlType type = protocol::ControlType::kUnknown;
  Buffer value;
};
Buffer make_control_batch(const std::vector<OwnedControl>& records, Offset base, LeaderEpoch epoch, TimestampMs now_ms);

OwnedControl leader_change_record(int32_t leader, const VoterSet& voters, const std::vector<int32_t>& granting);
OwnedControl kraft_version_record(int16_t version);
OwnedControl voters_record(const VoterSet& voters);
OwnedControl snapshot_header_record(TimestampMs last_contained_log_ms);
OwnedControl snapshot_footer_record();

Result<VoterSet> decode_voters(Bytes value);
Result<int16_t> decode_kraft_version(Bytes value);
Result<TimestampMs> decode_snapshot_header(Bytes value);

class VotersHistory {
 public:
  explicit VotersHistory(VoterSet static_voters) : static_voters_(std::move(static_voters)) {}

  // The newest set, or the static one; with the newest kraft.version, 0 where none was written.
  [[nodiscard]] const VoterSet& voters() const;
  [[nodiscard]] int16_t kraft_version() const;
  // As of the records below `end`.
  [[nodiscard]] const VoterSet& voters_at(Offset end) const;
  [[nodiscard]] int16_t kraft_version_at(Offset end) const;
  // Offset of the newest VOTERS record; -1: only static or from a snapshot's head.
  [[nodiscard]] Offset last_voters_offset() const;

  void set_voters(Offset offset, VoterSet voters) { voters_[offset] = std::move(voters); }
  void set_kraft_version(Offset offset, int16_t version) { versions_[offset] = version; }
  // Takes in the control records of a batch of the log; data batches change nothing.
  Result<void> replay(const protocol::BatchView& batch);
  // Forgets what stood at and above `offset`.
  void truncate(Offset offset);
  // A snapshot with this end replaces everything below it; its own records are set at end - 1.
  void restart();

 private:
  VoterSet static_voters_;
  std::map<Offset, VoterSet> voters_;
  std::map<Offset, int16_t> versions_;
};

}  // namespace samsa::raft
