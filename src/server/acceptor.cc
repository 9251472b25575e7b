#include "server/acceptor.h"

#include <chrono>

#include "base/log.h"
#include "server/node.h"
#include "server/request_context.h"

namespace samsa::server {

Acceptor::Acceptor(Node& node, const ListenerSettings& settings, std::unique_ptr<io::Listener> listener, io::Loop& loop)
    : node_(node), settings_(settings), listener_(std::move(listener)), loop_(loop), tasks_(loop) {}

Acceptor::~Acceptor() = default;

void Acceptor::start() { tasks_.spawn(accept_all()); }

io::Task<> Acceptor::stop() {
  stopping_ = true;
  listener_->close();
  node_.connection_quota(settings_.controller).changed.notify_all();
  co_await tasks_.join();
}

io::Task<> Acceptor::accept_all() {
  while (!stopping_) {
    auto accepted = co_await listener_->accept();
    if (stopping_) break;
    if (!accepted) {
      // Too many open files, say: the others go on, this one tries again soon.
      SAMSA_LOG_ERROR("cannot accept a connection on {}: {}", settings_.name, accepted.error().text());
      co_await io::sleep_for(loop_, std::chrono::milliseconds(100));
      continue;
    }
    if (co_await admit((*accepted)->peer())) hand_over(std::move(*accepted));
  }
}

io::Task<bool> Acceptor::admit(const io::Address& peer) {
  ConnectionQuota& quota = node_.connection_quota(settings_.controller);
  const std::string ip = connection_ip(peer.host);
  // Limits may be raised meanwhile, so it looks again now and then.
  constexpr std::chrono::seconds kLook(1);
  while (!stopping_ && !quota.has_room(node_.connection_limits(), node_.is_between_brokers(settings_))) {
    co_await quota.changed.wait_until(loop_, io::after(loop_.now(), kLook));
  }
  if (stopping_) co_return false;
  const auto limits = node_.connection_limits();
  if (quota.admit(ip, limits)) co_return true;
  if (node_.shard(0).may_complain()) {
    SAMSA_LOG_INFO("refused a connection from {} on {}: the address has the {} connections that it may have", ip, settings_.name,
                   ConnectionQuota::limit_of(ip, limits));
  }
  co_return false;
}

void Acceptor::hand_over(std::unique_ptr<io::AcceptedStream> accepted) {
  Shard& shard = node_.shard(next_shard_);
  next_shard_ = (next_shard_ + 1) % node_.shard_count();
  ConnectionInfo info{.id = node_.next_connection_id(), .listener = &settings_};
  if (&shard.loop() == &loop_) return shard.serve(std::move(accepted), std::move(info));
  shard.loop().post_remote(
      [&shard, stream = std::move(accepted), info = std::move(info)]() mutable { shard.serve(std::move(stream), std::move(info)); });
}

}  // namespace samsa::server
