// BrokerTracker: what the active controller remembers of brokers between their heartbeats and does not write to the log: when each
// was last heard of, and how far it has applied metadata. Times are monotonic and handed in. Lost with leadership: a new active
// controller starts every session anew.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "base/ids.h"

namespace samsa::metadata {

class BrokerTracker {
 public:
  using Time = std::chrono::milliseconds;
  struct Contact {
    int64_t epoch = -1;
    Time last{0};
    Offset applied_offset = -1;
    // The offset that all others must have applied before this broker may stop; set while in controlled shutdown.
    std::optional<Offset> shutdown_offset;
  };

  // Notes a heartbeat.
  void touch(int32_t broker, int64_t epoch, Time now, Offset applied_offset);
  void forget(int32_t broker) { contacts_.erase(broker); }
  void clear() { contacts_.clear(); }
  // Whether the broker was heard of within the timeout.
  [[nodiscard]] bool has_session(int32_t broker, Time now, Time timeout) const;
  [[nodiscard]] const Contact* find(int32_t broker) const;
  void set_shutdown_offset(int32_t broker, Offset offset);
  // Those of `brokers` whose last contact is older than the timeout.
  [[nodiscard]] const std::map<int32_t, Contact>& all() const { return contacts_; }

 private:
  std::map<int32_t, Contact> contacts_;
};

}  // namespace samsa::metadata
