#include "server/append_turns.h"

#include <algorithm>

namespace samsa::server {

void AppendTurns::count(uint64_t bytes) {
  if (loop_.now() != round_) {
    round_ = loop_.now();
    appended_ = 0;
  }
  appended_ += bytes;
}

bool AppendTurns::must_wait(uint64_t connection, uint64_t bytes) {
  if (std::ranges::find(waiting_, connection) != waiting_.end()) return true;
  const bool spent = loop_.now() == round_ && appended_ >= kRoundBytes;
  if (bytes > kSmallBytes && (spent || !waiting_.empty())) return true;
  count(bytes);
  return false;
}

io::Task<> AppendTurns::wait(uint64_t connection, uint64_t bytes) {
  waiting_.push_back(connection);
  co_await io::yield(loop_, io::Priority::kBulk);
  waiting_.erase(std::ranges::find(waiting_, connection));
  count(bytes);
}

}  // namespace samsa::server
