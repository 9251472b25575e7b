// RequestMetrics: what Kafka's RequestMetrics say of one API on one shard: how many requests in which version, which error codes in the
// answers, how large, and how long each phase took. Recording allocates only for the first request of a version or error.
// Owner: the shard, through ShardMetrics.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "io/loop.h"
#include "metrics/histogram.h"
#include "metrics/meter.h"

namespace samsa::server {

// When one request passed what; all of one loop's clock.
struct RequestTimes {
  io::MonoTime received;       // The loop's turn in which its frame was there.
  io::MonoTime started;        // The handler was called.
  io::MonoTime finished;       // The answer is encoded.
  io::MonoTime write_started;
  io::MonoTime written;
  io::Duration waited{};       // Of the handler's time: for others.
};

class RequestMetrics {
 public:
  void count_version(int16_t version) {
    const auto at = static_cast<size_t>(version < 0 ? 0 : version);
    if (at >= versions_.size()) versions_.resize(at + 1);
    versions_[at].add();
  }
  void count_error(int16_t code) {
    for (auto& [known, meter] : errors_) {
      if (known == code) return meter.add();
    }
    errors_.emplace_back(code, metrics::Meter{}).second.add();
  }
  void record(const RequestTimes& times, uint64_t request_bytes, int32_t throttle_ms) {
    bytes.record(request_bytes);
    queue_time.record(micros(times.started - times.received));
    local_time.record(micros(times.finished - times.started - times.waited));
    record_often_zero(remote_time, times.waited);
    record_often_zero(throttle_time, std::chrono::milliseconds(throttle_ms));
    record_often_zero(response_queue_time, times.write_started - times.finished);
    response_send_time.record(micros(times.written - times.write_started));
    total_time.record(micros(times.written - times.received));
  }
  void tick() {
    for (auto& meter : versions_) meter.tick();
    for (auto& [code, meter] : errors_) meter.tick();
  }
  void rotate() {
    for (auto* histogram : {&bytes, &queue_time, &local_time, &remote_time, &throttle_time, &response_queue_time, &response_send_time, &total_time}) {
      histogram->rotate();
    }
  }
  [[nodiscard]] const auto& versions() const { return versions_; }  // By version; a count of 0: never seen.
  [[nodiscard]] const auto& errors() const { return errors_; }

  metrics::Histogram bytes, queue_time, local_time, remote_time, throttle_time, response_queue_time, response_send_time, total_time;

 private:
  static void record_often_zero(metrics::Histogram& histogram, io::Duration d) {
    d.count() == 0 ? histogram.record_zero() : histogram.record(micros(d));
  }
  static uint64_t micros(io::Duration d) { return d.count() <= 0 ? 0 : static_cast<uint64_t>(d.count()) / 1000; }
  std::vector<metrics::Meter> versions_;
  std::vector<std::pair<int16_t, metrics::Meter>> errors_;  // NONE nearly always first.
};

}  // namespace samsa::server
