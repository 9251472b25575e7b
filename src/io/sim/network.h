// The simulated network. SimNet knows every listener and connection of the world; SimNetwork is a shard's view of it.
//
// A connection has two directions. What is written is cut into segments; each travels for a time of its own but arrives in order.
// Where the way is blocked (a partition) segments wait and are sent again, until tcp_timeout breaks the sender's end: the other end
// then knows nothing, as with real TCP. Writes wait while the receiver has a window full of unread bytes.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "io/network.h"
#include "io/sim/loop.h"
#include "io/sync.h"

namespace samsa::io::sim {

// One direction's bytes on their way.
struct Wire {
  struct Segment {
    int64_t at_ns;
    Buffer bytes;
    bool fin = false;
  };
  std::deque<Segment> segments;
  bool scheduled = false;
  int64_t stalled_since_ns = -1;  // Since when the first segment cannot arrive.
};

// One end of a connection; `wire` carries towards it.
struct End {
  Host* host = nullptr;
  Address local;
  std::deque<Buffer> received;
  size_t first_offset = 0;    // Of received[0] that has been read.
  size_t received_bytes = 0;  // Unread.
  size_t coming_bytes = 0;    // On the wire.
  bool ended = false;         // The peer's side has ended.
  bool closed = false;        // Closed by its owner.
  bool gone = false;          // Its machine crashed, or nobody answers any more.
  std::string broken;         // Why nothing works any more; empty while it does.
  Wire wire;
  Signal readable;
  Signal writable;  // The peer has taken bytes, so that this end may write.
};

struct Connection {
  uint64_t id = 0;
  End ends[2];
  bool dead = false;  // Nothing arrives any more, either way.
};

class SimListener;

class SimNet {
 public:
  SimNet(Kernel& kernel, std::deque<Host>& hosts) : kernel_(kernel), hosts_(hosts) {}

  // Partitions, one way. Both hosts may be the same only in an error.
  void block(const Host& from, const Host& to) { blocked_.insert({from.name(), to.name()}); }
  void unblock(const Host& from, const Host& to) { blocked_.erase({from.name(), to.name()}); }
  void unblock_all() { blocked_.clear(); }
  [[nodiscard]] bool is_blocked(const Host& from, const Host& to) const { return blocked_.contains({from.name(), to.name()}); }

  // The host is gone with all its connections and listeners; who is not told learns it by writing.
  void crash(const Host& host);
  [[nodiscard]] size_t connections() const { return connections_.size(); }
  // Breaks every connection between the two.
  void reset(const Host& a, const Host& b);

  // For streams and listeners:
  Kernel& kernel() { return kernel_; }
  // By name or address; `from` for localhost. Null where there is none.
  Host* find_host(const std::string& name, Host& from);
  std::map<std::pair<std::string, uint16_t>, SimListener*> listeners;  // By host name and port.
  std::shared_ptr<Connection> open(Host& client, Host& server, uint16_t server_port, bool loopback);
  // Puts the bytes on the way from `side` to the other end.
  void send(const std::shared_ptr<Connection>& connection, int side, Bytes bytes);
  void close(const std::shared_ptr<Connection>& connection, int side);
  // Breaks one end (with words) or both.
  void break_end(Connection& connection, int side, const std::string& why);
  void break_both(Connection& connection, const std::string& why);
  uint16_t choose_port(Host& host);
  int64_t delay_ns(const Host& from, const Host& to);

 private:
  void push(const std::shared_ptr<Connection>& connection, int to_side, Wire::Segment segment);
  void schedule(const std::shared_ptr<Connection>& connection, int to_side, int64_t at_ns);
  void pump(const std::shared_ptr<Connection>& connection, int to_side);
  // Whether the first segment towards the side cannot arrive now.
  [[nodiscard]] bool stalled(const Connection& connection, int to_side) const;
  void arrive(const std::shared_ptr<Connection>& connection, int to_side, Wire::Segment segment);
  void forget_if_over(Connection& connection);

  Kernel& kernel_;
  std::deque<Host>& hosts_;
  std::set<std::pair<std::string, std::string>> blocked_;
  std::map<uint64_t, std::shared_ptr<Connection>> connections_;
  uint64_t last_id_ = 0;
};

class SimNetwork final : public Network {
 public:
  SimNetwork(SimNet& net, Host& host, SimLoop& loop) : net_(net), host_(host), loop_(loop) {}

  Result<std::unique_ptr<Listener>> listen(const Address& address) override;
  Task<Result<std::unique_ptr<Stream>>> connect(const Address& address, Duration timeout) override;
  std::unique_ptr<Stream> attach(std::unique_ptr<AcceptedStream> accepted) override;

 private:
  SimNet& net_;
  Host& host_;
  SimLoop& loop_;
};

}  // namespace samsa::io::sim
