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
    Shard& shard = node_.shard(next_shard_);
    next_shard_ = (next_shard_ + 1) % node_.shard_count();
    ConnectionInfo info{.id = node_.next_connection_id(), .listener = settings_.name, .controller_listener = settings_.controller};
    if (&shard.loop() == &loop_) {
      shard.serve(std::move(*accepted), std::move(info));
    } else {
      shard.loop().post_remote([&shard, stream = std::move(*accepted), info = std::move(info)]() mutable {
        shard.serve(std::move(stream), std::move(info));
      });
    }
  }
}

}  // namespace samsa::server
