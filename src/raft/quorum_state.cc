#include "raft/quorum_state.h"

#include <fmt/format.h>
#include <simdjson.h>

namespace samsa::raft {

std::string format_quorum_state(const QuorumState& state, int16_t kraft_version, const VoterSet& voters) {
  if (kraft_version >= 1) {
    return fmt::format(R"({{"leaderId":{},"leaderEpoch":{},"votedId":{},"votedDirectoryId":"{}","data_version":1}})", state.leader, state.epoch,
                       state.voted.id, state.voted.directory.to_string());
  }
  std::string list;
  for (const auto& [id, voter] : voters.all()) list += fmt::format(R"({}{{"voterId":{}}})", list.empty() ? "" : ",", id);
  return fmt::format(
      R"({{"clusterId":"","leaderId":{},"leaderEpoch":{},"votedId":{},"appliedOffset":0,"currentVoters":[{}],"data_version":0}})", state.leader,
      state.epoch, state.voted.id, list);
}

namespace {
Result<int32_t> int_field(simdjson::dom::object object, std::string_view name) {
  int64_t value = 0;
  if (object[name].get_int64().get(value) != simdjson::SUCCESS || value < INT32_MIN || value > INT32_MAX) {
    return fail(ErrorCode::kCorruptMessage, fmt::format("quorum-state: field {} is missing or no number", name));
  }
  return static_cast<int32_t>(value);
}
}  // namespace

Result<QuorumState> parse_quorum_state(std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::dom::object object;
  if (parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS || root.get_object().get(object) != simdjson::SUCCESS) {
    return fail(ErrorCode::kCorruptMessage, "quorum-state: not a JSON object");
  }
  QuorumState state;
  TRY_ASSIGN(const int32_t version, int_field(object, "data_version"));
  if (version != 0 && version != 1) {
    return fail(ErrorCode::kCorruptMessage, fmt::format("quorum-state: data_version {} is not known; 0 and 1 are", version));
  }
  TRY_ASSIGN(state.leader, int_field(object, "leaderId"));
  TRY_ASSIGN(state.epoch, int_field(object, "leaderEpoch"));
  TRY_ASSIGN(state.voted.id, int_field(object, "votedId"));
  if (version == 1) {
    std::string_view directory;
    if (object["votedDirectoryId"].get_string().get(directory) != simdjson::SUCCESS) {
      return fail(ErrorCode::kCorruptMessage, "quorum-state: field votedDirectoryId is missing");
    }
    TRY_ASSIGN(state.voted.directory, Uuid::parse(directory));
  }
  return state;
}

Result<std::optional<QuorumState>> QuorumStateFile::read() {
  auto content = io::read_file(disk_, path_);
  if (!content) {
    if (content.error().code == ErrorCode::kResourceNotFound) return std::nullopt;
    return fail(content.error());
  }
  auto state = parse_quorum_state(as_text(*content));
  if (!state) return fail(state.error().code, fmt::format("{}: {}", path_, state.error().message));
  return *state;
}

Result<void> QuorumStateFile::write(const QuorumState& state, int16_t kraft_version, const VoterSet& voters) {
  const std::string text = format_quorum_state(state, kraft_version, voters);
  return io::write_file_atomically(disk_, path_, as_bytes(text));
}

}  // namespace samsa::raft
