#include "metadata/broker_lifecycle.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "metadata/features.h"
#include "protocol/api/broker_heartbeat.h"
#include "protocol/api/broker_registration.h"
#include "protocol/codec.h"

namespace samsa::metadata {

namespace {
constexpr std::chrono::milliseconds kRetry{100};
// A controlled shutdown that nobody answers for so long has no controller to wait for (an election takes less).
constexpr std::chrono::milliseconds kNoController{4000};
// After so long without an answer the voters themselves are looked at: where a majority has ended none will come.
constexpr std::chrono::milliseconds kLookAtVoters{200};

BrokerRegistrationRequest registration(const BrokerOptions& options) {
  BrokerRegistrationRequest request;
  request.broker_id = options.node_id;
  request.cluster_id = options.cluster_id;
  request.incarnation_id = options.incarnation;
  for (const auto& e : options.endpoints) {
    auto& to = request.listeners.emplace_back();
    to.name = e.listener;
    to.host = e.host;
    to.port = e.port;
    to.security_protocol = e.security_protocol;
  }
  for (const auto& [name, range] : options.features.empty() ? supported_features() : options.features) {
    auto& to = request.features.emplace_back();
    to.name = name;
    to.min_supported_version = range.min;
    to.max_supported_version = range.max;
  }
  request.rack = options.rack ? protocol::NullableText(protocol::Text(*options.rack)) : std::nullopt;
  request.log_dirs = options.log_dirs;
  std::sort(request.log_dirs.begin(), request.log_dirs.end());
  request.previous_broker_epoch = options.previous_broker_epoch;
  return request;
}

// Whether asking again may help.
bool passing(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInconsistentClusterId:
    case ErrorCode::kInvalidRegistration:
    case ErrorCode::kUnsupportedVersion:
    case ErrorCode::kClusterAuthorizationFailed:
    case ErrorCode::kBrokerIdNotRegistered: return false;
    default: return true;
  }
}
}  // namespace

BrokerLifecycle::BrokerLifecycle(io::World world, BrokerOptions options, ControllerChannel& channel, Publisher& publisher)
    : world_(world), options_(std::move(options)), channel_(channel), publisher_(publisher), tasks_(world.loop) {}
BrokerLifecycle::~BrokerLifecycle() = default;

io::Task<Result<void>> BrokerLifecycle::register_and_wait_caught_up() {
  const BrokerRegistrationRequest request = registration(options_);
  const io::MonoTime deadline = io::after(world_.loop.now(), options_.registration_timeout);
  Error last{ErrorCode::kRequestTimedOut, ""};
  while (broker_epoch_ < 0) {
    if (stopping_ || world_.loop.now() >= deadline) {
      co_return fail(ErrorCode::kRequestTimedOut, fmt::format("broker {} could not register within {} ms (initial.broker.registration.timeout.ms): {}",
                                                              options_.node_id, options_.registration_timeout.count(), last.describe()));
    }
    auto answer = co_await channel_.register_broker(request);
    if (answer) {
      broker_epoch_ = answer->broker_epoch;
      break;
    }
    if (!passing(answer.error().code)) co_return fail(std::move(answer).error());
    if (answer.error().code != last.code) SAMSA_LOG_INFO("broker {}: registration: {}; trying again", options_.node_id, answer.error().describe());
    last = answer.error();
    co_await channel_.wait_change(kRetry);
  }
  SAMSA_LOG_INFO("broker {}: registered with epoch {}", options_.node_id, broker_epoch_);
  while (!stopping_) {
    const ImagePtr image = publisher_.image();
    const BrokerImage* own = image->broker(options_.node_id);
    const bool there = own != nullptr && own->epoch >= broker_epoch_;
    // Wait for the next image, or for all shards to have this one.
    co_await publisher_.wait_applied(there ? image->provenance.last_offset() : image->provenance.next_offset);
    if (there) break;
  }
  tasks_.spawn(heartbeat_loop());
  while (!caught_up_ && !stopping_) co_await changed_.wait(world_.loop);
  if (stopping_) co_return fail(ErrorCode::kRequestTimedOut, "the node stops");
  co_return Result<void>{};
}

io::Task<Result<void>> BrokerLifecycle::unfence() {
  want_fence_ = false;
  poke_.notify_all();
  while (!stopping_) {
    const ImagePtr image = publisher_.image();
    const BrokerImage* own = image->broker(options_.node_id);
    const bool there = own != nullptr && own->epoch == broker_epoch_ && !own->fenced;
    co_await publisher_.wait_applied(there ? image->provenance.last_offset() : image->provenance.next_offset);
    if (there) co_return Result<void>{};
  }
  co_return fail(ErrorCode::kRequestTimedOut, "the node stops");
}

io::Task<> BrokerLifecycle::controlled_shutdown(io::MonoTime deadline) {
  if (broker_epoch_ < 0) co_return;
  want_shutdown_ = true;
  answered_at_ = world_.loop.now();
  poke_.notify_all();
  while (!should_shutdown_ && !stopping_ && world_.loop.now() < deadline) {
    const io::MonoTime give_up = io::after(answered_at_, kNoController);
    const bool silent = world_.loop.now() >= io::after(answered_at_, kLookAtVoters);
    if (world_.loop.now() >= give_up || (silent && co_await channel_.majority_refuses())) {
      SAMSA_LOG_WARN("broker {}: no controller answers: shutting down without it", options_.node_id);
      co_return;
    }
    co_await changed_.wait_until(world_.loop, std::min({deadline, give_up, io::after(world_.loop.now(), kLookAtVoters)}));
  }
}

io::Task<> BrokerLifecycle::stop() {
  stopping_ = true;
  poke_.notify_all();
  changed_.notify_all();
  co_await tasks_.join();
}

void BrokerLifecycle::directory_failed(const Uuid& directory) {
  offline_dirs_.push_back(directory);
  poke_.notify_all();
}

void BrokerLifecycle::set_cordoned(std::optional<std::vector<Uuid>> directories) {
  if (cordoned_ == directories) return;
  cordoned_ = std::move(directories);
  poke_.notify_all();
}

io::Task<> BrokerLifecycle::heartbeat_loop() {
  while (!stopping_) {
    const bool understood = co_await beat();
    if (stopping_ || should_shutdown_) break;  // Let go, it is no member any more.
    // While something is wished for that is not so yet, ask again soon; else at the interval.
    const bool pending = !caught_up_ || (!want_fence_ && fenced_ && !want_shutdown_) || (want_shutdown_ && !should_shutdown_);
    const auto pause = !understood ? kRetry : pending ? std::min(options_.heartbeat_interval, std::chrono::milliseconds(20)) : options_.heartbeat_interval;
    co_await poke_.wait_until(world_.loop, io::after(world_.loop.now(), pause));
  }
}

io::Task<bool> BrokerLifecycle::beat() {
  BrokerHeartbeatRequest request;
  request.broker_id = options_.node_id;
  request.broker_epoch = broker_epoch_;
  request.current_metadata_offset = publisher_.applied_offset();
  request.want_fence = want_fence_;
  request.want_shut_down = want_shutdown_;
  request.offline_log_dirs = offline_dirs_;
  request.cordoned_log_dirs = cordoned_;
  auto answer = co_await channel_.heartbeat(request);
  if (!answer) {
    SAMSA_LOG_INFO("broker {}: heartbeat: {}", options_.node_id, answer.error().describe());
    co_return false;
  }
  answered_at_ = world_.loop.now();
  const bool was_fenced = fenced_;
  caught_up_ = caught_up_ || answer->is_caught_up;
  fenced_ = answer->is_fenced;
  should_shutdown_ = should_shutdown_ || answer->should_shut_down;
  if (was_fenced != fenced_) SAMSA_LOG_INFO("broker {}: {}", options_.node_id, fenced_ ? "fenced" : "unfenced");
  changed_.notify_all();
  co_return true;
}

}  // namespace samsa::metadata
