// BlockPool: the memory that requests are received into, one pool per shard. A Block is a counted handle; a request keeps its block
// until it is answered, so decoded views and the bytes that go to pwritev stay where the socket wrote them.
//
// Invariants: handles are copied and dropped on the pool's shard only; the pool outlives its blocks. Memory is not cleared.
// With a limit (queued.max.request.bytes) `acquire` waits while the blocks that were acquired use it up, but never for the only one of these. Who
// came first is served first: under overload everybody waits about as long. What is taken does not count.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "io/loop.h"
#include "io/sync.h"
#include "io/task.h"

namespace samsa::server {

class BlockPool;

class Block {
 public:
  Block() = default;
  Block(const Block& other) : header_(other.header_) {
    if (header_) ++header_->references;
  }
  Block(Block&& other) noexcept : header_(std::exchange(other.header_, nullptr)) {}
  Block& operator=(Block other) noexcept {
    std::swap(header_, other.header_);
    return *this;
  }
  ~Block() { release(); }

  explicit operator bool() const { return header_ != nullptr; }
  [[nodiscard]] uint8_t* data() const { return reinterpret_cast<uint8_t*>(header_ + 1); }
  [[nodiscard]] size_t capacity() const { return header_ ? header_->capacity : 0; }
  [[nodiscard]] bool shared() const { return header_ && header_->references > 1; }

 private:
  friend class BlockPool;
  struct Header {
    BlockPool* pool;
    size_t capacity;  // Bytes after the header.
    uint32_t references;
    bool acquired;  // Counts against the limit.
  };
  explicit Block(Header* header) : header_(header) {}
  void release();
  Header* header_ = nullptr;
};

class BlockPool {
 public:
  // `limit_bytes` < 0: none. `keep_bytes`: how much free memory stays for the next requests.
  BlockPool(io::Loop& loop, int64_t limit_bytes, size_t keep_bytes = 8 << 20) : loop_(loop), limit_(limit_bytes), keep_(keep_bytes) {}
  BlockPool(const BlockPool&) = delete;
  ~BlockPool();

  // A block of at least `size` bytes at once, whatever the limit says.
  Block take(size_t size);
  // The same, waiting for room below the limit first, behind those that wait already.
  io::Task<Block> acquire(size_t size);
  [[nodiscard]] size_t bytes_in_use() const { return in_use_; }
  [[nodiscard]] size_t bytes_free() const { return free_bytes_; }

 private:
  friend class Block;
  // Four classes to each power of two from 4 KiB to 2 MiB; larger blocks are not kept.
  static constexpr size_t kSmallest = 4096;
  static constexpr size_t kClasses = 37;
  static size_t class_of(size_t size);
  static size_t class_size(size_t index);
  [[nodiscard]] bool has_room(size_t size) const { return limit_ < 0 || acquired_ == 0 || acquired_ + size <= static_cast<size_t>(limit_); }
  Block take_acquired(size_t size);
  void give_back(Block::Header* header);

  io::Loop& loop_;
  int64_t limit_;
  size_t keep_;
  size_t in_use_ = 0;
  size_t acquired_ = 0;
  size_t free_bytes_ = 0;
  std::array<std::vector<Block::Header*>, kClasses> free_;
  io::Mutex turn_;    // Of those that wait for room.
  io::Signal room_;   // For the first of them.
};

}  // namespace samsa::server
