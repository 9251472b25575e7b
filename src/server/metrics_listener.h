// MetricsListener: the HTTP port of samsa.metrics.listener. GET (or HEAD) /metrics answers with all metrics in Prometheus' text format
// 0.0.4; another path 404, another method 405, what is no request 400 and the end of the connection.
//
// Bounded: at most kMaxClients connections, kMaxHttpHead bytes of a request, kPatience for a request to arrive or an answer to be taken.
// Owner: shard 0; the page comes from a function that may hop to other shards.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "io/network.h"
#include "io/sync.h"
#include "io/world.h"
#include "server/http.h"

namespace samsa::server {

class MetricsListener {
 public:
  static constexpr size_t kMaxClients = 32;
  static constexpr std::chrono::seconds kPatience{30};
  using Page = std::function<io::Task<std::string>()>;

  MetricsListener(io::World world, std::unique_ptr<io::Listener> listener, Page page);
  ~MetricsListener();
  MetricsListener(const MetricsListener&) = delete;

  [[nodiscard]] const io::Address& bound() const { return listener_->address(); }
  // Begins to accept; until then connections wait in the system's queue.
  void start();
  io::Task<> stop();

 private:
  struct Client;
  io::Task<> accept_all();
  io::Task<> serve(std::unique_ptr<io::AcceptedStream> accepted);
  io::Task<> talk(Client& client);
  io::Task<bool> answer(Client& client, const HttpRequest& request);
  io::Task<bool> send(Client& client, int status, std::string_view body, bool keep_alive, bool with_body, std::string_view more = {});

  io::World world_;
  std::unique_ptr<io::Listener> listener_;
  Page page_;
  std::list<Client*> clients_;
  io::TaskGroup tasks_;
  bool stopping_ = false;
};

}  // namespace samsa::server
