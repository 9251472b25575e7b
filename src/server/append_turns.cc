#include "server/append_turns.h"

#include <algorithm>
#include <utility>

namespace samsa::server {

void AppendTurns::count(uint64_t bytes) {
  if (loop_.now() != round_) {
    round_ = loop_.now();
    appended_ = 0;
  }
  appended_ += bytes;
}

AppendTurns::Turn* AppendTurns::first_of(uint64_t connection) const {
  const auto found = std::ranges::find(placed_, connection, &Turn::connection_);
  return found == placed_.end() ? nullptr : *found;
}

bool AppendTurns::Turn::must_wait(uint64_t bytes) {
  if (turns_.first_of(connection_) != nullptr) return true;
  const bool spent = turns_.loop_.now() == turns_.round_ && turns_.appended_ >= kRoundBytes;
  if (bytes > kSmallBytes && (spent || turns_.waiting_ > 0)) return true;
  turns_.count(bytes);
  return false;
}

io::Task<> AppendTurns::Turn::wait(uint64_t bytes) {
  hold();
  ++turns_.waiting_;
  co_await io::yield(turns_.loop_, io::Priority::kBulk);
  --turns_.waiting_;
  while (turns_.first_of(connection_) != this) {
    co_await first_.wait(turns_.loop_);
    if (bytes > kSmallBytes) co_await io::yield(turns_.loop_, io::Priority::kBulk);  // Not all that stood behind a slow one in a round.
  }
  turns_.count(bytes);
}

void AppendTurns::Turn::hold() {
  if (!std::exchange(placed_, true)) turns_.placed_.push_back(this);
}

void AppendTurns::Turn::end() {
  if (!std::exchange(placed_, false)) return;
  std::erase(turns_.placed_, this);
  if (Turn* next = turns_.first_of(connection_)) next->first_.notify_all();
}

}  // namespace samsa::server
