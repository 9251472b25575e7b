// Acceptor: one listener of the node. Accepts on shard 0, keeps to the limits of connections (server/connection_quota.h), and gives the
// connections to the shards in turn.
#pragma once

#include <memory>

#include "io/network.h"
#include "io/sync.h"
#include "server/settings.h"

namespace samsa::server {

class Node;

class Acceptor {
 public:
  Acceptor(Node& node, const ListenerSettings& settings, std::unique_ptr<io::Listener> listener, io::Loop& loop);
  ~Acceptor();

  [[nodiscard]] const ListenerSettings& settings() const { return settings_; }
  [[nodiscard]] const io::Address& bound() const { return listener_->address(); }
  // Begins to accept; until then connections wait in the system's queue.
  void start();
  io::Task<> stop();

 private:
  io::Task<> accept_all();
  // Waits until the node has room, and counts the connection. False where it is not to be served.
  io::Task<bool> admit(const io::Address& peer);
  void hand_over(std::unique_ptr<io::AcceptedStream> accepted);

  Node& node_;
  const ListenerSettings& settings_;
  std::unique_ptr<io::Listener> listener_;
  io::Loop& loop_;
  io::TaskGroup tasks_;
  int next_shard_ = 0;
  bool stopping_ = false;
};

}  // namespace samsa::server
