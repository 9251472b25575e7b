// Kernel: what all parts of a simulated world share: virtual time, the queue of coming events, the run's random numbers, faults and
// trace; and Host, a machine with its clocks. One thread.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_function.h"
#include "io/random.h"
#include "io/sim/faults.h"
#include "io/sim/trace.h"

namespace samsa::io::sim {

class Kernel {
 public:
  Kernel(uint64_t seed, const Faults& faults) : random(seed), faults(faults) { trace.mix(seed); }

  // Nanoseconds since the start of the world, as no node sees it.
  int64_t now_ns = 0;
  Random random;
  Faults faults;
  Trace trace;

  // Runs the function when the time has come; those of the same time in the order of the calls.
  void at(int64_t when_ns, UniqueFunction<void()> function) {
    events_.push_back({std::max(when_ns, now_ns), ++sequence_, std::move(function)});
    std::push_heap(events_.begin(), events_.end(), later);
  }
  [[nodiscard]] int64_t next_event_ns() const { return events_.empty() ? INT64_MAX : events_.front().at_ns; }
  void run_due_events() {
    while (next_event_ns() <= now_ns) {
      std::pop_heap(events_.begin(), events_.end(), later);
      auto function = std::move(events_.back().function);
      events_.pop_back();
      function();
    }
  }
  // Forgets what is to come; for the end of the world.
  void drop_events() { events_.clear(); }

  bool chance(double probability) { return probability > 0 && random.fraction() < probability; }
  // Uniform between the two, in nanoseconds.
  int64_t span(Duration low, Duration high) { return random.between(low.count(), std::max(low, high).count()); }

 private:
  struct Event {
    int64_t at_ns;
    uint64_t sequence;
    UniqueFunction<void()> function;
  };
  static bool later(const Event& a, const Event& b) { return a.at_ns != b.at_ns ? a.at_ns > b.at_ns : a.sequence > b.sequence; }
  std::vector<Event> events_;
  uint64_t sequence_ = 0;
};

// A machine: its name and address, whether it is up, and its clocks, which may be wrong.
class Host {
 public:
  Host(Kernel& kernel, std::string name, int index)
      : kernel_(kernel),
        name_(std::move(name)),
        ip_("10.0." + std::to_string(index / 250) + "." + std::to_string(index % 250 + 1)),
        base_mono_ns_(kernel.random.between(1'000'000'000, 1'000'000'000'000)),
        base_ns_(kernel.now_ns) {}
  Host(const Host&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& ip() const { return ip_; }
  // How hard its disk is.
  [[nodiscard]] const Faults& disk() const { return disk_faults ? *disk_faults : kernel_.faults; }

  bool up = true;
  bool paused = false;
  std::optional<Faults> disk_faults;  // Instead of the world's, for this machine's disk while it runs.
  uint64_t boot = 0;       // Counts the starts.
  uint16_t next_port = 0;  // For ports that the system chooses.

  [[nodiscard]] MonoTime mono() const { return {base_mono_ns_ + scale(kernel_.now_ns - base_ns_, 1'000'000 + drift_ppm_, 1'000'000)}; }
  [[nodiscard]] TimestampMs wall_ms() const { return kStartMs + wall_offset_ms_ + (mono().ns - first_mono_ns_) / 1'000'000; }
  // The world's time at which mono() reaches `mono`.
  [[nodiscard]] int64_t world_ns(MonoTime mono) const {
    if (mono == kNever) return INT64_MAX;
    return base_ns_ + scale(mono.ns - base_mono_ns_, 1'000'000, 1'000'000 + drift_ppm_) + 1;
  }
  void jump_wall_ms(int64_t by_ms) { wall_offset_ms_ += by_ms; }
  // The clocks run faster (or slower) by so many millionths.
  void set_drift_ppm(int64_t ppm) {
    const MonoTime now = mono();
    base_ns_ = kernel_.now_ns;
    base_mono_ns_ = now.ns;
    drift_ppm_ = ppm;
  }

 private:
  static constexpr TimestampMs kStartMs = 1'767'225'600'000;  // 2026-01-01.
  static int64_t scale(int64_t value, int64_t times, int64_t by) { return static_cast<int64_t>(static_cast<__int128>(value) * times / by); }
  Kernel& kernel_;
  const std::string name_;
  const std::string ip_;
  int64_t base_mono_ns_;
  const int64_t first_mono_ns_ = base_mono_ns_;
  int64_t base_ns_;
  int64_t drift_ppm_ = 0;
  int64_t wall_offset_ms_ = 0;
};

}  // namespace samsa::io::sim
