// BrokerPresence: how a controller learns within milliseconds that a broker's process is dead, without ever taking a living one for dead.
//
// A broker binds its listeners before it registers and closes them only after the controller has let it go, or by ending: a listening socket of
// a process that lives, stopped or busy as it may be, never refuses a connection (the system answers for it). So a broker is dead when
//   1. no connection is open over which it has sent this controller a heartbeat in its present registration, and
//   2. its registered address refuses a connection (the system there answers, and nobody listens), and
//   3. a connection to that very address was accepted earlier in this registration, so that the address does lead there from here.
// A host that does not answer says nothing: then the session decides (broker.session.timeout.ms). Every controller looks (3) for itself, active or
// not; the active one acts. Being wrong would not lose a record either: the fence is a new leader epoch like any other.
// Owner: the metadata shard.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "io/sync.h"
#include "io/world.h"
#include "metadata/image.h"

namespace samsa::metadata {

class BrokerPresence {
 public:
  // `own_id`: the broker in this process is not looked at. `died`: called for the active controller; may be called again until the
  // image has taken it in.
  BrokerPresence(io::World world, int32_t own_id, std::function<void(int32_t broker, int64_t epoch)> died);
  ~BrokerPresence();

  void on_image(const ImagePtr& image);
  void set_active(bool active);
  // A heartbeat of that registration came over the connection.
  void heartbeat(int32_t broker, int64_t epoch, uint64_t connection);
  // A connection of heartbeats ended, whoever closed it.
  void connection_ended(int32_t broker, uint64_t connection);
  io::Task<> stop();

 private:
  struct Watched;
  io::Task<> watch(std::shared_ptr<Watched> watched);
  io::Task<> look(Watched& watched, std::chrono::milliseconds& pause);

  io::World world_;
  int32_t own_id_;
  std::function<void(int32_t, int64_t)> died_;
  std::map<int32_t, std::shared_ptr<Watched>> watched_;
  PersistentMap<int32_t, BrokerImage> brokers_;  // As of the last image.
  io::TaskGroup tasks_;
  bool active_ = false;
  bool stopping_ = false;
};

}  // namespace samsa::metadata
