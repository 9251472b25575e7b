// witness: says when the machine itself stood still. A virtual machine that has used what it may is stopped as a whole, and nothing that runs in it
// can tell a request that waited for its broker from one that waited for the machine.
//
//   witness SECONDS
//
// On each processor a thread that goes before all others sleeps half a millisecond at a time. Where all of them were woken late over the same time,
// nobody ran. Prints one line of JSON: stood, the longest such time, and stood_in_all, their sum, in milliseconds. Needs the right to real-time
// scheduling; without it a busy machine looks like one that stands, so it says so and ends with 1.
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <vector>

namespace {

constexpr int64_t kStepNs = 500'000;
constexpr int64_t kLateNs = 500'000;

struct Span {
  int64_t from = 0;  // Nanoseconds, when it was to be woken,
  int64_t to = 0;    // and when it was.
};

int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

bool go_first(size_t processor) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(processor, &only);
  const sched_param first{.sched_priority = sched_get_priority_max(SCHED_FIFO)};
  return pthread_setaffinity_np(pthread_self(), sizeof only, &only) == 0 && pthread_setschedparam(pthread_self(), SCHED_FIFO, &first) == 0;
}

std::vector<Span> watch(int64_t until) {
  std::vector<Span> late;
  for (int64_t due = now_ns() + kStepNs; due < until; due = std::max(due + kStepNs, now_ns())) {
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

int main(int argc, char** argv) {
  const double seconds = argc == 2 ? std::atof(argv[1]) : 0;
  if (seconds <= 0) {
    std::fprintf(stderr, "usage: witness SECONDS\n");
    return 1;
  }
  mlockall(MCL_CURRENT | MCL_FUTURE);
  const int64_t until = now_ns() + static_cast<int64_t>(seconds * 1e9);
  const auto processors = static_cast<size_t>(sysconf(_SC_NPROCESSORS_ONLN));
  std::vector<std::vector<Span>> late(processors);
  std::vector<std::thread> threads;
  std::atomic<bool> first = true;
  for (size_t i = 0; i < processors; ++i) {
    threads.emplace_back([&, i] {
      if (go_first(i)) late[i] = watch(until);
      else first = false;
    });
  }
  for (auto& thread : threads) thread.join();
  if (!first) {
    std::fprintf(stderr, "witness: the system does not let its threads go first\n");
    return 1;
  }
  std::vector<Span> stood = late[0];
  for (size_t i = 1; i < processors; ++i) stood = both(stood, late[i]);
  int64_t longest = 0, all = 0;
  for (const Span& span : stood) {
    longest = std::max(longest, span.to - span.from);
    all += span.to - span.from;
  }
  std::printf("{\"stood\": %.3f, \"stood_in_all\": %.3f}\n", static_cast<double>(longest) / 1e6, static_cast<double>(all) / 1e6);
}
