#include "raft/voter_set.h"

#include <charconv>

#include <fmt/format.h>

namespace samsa::raft {

std::string ReplicaKey::to_string() const {
  return directory.is_zero() ? fmt::format("{}", id) : fmt::format("{}-{}", id, directory.to_string());
}

const VoterEndpoint* Voter::endpoint(std::string_view listener) const {
  for (const auto& e : endpoints) {
    if (e.listener == listener) return &e;
  }
  return nullptr;
}

VoterSet::VoterSet(std::vector<Voter> voters) {
  for (auto& voter : voters) add(std::move(voter));
}

const Voter* VoterSet::find(int32_t id) const {
  const auto it = voters_.find(id);
  return it == voters_.end() ? nullptr : &it->second;
}

bool VoterSet::contains(const ReplicaKey& key) const {
  const Voter* voter = find(key.id);
  if (voter == nullptr) return false;
  return voter->key.directory.is_zero() || key.directory.is_zero() || voter->key.directory == key.directory;
}

namespace {
std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

template <class T>
bool parse_number(std::string_view text, T& into) {
  const auto end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, into);
  return read.ec == std::errc() && read.ptr == end && !text.empty();
}

// "id@host:port", host may be in brackets; what follows the port (":directory") goes to `rest`.
Result<Voter> parse_voter(std::string_view text, const std::string& listener, std::string_view& rest) {
  const auto wrong = [&] { return fail(ErrorCode::kInvalidRequest, fmt::format("'{}' is not of the form id@host:port", text)); };
  const size_t at = text.find('@');
  if (at == std::string_view::npos) return wrong();
  Voter voter;
  if (!parse_number(text.substr(0, at), voter.key.id) || voter.key.id < 0) return wrong();
  std::string_view address = text.substr(at + 1);
  VoterEndpoint endpoint{listener, {}, 0};
  size_t colon = 0;
  if (address.starts_with('[')) {
    const size_t close = address.find(']');
    if (close == std::string_view::npos) return wrong();
    endpoint.host = std::string(address.substr(1, close - 1));
    colon = close + 1;
  } else {
    colon = address.find(':');
    if (colon == std::string_view::npos) return wrong();
    endpoint.host = std::string(address.substr(0, colon));
  }
  if (colon >= address.size() || address[colon] != ':') return wrong();
  std::string_view port = address.substr(colon + 1);
  const size_t end = port.find(':');
  rest = end == std::string_view::npos ? std::string_view{} : port.substr(end + 1);
  if (!parse_number(port.substr(0, end), endpoint.port) || endpoint.host.empty()) return wrong();
  voter.endpoints.push_back(std::move(endpoint));
  return voter;
}
}  // namespace

Result<VoterSet> parse_static_voters(std::string_view text, const std::string& listener) {
  VoterSet voters;
  for (const auto part : split(text, ',')) {
    if (trim(part).empty()) continue;
    std::string_view rest;
    TRY_ASSIGN(Voter voter, parse_voter(trim(part), listener, rest));
    if (!rest.empty()) return fail(ErrorCode::kInvalidRequest, fmt::format("'{}' is not of the form id@host:port", part));
    if (voters.find(voter.key.id) != nullptr) return fail(ErrorCode::kInvalidRequest, fmt::format("voter {} is named twice", voter.key.id));
    voters.add(std::move(voter));
  }
  return voters;
}

Result<VoterSet> parse_initial_controllers(std::string_view text, const std::string& listener) {
  VoterSet voters;
  for (const auto part : split(text, ',')) {
    if (trim(part).empty()) continue;
    std::string_view rest;
    TRY_ASSIGN(Voter voter, parse_voter(trim(part), listener, rest));
    auto directory = Uuid::parse(rest);
    if (!directory || directory->is_zero()) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("'{}' is not of the form id@host:port:directory-id", part));
    }
    voter.key.directory = *directory;
    if (voters.find(voter.key.id) != nullptr) return fail(ErrorCode::kInvalidRequest, fmt::format("Node id {} was specified more than once.", voter.key.id));
    voters.add(std::move(voter));
  }
  if (voters.empty()) return fail(ErrorCode::kInvalidRequest, "No voters given.");
  return voters;
}

}  // namespace samsa::raft
