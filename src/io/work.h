// Work: what this thread has done of the things that the hot road has a budget for (docs/PERFORMANCE.md): calls of the system, memory taken,
// payload copied, messages to other shards. A shard is a thread, so these are a shard's counts; metrics show them.
//
// Plain numbers of the thread: counting is one addition. Shards that share a thread (the simulated world) share the counts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace samsa::io {

enum class SystemCall : uint8_t { kPoll, kReceive, kSend, kSendFile, kRead, kWrite, kWake, kCount };
inline constexpr size_t kSystemCalls = static_cast<size_t>(SystemCall::kCount);
// The system's names of them, for metrics.
inline constexpr std::array<std::string_view, kSystemCalls> kSystemCallNames{"epoll_wait", "recv", "sendmsg", "sendfile", "pread", "pwrite", "eventfd"};

struct Work {
  std::array<uint64_t, kSystemCalls> system_calls{};
  uint64_t allocations = 0;      // Calls of operator new; counted in the program samsa only (main/allocation.cc).
  uint64_t allocator_calls = 0;  // Times that the free lists had nothing, and the allocator was asked.
  uint64_t copied_bytes = 0;     // Of requests and answers, from one place of the memory to another.
  uint64_t hops = 0;             // Messages posted to other shards.

  void count(SystemCall call) { ++system_calls[static_cast<size_t>(call)]; }
};

extern constinit thread_local Work this_work;

}  // namespace samsa::io
