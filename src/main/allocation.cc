// operator new and delete of the program: small blocks come from the thread's free lists, as coroutine frames do (io/task.h), what they do
// not have from malloc. A request that takes and gives back the same sizes as the one before costs the allocator nothing.
//
// Blocks may end on another thread than they began on; they join its lists, which are bounded. Deletes that do not know the size go to
// free(): every block is one of malloc's. Sanitizers keep their own.
#include <cstdlib>
#include <new>

#include "io/task.h"
#include "io/work.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SAMSA_OWN_NEW 0
#endif
#endif
#ifndef SAMSA_OWN_NEW
#define SAMSA_OWN_NEW 1
#endif

#if SAMSA_OWN_NEW

void* operator new(size_t size) {
  ++samsa::io::this_work.allocations;
  return samsa::io::allocate_frame(size);
}
void* operator new[](size_t size) { return operator new(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return operator new(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return operator new(size); }
void operator delete(void* block, size_t size) noexcept {
  if (block != nullptr) samsa::io::release_frame(block, size);
}
void operator delete[](void* block, size_t size) noexcept { operator delete(block, size); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { std::free(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { std::free(block); }

#endif
