// What one replica asks another, and the answers. Destinations: voters by node id; bootstrap servers, whose ids are not known, by
// -2, -3, ... in the order of the setting.
#pragma once

#include <cstdint>
#include <variant>

#include "base/ids.h"
#include "io/network.h"
#include "protocol/api/add_raft_voter.h"
#include "protocol/api/begin_quorum_epoch.h"
#include "protocol/api/describe_quorum.h"
#include "protocol/api/end_quorum_epoch.h"
#include "protocol/api/fetch.h"
#include "protocol/api/fetch_snapshot.h"
#include "protocol/api/remove_raft_voter.h"
#include "protocol/api/update_raft_voter.h"
#include "protocol/api/vote.h"

namespace samsa::raft {

using Question = std::variant<protocol::VoteRequest, protocol::BeginQuorumEpochRequest, protocol::EndQuorumEpochRequest, protocol::FetchRequest,
                              protocol::FetchSnapshotRequest, protocol::UpdateRaftVoterRequest, protocol::AddRaftVoterRequest,
                              protocol::RemoveRaftVoterRequest>;
using Answer = std::variant<protocol::VoteResponse, protocol::BeginQuorumEpochResponse, protocol::EndQuorumEpochResponse, protocol::FetchResponse,
                            protocol::FetchSnapshotResponse, protocol::UpdateRaftVoterResponse, protocol::AddRaftVoterResponse,
                            protocol::RemoveRaftVoterResponse>;

struct Ask {
  int32_t peer = -1;
  io::Address address;
  LeaderEpoch epoch = 0;  // The sender's when it asked.
  Question question;
};

}  // namespace samsa::raft
