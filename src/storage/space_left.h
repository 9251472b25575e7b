// SpaceLeft: what the logs of one shard may still write in one log directory before the reserve (samsa.disk.reserve.bytes) is touched.
//
// The file system is asked every second, and again whenever the shard has written a good part of what was left: a fast producer can fill
// a disk between two ticks of a clock. Batches of clients, and those that followers get from leaders, are refused when they would reach into the
// reserve; coordinators and the quorum go on, out of the reserve. Compaction waits for room. Owner: LogManager, on the shard's loop.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>

namespace samsa::storage {

class SpaceLeft {
 public:
  // `ask`: the bytes above the reserve now, or UINT64_MAX where that is not known or there is no reserve; 0 where they are not more than
  // its argument: the disk is full.
  SpaceLeft(std::function<uint64_t(uint64_t needed)> ask, size_t shards) : ask_(std::move(ask)), shards_(std::max<size_t>(shards, 1)) {}

  // Asks the file system.
  void look() {
    above_reserve_ = ask_(refused_);
    unseen_ = 0;
    if (!full()) refused_ = 0;
  }
  [[nodiscard]] bool full() const { return above_reserve_ == 0; }
  // Whether a client's batch of so many bytes must be refused; looks where what was written since the last look may matter.
  bool refuses(uint64_t bytes) {
    if (full()) return true;
    if (unseen_ + bytes > above_reserve_ / (2 * shards_) || unseen_ + bytes > kMostUnseen) look();
    if (bytes <= above_reserve_) return false;
    refused_ = bytes;
    above_reserve_ = ask_(bytes);
    return full();
  }
  // How many bytes fit above the reserve just now. Unlike refuses() it takes nothing from others: whoever asks can wait.
  uint64_t room() {
    look();
    return above_reserve_ == UINT64_MAX || above_reserve_ == 0 ? above_reserve_ : above_reserve_ - 1;
  }
  void wrote(uint64_t bytes) { unseen_ += bytes; }

 private:
  static constexpr uint64_t kMostUnseen = 16U << 20;  // Bytes written between two looks, at most.

  std::function<uint64_t(uint64_t)> ask_;
  size_t shards_;  // That write to the directory at the same time.
  uint64_t above_reserve_ = UINT64_MAX;
  uint64_t unseen_ = 0;   // Written since the last look.
  uint64_t refused_ = 0;  // The batch for which there was no room: with less than that it is not taken again.
};

}  // namespace samsa::storage
