// FetchWait: a fetch that waits for bytes. One object on the connection's shard; on each shard involved a ShardWatch that is linked into
// the partitions and tells the home shard once enough has become visible. See api/fetch.cc for the order of events.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>

#include "io/loop.h"
#include "io/sync.h"
#include "replication/partition.h"

namespace samsa::server {

// On the home shard; shared with the messages that may still be on their way when the fetch has been answered.
struct FetchWait {
  explicit FetchWait(io::Loop& home_loop) : home(home_loop) {}
  io::Loop& home;
  io::Signal changed;
  bool woken = false;

  void wake() {
    woken = true;
    changed.notify_all();
  }
};

// The watches of one fetch on one shard. Made, linked and cleared on that shard.
class ShardWatch {
 public:
  ShardWatch(io::Loop& loop, std::shared_ptr<FetchWait> wait) : loop_(loop), wait_(std::move(wait)) {}
  ShardWatch(const ShardWatch&) = delete;

  // Counts what becomes visible of the partition from `from` on. `already` bytes are visible now.
  void add(replication::Partition& partition, replication::Watch::Kind kind, Offset from, uint64_t already) {
    auto& entry = entries_.emplace_back();
    entry.kind = kind;
    entry.from = from;
    entry.wake = &ShardWatch::on_wake;
    entry.visible = already;
    entry.owner = this;
    visible_ += already;
    partition.watch(entry);
  }
  // Tells the home shard once this many bytes are visible.
  void arm(uint64_t enough) {
    enough_ = enough;
    told_ = false;
  }
  // Something has changed since the read that this watch stands for: the home shard is to look again at once.
  void tell() {
    if (told_) return;
    told_ = true;
    if (&loop_ == &wait_->home) {
      wait_->wake();
    } else {
      wait_->home.post_remote([wait = wait_] { wait->wake(); });
    }
  }
  void clear() {
    entries_.clear();
    visible_ = 0;
    told_ = true;
  }

 private:
  struct Entry : replication::Watch {
    uint64_t visible = 0;
    ShardWatch* owner = nullptr;
  };
  static void on_wake(replication::Watch& watch, uint64_t visible) {
    auto& entry = static_cast<Entry&>(watch);
    entry.owner->grown(entry, visible);
  }
  void grown(Entry& entry, uint64_t visible) {
    if (told_) return;
    const bool gone = visible == replication::Watch::kGone;
    if (!gone) {
      visible_ += visible - std::min(visible, entry.visible);
      entry.visible = std::max(visible, entry.visible);
    }
    if (gone || visible_ >= enough_) tell();
  }

  io::Loop& loop_;
  std::shared_ptr<FetchWait> wait_;
  std::deque<Entry> entries_;  // Addresses stay.
  uint64_t visible_ = 0;
  uint64_t enough_ = 1;
  bool told_ = true;
};

}  // namespace samsa::server
