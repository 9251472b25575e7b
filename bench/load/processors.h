// The clock and the processors of this machine, for the small programs beside the benchmarks.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <cstdint>
#include <ctime>
#include <vector>

inline int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

// Those that this process may use.
inline std::vector<int> processors() {
  cpu_set_t mine;
  CPU_ZERO(&mine);
  std::vector<int> found;
  if (sched_getaffinity(0, sizeof mine, &mine) != 0) return found;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &mine)) found.push_back(i);
  }
  return found;
}

// This thread runs there and nowhere else.
inline bool stay_on(int processor) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(processor, &only);
  return pthread_setaffinity_np(pthread_self(), sizeof only, &only) == 0;
}
