// witness: says when nobody ran on this machine. A virtual machine that has used what it may is stopped as a whole, and who waits for a broker cannot
// tell that from a broker that takes its time.
//
//   witness    says "ready" and watches until standard input ends
//
// On each processor a thread that goes before all others sleeps half a millisecond at a time. Where all of them were woken late over the same time,
// the machine stood; or, less often, all processors were in a long call of the system at once, which nobody may interrupt, or the system gave ordinary
// threads the time that it keeps for them (sched_rt_runtime_us).
// Prints one line of JSON: stood, the longest such time in milliseconds.
// Without the right to real-time scheduling a busy machine would look like one that stands: then it says so and ends with 1.
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <latch>
#include <thread>
#include <vector>

#include "processors.h"

namespace {

constexpr int64_t kStepNs = 500'000;
constexpr int64_t kLateNs = 500'000;

struct Span {
  int64_t from = 0;  // Nanoseconds, when it was to be woken,
  int64_t to = 0;    // and when it was.
};

void wait_for_the_end_of_input() {
  char bytes[64];
  while (::read(STDIN_FILENO, bytes, sizeof bytes) > 0) {
  }
}

bool go_first(int processor) {
  const sched_param first{.sched_priority = sched_get_priority_max(SCHED_FIFO)};
  return stay_on(processor) && pthread_setschedparam(pthread_self(), SCHED_FIFO, &first) == 0;
}

std::vector<Span> watch(const std::atomic<bool>& over) {
  std::vector<Span> late;
  for (int64_t due = now_ns() + kStepNs; !over; due = std::max(due + kStepNs, now_ns())) {
    const timespec at{.tv_sec = due / 1'000'000'000, .tv_nsec = due % 1'000'000'000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
    if (const int64_t woken = now_ns(); woken - due >= kLateNs) late.push_back({due, woken});
  }
  return late;
}

// What lies in a span of both; each in order.
std::vector<Span> both(const std::vector<Span>& some, const std::vector<Span>& others) {
  std::vector<Span> found;
  for (size_t i = 0, j = 0; i < some.size() && j < others.size();) {
    const Span overlap{std::max(some[i].from, others[j].from), std::min(some[i].to, others[j].to)};
    if (overlap.to > overlap.from) found.push_back(overlap);
    (some[i].to < others[j].to ? i : j)++;
  }
  return found;
}

}  // namespace

int main(int argc, char**) {
  if (argc != 1) {
    std::fprintf(stderr, "usage: witness, until standard input ends\n");
    return 1;
  }
  const std::vector<int> watched = processors();
  std::vector<std::vector<Span>> late(watched.size());
  std::vector<std::thread> threads;
  std::atomic<bool> over = false;
  std::atomic<bool> first = !watched.empty();
  std::latch asked(static_cast<std::ptrdiff_t>(watched.size()));
  for (size_t i = 0; i < watched.size(); ++i) {
    threads.emplace_back([&, i] {
      const bool goes_first = go_first(watched[i]);
      if (!goes_first) first = false;
      asked.count_down();
      if (goes_first) late[i] = watch(over);
    });
  }
  asked.wait();
  if (first) std::puts("ready");
  std::fflush(stdout);
  if (first) wait_for_the_end_of_input();
  over = true;
  for (auto& thread : threads) thread.join();
  if (!first) {
    std::fprintf(stderr, "witness: the system does not let its threads go first\n");
    return 1;
  }
  std::vector<Span> stood = late[0];
  for (size_t i = 1; i < late.size(); ++i) stood = both(stood, late[i]);
  int64_t longest = 0;
  for (const Span& span : stood) longest = std::max(longest, span.to - span.from);
  std::printf("{\"stood\": %.3f}\n", static_cast<double>(longest) / 1e6);
}
