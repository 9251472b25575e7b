// What another process holds just now: a lock, a port. One that was killed keeps them until the system has taken it apart, which waits for what it was
// writing to the disk. For starts only: the thread waits.
#pragma once

#include <chrono>
#include <thread>

namespace samsa::io::real {

inline constexpr std::chrono::milliseconds kPatience{2000};

// Until attempt() is true, for kPatience at most. Whether it was.
template <class Attempt>
bool succeeds_soon(Attempt attempt) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!attempt()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

}  // namespace samsa::io::real
