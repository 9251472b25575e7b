// Home: on which shard a connection would be served with the fewest hops.
//
// A request whose partitions all lie on one other shard goes there and comes back: two wake-ups of a thread, more than all else that a small
// request costs. A connection that asks for nothing else for a while moves there, if that shard has room for it. It asks less and less often, so
// that one whose partitions change does not go to and fro.
// Owner: the connection; it goes with it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace samsa::server {

class Home {
 public:
  static constexpr int kNowhere = -1;  // A request that is of no partition.
  static constexpr int kSeveral = -2;  // One of partitions on several shards.
  static constexpr uint32_t kFirstPatience = 32;   // Requests.
  static constexpr uint32_t kMostPatience = 1 << 16;

  // Of a request for partitions on these shards, each named once.
  static int place_of(const std::vector<int>& shards) { return shards.empty() ? kNowhere : shards.size() > 1 ? kSeveral : shards[0]; }
  // A request has been served by `here` whose partitions lie on `place`.
  void note(int place, int here) {
    if (place == kNowhere) return;
    if (place < 0 || place == here || place != wish_) in_row_ = 0;
    wish_ = place;
    if (place >= 0 && place != here) ++in_row_;
  }
  // The shard to move to, or kNowhere.
  [[nodiscard]] int wish() const { return in_row_ >= patience_ ? wish_ : kNowhere; }
  // It moved, or was not wanted there.
  void settle() {
    in_row_ = 0;
    patience_ = std::min(patience_ * 2, kMostPatience);
  }

 private:
  int wish_ = kNowhere;
  uint32_t in_row_ = 0;  // Requests for wish_ and no other.
  uint32_t patience_ = kFirstPatience;
};

}  // namespace samsa::server
