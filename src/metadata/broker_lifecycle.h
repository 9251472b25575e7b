// BrokerLifecycle: a broker's standing with the active controller: registration, heartbeats, unfencing, controlled shutdown.
// Owner: the metadata shard. Wherever the active controller is, on this node or another, it is asked through ControllerChannel.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/sync.h"
#include "io/world.h"
#include "metadata/image.h"
#include "metadata/publisher.h"
#include "metadata/wire_types.h"

namespace samsa::metadata {

struct BrokerOptions {
  int32_t node_id = -1;
  std::string cluster_id;
  Uuid incarnation;                  // Random per process.
  std::vector<Endpoint> endpoints;   // Advertised listeners; ports are the bound ones.
  std::optional<std::string> rack;
  std::vector<Uuid> log_dirs;        // Online directories.
  std::map<std::string, FeatureRange, std::less<>> features;  // features.h: supported_features()
  int64_t previous_broker_epoch = -1;  // From .kafka_cleanshutdown; -1: none, or the stop was not clean.
  std::chrono::milliseconds heartbeat_interval{2000};    // broker.heartbeat.interval.ms
  std::chrono::milliseconds registration_timeout{60000}; // initial.broker.registration.timeout.ms
};

// The way to the active controller. Calls fail with NOT_CONTROLLER or NETWORK_EXCEPTION when it is unknown or went away; the caller
// tries again.
class ControllerChannel {
 public:
  virtual ~ControllerChannel() = default;
  virtual io::Task<Result<BrokerRegistrationResponse>> register_broker(const BrokerRegistrationRequest& request) = 0;
  virtual io::Task<Result<BrokerHeartbeatResponse>> heartbeat(const BrokerHeartbeatRequest& request) = 0;
  virtual io::Task<Result<ControllerRegistrationResponse>> register_controller(const ControllerRegistrationRequest& request) = 0;
  // Whether so many voters' addresses refuse connections that no majority is left: their processes have ended.
  virtual io::Task<bool> majority_refuses() = 0;
  // Resumes when another controller may have become active, or after the time given.
  virtual io::Task<> wait_change(std::chrono::milliseconds at_most) = 0;
};

class BrokerLifecycle {
 public:
  BrokerLifecycle(io::World world, BrokerOptions options, ControllerChannel& channel, Publisher& publisher);
  ~BrokerLifecycle();

  // Registers (again and again until the registration timeout, as a predecessor's session may have to run out), then heartbeats in
  // the background. Resumes when this broker has applied its own registration. Errors: what the controller says for good
  // (INCONSISTENT_CLUSTER_ID, INVALID_REGISTRATION, UNSUPPORTED_VERSION), REQUEST_TIMED_OUT.
  io::Task<Result<void>> register_and_wait_caught_up();
  // Asks to be unfenced and waits until the image says so.
  io::Task<Result<void>> unfence();
  // Controlled shutdown: leadership moves away. Resumes when the controller lets this broker go, when there is
  // none any more, or at the deadline.
  io::Task<> controlled_shutdown(io::MonoTime deadline);
  // Ends the heartbeats.
  io::Task<> stop();

  // Another controller is active: it hears of this broker at once.
  void controller_changed() { poke_.notify_all(); }
  // -1 before registration.
  [[nodiscard]] int64_t broker_epoch() const { return broker_epoch_; }
  // Tells the controller of a directory that failed with the next heartbeat, which is sent at once.
  void directory_failed(const Uuid& directory);
  // Directories that are to get no new replicas; nothing where the cluster's metadata.version does not know that. Told with the next
  // heartbeat, which is sent at once where something changed.
  void set_cordoned(std::optional<std::vector<Uuid>> directories);

 private:
  io::Task<> heartbeat_loop();
  // Whether the controller answered.
  io::Task<bool> beat();

  io::World world_;
  BrokerOptions options_;
  ControllerChannel& channel_;
  Publisher& publisher_;
  int64_t broker_epoch_ = -1;
  bool want_fence_ = true;
  bool want_shutdown_ = false;
  bool caught_up_ = false;
  bool fenced_ = true;
  bool should_shutdown_ = false;
  io::MonoTime answered_at_{};  // When the controller last answered a heartbeat.
  bool stopping_ = false;
  std::vector<Uuid> offline_dirs_;
  std::optional<std::vector<Uuid>> cordoned_;
  io::Signal poke_;
  io::Signal changed_;
  io::TaskGroup tasks_;
};

}  // namespace samsa::metadata
