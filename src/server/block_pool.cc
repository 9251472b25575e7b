#include "server/block_pool.h"

#include <bit>
#include <cstdlib>
#include <new>

#include "base/assert.h"
#include "io/work.h"

namespace samsa::server {

void Block::release() {
  if (header_ && --header_->references == 0) header_->pool->give_back(header_);
  header_ = nullptr;
}

BlockPool::~BlockPool() {
  SAMSA_ASSERT(in_use_ == 0 || loop_.tearing_down(), "a request outlives its shard");
  for (auto& list : free_) {
    for (auto* header : list) std::free(header);
  }
}

size_t BlockPool::class_size(size_t index) {
  const size_t base = kSmallest << (index / 4);
  return base + base / 4 * (index % 4);
}

size_t BlockPool::class_of(size_t size) {
  if (size <= kSmallest) return 0;
  const size_t power = std::bit_width(size - 1) - 1 - std::bit_width(kSmallest - 1);
  const size_t quarter = (kSmallest << power) / 4;
  return power * 4 + (size - (kSmallest << power) + quarter - 1) / quarter;
}

Block BlockPool::take(size_t size) {
  const size_t index = class_of(size);
  const bool kept = index < kClasses;
  const size_t capacity = kept ? class_size(index) : size;
  in_use_ += capacity;
  if (kept && !free_[index].empty()) {
    auto* header = free_[index].back();
    free_[index].pop_back();
    free_bytes_ -= capacity;
    header->references = 1;
    header->acquired = false;
    return Block(header);
  }
  ++io::this_work.allocator_calls;
  void* memory = std::malloc(sizeof(Block::Header) + capacity);
  SAMSA_ASSERT(memory != nullptr, "out of memory");
  return Block(new (memory) Block::Header{this, capacity, 1, false});
}

Block BlockPool::take_acquired(size_t size) {
  Block block = take(size);
  block.header_->acquired = true;
  acquired_ += block.capacity();
  return block;
}

io::Task<Block> BlockPool::acquire(size_t size) {
  if (!turn_.locked() && has_room(size)) co_return take_acquired(size);
  const auto turn = co_await turn_.lock(loop_);
  while (!has_room(size)) co_await room_.wait(loop_);
  co_return take_acquired(size);
}

void BlockPool::give_back(Block::Header* header) {
  const size_t capacity = header->capacity;
  in_use_ -= capacity;
  if (header->acquired) acquired_ -= capacity;
  const size_t index = class_of(capacity);
  if (index < kClasses && free_bytes_ + capacity <= keep_) {
    free_[index].push_back(header);
    free_bytes_ += capacity;
  } else {
    std::free(header);
  }
  if (room_.has_waiters()) room_.notify_all();
}

}  // namespace samsa::server
