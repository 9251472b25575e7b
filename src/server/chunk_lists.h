// ChunkLists: the lists of pieces that answers are written from. A connection that writes borrows one of its shard's; an idle one has none.
// A list keeps its memory for the next write, so that a steady state allocates nothing.
// Owner: the shard, on its thread; it outlives the lists that are borrowed.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "io/network.h"

namespace samsa::server {

class ChunkLists {
 public:
  class Borrowed {
   public:
    explicit Borrowed(ChunkLists& from) : from_(from), list_(from.take()) {}
    Borrowed(const Borrowed&) = delete;
    ~Borrowed() { from_.give_back(std::move(list_)); }
    std::vector<io::Chunk>& operator*() { return list_; }

   private:
    ChunkLists& from_;
    std::vector<io::Chunk> list_;  // Empty at first.
  };

 private:
  static constexpr size_t kMostLists = 64;    // That are kept; a burst gives the rest back.
  static constexpr size_t kMostChunks = 256;  // Of a list that is kept.

  std::vector<io::Chunk> take() {
    if (free_.empty()) return {};
    auto list = std::move(free_.back());
    free_.pop_back();
    return list;
  }
  void give_back(std::vector<io::Chunk> list) {
    if (free_.size() >= kMostLists || list.capacity() > kMostChunks) return;
    list.clear();
    free_.push_back(std::move(list));
  }

  std::vector<std::vector<io::Chunk>> free_;
};

}  // namespace samsa::server
