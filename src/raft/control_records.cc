#include "raft/control_records.h"

#include <algorithm>

#include "protocol/codec.h"
#include "protocol/record/k_raft_version_record.h"
#include "protocol/record/leader_change_message.h"
#include "protocol/record/snapshot_footer_record.h"
#include "protocol/record/snapshot_header_record.h"
#include "protocol/record/voters_record.h"

namespace samsa::raft {

using protocol::ControlType;

Buffer make_control_batch(const std::vector<OwnedControl>& records, Offset base, LeaderEpoch epoch, TimestampMs now_ms) {
  std::vector<protocol::ControlRecord> views;
  views.reserve(records.size());
  for (const auto& record : records) views.push_back({record.type, record.value});
  return protocol::control_batch(views, base, epoch, now_ms);
}

OwnedControl leader_change_record(int32_t leader, const VoterSet& voters, const std::vector<int32_t>& granting) {
  protocol::LeaderChangeMessage message;
  message.version = 0;
  message.leader_id = leader;
  for (const auto& [id, voter] : voters.all()) message.voters.push_back({.voter_id = id});
  for (const int32_t id : granting) message.granting_voters.push_back({.voter_id = id});
  return {ControlType::kLeaderChange, protocol::encode_to_buffer(message, 0)};
}

OwnedControl kraft_version_record(int16_t version) {
  protocol::KRaftVersionRecord message;
  message.k_raft_version = version;
  return {ControlType::kKraftVersion, protocol::encode_to_buffer(message, 0)};
}

OwnedControl voters_record(const VoterSet& voters) {
  protocol::VotersRecord message;
  for (const auto& [id, voter] : voters.all()) {
    auto& to = message.voters.emplace_back();
    to.voter_id = id;
    to.voter_directory_id = voter.key.directory;
    for (const auto& endpoint : voter.endpoints) {
      auto& e = to.endpoints.emplace_back();
      e.name = endpoint.listener;
      e.host = endpoint.host;
      e.port = endpoint.port;
    }
    to.k_raft_version_feature.min_supported_version = voter.min_kraft_version;
    to.k_raft_version_feature.max_supported_version = voter.max_kraft_version;
  }
  return {ControlType::kKraftVoters, protocol::encode_to_buffer(message, 0)};
}

OwnedControl snapshot_header_record(TimestampMs last_contained_log_ms) {
  protocol::SnapshotHeaderRecord message;
  message.last_contained_log_timestamp = last_contained_log_ms;
  return {ControlType::kSnapshotHeader, protocol::encode_to_buffer(message, 0)};
}

OwnedControl snapshot_footer_record() {
  return {ControlType::kSnapshotFooter, protocol::encode_to_buffer(protocol::SnapshotFooterRecord{}, 0)};
}

Result<VoterSet> decode_voters(Bytes value) {
  TRY_ASSIGN(const auto message, protocol::decode<protocol::VotersRecord>(value, 0));
  VoterSet voters;
  for (const auto& from : message.voters) {
    Voter voter;
    voter.key = {from.voter_id, from.voter_directory_id};
    for (const auto& e : from.endpoints) voter.endpoints.push_back({e.name.str(), e.host.str(), e.port});
    voter.min_kraft_version = from.k_raft_version_feature.min_supported_version;
    voter.max_kraft_version = from.k_raft_version_feature.max_supported_version;
    voters.add(std::move(voter));
  }
  return voters;
}

Result<int16_t> decode_kraft_version(Bytes value) {
  TRY_ASSIGN(const auto message, protocol::decode<protocol::KRaftVersionRecord>(value, 0));
  return message.k_raft_version;
}

Result<TimestampMs> decode_snapshot_header(Bytes value) {
  TRY_ASSIGN(const auto message, protocol::decode<protocol::SnapshotHeaderRecord>(value, 0));
  return message.last_contained_log_timestamp;
}

namespace {
template <class Map>
auto below(const Map& map, Offset end) -> const typename Map::mapped_type* {
  auto it = map.lower_bound(end);
  return it == map.begin() ? nullptr : &std::prev(it)->second;
}
}  // namespace

const VoterSet& VotersHistory::voters() const { return voters_.empty() ? static_voters_ : voters_.rbegin()->second; }
int16_t VotersHistory::kraft_version() const { return versions_.empty() ? 0 : versions_.rbegin()->second; }
const VoterSet& VotersHistory::voters_at(Offset end) const {
  const auto* found = below(voters_, end);
  return found != nullptr ? *found : static_voters_;
}
int16_t VotersHistory::kraft_version_at(Offset end) const {
  const auto* found = below(versions_, end);
  return found != nullptr ? *found : int16_t{0};
}
Offset VotersHistory::last_voters_offset() const { return voters_.empty() ? -1 : voters_.rbegin()->first; }

Result<void> VotersHistory::replay(const protocol::BatchView& batch) {
  if (!batch.is_control()) return {};
  protocol::Scratch scratch;
  TRY_ASSIGN(auto reader, protocol::RecordReader::open(batch, scratch));
  protocol::Record record;
  while (true) {
    TRY_ASSIGN(const bool more, reader.next(record));
    if (!more) return {};
    TRY_ASSIGN(const auto type, protocol::control_type(record.key));
    if (type == ControlType::kKraftVoters && record.value) {
      TRY_ASSIGN(voters_[record.offset], decode_voters(*record.value));
    } else if (type == ControlType::kKraftVersion && record.value) {
      TRY_ASSIGN(versions_[record.offset], decode_kraft_version(*record.value));
    }
  }
}

void VotersHistory::truncate(Offset offset) {
  voters_.erase(voters_.lower_bound(offset), voters_.end());
  versions_.erase(versions_.lower_bound(offset), versions_.end());
}

void VotersHistory::restart() {
  voters_.clear();
  versions_.clear();
}

}  // namespace samsa::raft
