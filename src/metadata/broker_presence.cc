#include "metadata/broker_presence.h"

#include <algorithm>

#include "base/log.h"

namespace samsa::metadata {

namespace {
using std::chrono::milliseconds;
constexpr milliseconds kFirstPause{50};
constexpr milliseconds kLongestPause{1000};
constexpr milliseconds kLongestSearch{10'000};  // For an address that was never reached.
constexpr milliseconds kConnectTimeout{1000};
}  // namespace

struct BrokerPresence::Watched {
  int32_t id = -1;
  int64_t epoch = -1;
  io::Address address;
  bool fenced = false;
  bool reached = false;
  uint64_t connection = 0;  // Over which it sends its heartbeats; 0: none that is open.
  bool gone = false;        // Another registration has taken its place.
  io::Signal changed;
};

BrokerPresence::BrokerPresence(io::World world, int32_t own_id, std::function<void(int32_t, int64_t)> died)
    : world_(world), own_id_(own_id), died_(std::move(died)), tasks_(world.loop) {}
BrokerPresence::~BrokerPresence() = default;

void BrokerPresence::on_image(const ImagePtr& image) {
  if (brokers_.same_as(image->brokers) || stopping_) return;
  brokers_ = image->brokers;
  std::erase_if(watched_, [&](auto& entry) {
    const BrokerImage* now = image->broker(entry.first);
    if (now != nullptr && now->epoch == entry.second->epoch) return false;
    entry.second->gone = true;
    entry.second->changed.notify_all();
    return true;
  });
  image->brokers.for_each([&](int32_t id, const BrokerImage& broker) {
    if (id == own_id_ || broker.endpoints.empty()) return;
    auto& slot = watched_[id];
    if (!slot) {
      slot = std::make_shared<Watched>();
      slot->id = id;
      slot->epoch = broker.epoch;
      slot->address = {broker.endpoints.front().host, broker.endpoints.front().port};
      tasks_.spawn(watch(slot));
    }
    slot->fenced = broker.fenced;
    slot->changed.notify_all();
  });
}

void BrokerPresence::set_active(bool active) {
  active_ = active;
  for (const auto& [id, watched] : watched_) watched->changed.notify_all();
}

void BrokerPresence::heartbeat(int32_t broker, int64_t epoch, uint64_t connection) {
  const auto found = watched_.find(broker);
  if (found != watched_.end() && found->second->epoch == epoch) found->second->connection = connection;
}

void BrokerPresence::connection_ended(int32_t broker, uint64_t connection) {
  const auto found = watched_.find(broker);
  if (found == watched_.end() || found->second->connection != connection) return;
  found->second->connection = 0;
  found->second->changed.notify_all();
}

io::Task<> BrokerPresence::stop() {
  stopping_ = true;
  for (const auto& [id, watched] : watched_) watched->changed.notify_all();
  co_await tasks_.join();
}

io::Task<> BrokerPresence::watch(std::shared_ptr<Watched> watched) {
  milliseconds pause = kFirstPause;
  while (!stopping_ && !watched->gone) {
    const bool missing = active_ && watched->connection == 0 && !watched->fenced;
    if (watched->fenced || (watched->reached && !missing)) {
      pause = kFirstPause;
      co_await watched->changed.wait(world_.loop);
      continue;
    }
    co_await look(*watched, pause);
    if (stopping_ || watched->gone) break;
    // A new word ends the pause; a broker that lives says something soon.
    co_await watched->changed.wait_until(world_.loop, io::after(world_.loop.now(), pause));
    pause = std::min(pause * 2, watched->reached ? kLongestPause : kLongestSearch);
  }
}

io::Task<> BrokerPresence::look(Watched& watched, milliseconds& pause) {
  const auto stream = co_await world_.network.connect(watched.address, kConnectTimeout);
  if (stream) {
    (*stream)->close();
    watched.reached = true;
    co_return;
  }
  const bool missing = active_ && watched.connection == 0 && !watched.fenced && !watched.gone && !stopping_;
  if (!missing || !watched.reached || !io::is_refused(stream.error())) co_return;
  died_(watched.id, watched.epoch);
  pause = kFirstPause;  // Should that not come to be written, again.
}

}  // namespace samsa::metadata
