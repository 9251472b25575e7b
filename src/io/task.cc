#include "io/task.h"

#include <cstdlib>
#include <new>

#include "base/assert.h"
#include "io/work.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SAMSA_PLAIN_FRAMES 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SAMSA_PLAIN_FRAMES 1
#endif

namespace samsa::io {

constinit thread_local Work this_work;

#ifdef SAMSA_PLAIN_FRAMES

// Every frame its own allocation, so that the sanitizer sees a use after its end.
void* allocate_frame(size_t size) { return ::operator new(size); }
void release_frame(void* frame, size_t size) noexcept { ::operator delete(frame, size); }

#else

namespace {

constexpr size_t kStep = 64;            // Bytes between two size classes.
constexpr size_t kClasses = 128;        // Blocks above 8 KiB go to the allocator.
constexpr size_t kKeepBytes = 128 << 10;  // What one class keeps at most; a burst gives the rest back.

size_t class_of(size_t size) { return size == 0 ? 0 : (size - 1) / kStep; }

struct FreeFrame {
  FreeFrame* next;
};

// Trivially destructible, so that an access costs no guard; Cleaner empties it at the thread's end.
struct FreeLists {
  FreeFrame* head[kClasses];
  size_t kept[kClasses];
  bool armed;
  bool closed;
};
thread_local constinit FreeLists lists{};

struct Cleaner {
  ~Cleaner() {
    lists.closed = true;
    for (auto*& head : lists.head) {
      while (head) std::free(std::exchange(head, head->next));
    }
  }
};

void* from_allocator(size_t size) {
  ++this_work.allocator_calls;
  void* block = std::malloc(size);
  SAMSA_ASSERT(block != nullptr, "out of memory");
  return block;
}

void arm_cleaner() {
  static thread_local Cleaner cleaner;
  (void)cleaner;
  lists.armed = true;
}

}  // namespace

void* allocate_frame(size_t size) {
  const size_t index = class_of(size);
  if (index >= kClasses) return from_allocator(size);
  FreeFrame* head = lists.head[index];
  if (head) [[likely]] {
    lists.head[index] = head->next;
    --lists.kept[index];
    return head;
  }
  return from_allocator((index + 1) * kStep);
}

void release_frame(void* frame, size_t size) noexcept {
  const size_t index = class_of(size);
  if (index >= kClasses || lists.closed || lists.kept[index] * (index + 1) * kStep >= kKeepBytes) return std::free(frame);
  if (!lists.armed) [[unlikely]]
    arm_cleaner();
  auto* head = static_cast<FreeFrame*>(frame);
  head->next = lists.head[index];
  lists.head[index] = head;
  ++lists.kept[index];
}

#endif

}  // namespace samsa::io
