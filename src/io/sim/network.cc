#include "io/sim/network.h"

#include <algorithm>

namespace samsa::io::sim {
namespace {

constexpr size_t kWindowBytes = 256 * 1024;
constexpr size_t kSegmentBytes = 64 * 1024;
constexpr auto kRetransmit = std::chrono::milliseconds(200);
constexpr auto kRetrySyn = std::chrono::milliseconds(700);
constexpr uint16_t kFirstPort = 32768;
constexpr uint16_t kPorts = 28000;
constexpr const char* kReset = "Connection reset by peer";

std::unexpected<Error> network_failure(const char* operation, const Address& peer, const std::string& words) {
  return fail(ErrorCode::kNetworkException, std::string("cannot ") + operation + " " + peer.to_string() + ": " + words);
}

class SimAccepted final : public AcceptedStream {
 public:
  SimAccepted(SimNet& net, const SimLoop& loop, std::shared_ptr<Connection> connection, int side)
      : side(side), net_(net), loop_(loop), connection_(std::move(connection)) {}
  SimAccepted(const SimAccepted&) = delete;
  ~SimAccepted() override {
    if (connection_ && !loop_.tearing_down()) net_.close(connection_, side);
  }
  std::shared_ptr<Connection> release() { return std::move(connection_); }
  [[nodiscard]] Address peer() const override { return connection_->ends[1 - side].local; }

  const int side;

 private:
  SimNet& net_;
  const SimLoop& loop_;
  std::shared_ptr<Connection> connection_;
};

class SimStream final : public Stream {
 public:
  SimStream(SimNet& net, SimLoop& loop, std::shared_ptr<Connection> connection, int side)
      : net_(net), loop_(loop), connection_(std::move(connection)), side_(side) {}
  ~SimStream() override {
    if (loop_.tearing_down()) return;
    SAMSA_ASSERT(!reading_ && !writing_, "a stream is destroyed while it is read or written");
    close();
  }

  Task<Result<size_t>> read_some(MutableBytes into) override {
    SAMSA_ASSERT(!std::exchange(reading_, true), "a stream has one reader at a time");
    SAMSA_ASSERT(!into.empty(), "no room to read into would look like the end of the stream");
    auto outcome = co_await read(into);
    reading_ = false;
    co_return outcome;
  }
  [[nodiscard]] bool may_read() const override {
    const End& end = connection_->ends[side_];
    return detached_ || end.closed || !end.broken.empty() || end.received_bytes > 0 || end.ended;
  }
  Task<Result<void>> write(std::span<const Chunk> chunks) override {
    SAMSA_ASSERT(!std::exchange(writing_, true), "a stream has one writer at a time");
    auto outcome = co_await write_all(chunks);
    writing_ = false;
    co_return outcome;
  }

  void close() override {
    if (!detached_) net_.close(connection_, side_);
  }
  std::unique_ptr<AcceptedStream> detach() override {
    SAMSA_ASSERT(!reading_ && !writing_, "a stream that is read or written stays on its loop");
    if (detached_ || own().closed) return nullptr;
    detached_ = true;
    return std::make_unique<SimAccepted>(net_, loop_, connection_, side_);
  }
  [[nodiscard]] const Address& peer() const override { return connection_->ends[1 - side_].local; }
  [[nodiscard]] Address local() const override { return connection_->ends[side_].local; }

 private:
  void resume_when_readable(std::coroutine_handle<> reader) override {
    SAMSA_ASSERT(!reading_, "a stream has one reader at a time");
    waiting_.emplace(own().readable, loop_, kNever).await_suspend(reader);
  }
  Task<Result<size_t>> read(MutableBytes into) {
    if (net_.kernel().random.below(8) == 0) co_await yield(loop_);
    End& end = own();
    while (!may_read()) co_await end.readable.wait(loop_);
    if (detached_ || end.closed) co_return network_failure("read from", peer(), "the connection is closed");
    if (!end.broken.empty()) co_return network_failure("read from", peer(), end.broken);
    co_return end.received_bytes > 0 ? take(into) : size_t{0};
  }

  Task<Result<void>> write_all(std::span<const Chunk> chunks) {
    Kernel& kernel = net_.kernel();
    if (kernel.random.below(8) == 0) co_await yield(loop_);
    const bool breaks = kernel.chance(kernel.faults.reset);
    if (kernel.chance(kernel.faults.half_open)) {
      kernel.trace.event(kernel.now_ns, loop_.host().name(), "half-open", connection_->id);
      connection_->dead = true;
    }
    Buffer scratch;
    for (const auto& chunk : chunks) {
      const uint64_t length = chunk.slice ? chunk.slice->length : chunk.memory.size();
      for (uint64_t done = 0; done < length;) {
        CO_TRY(co_await wait_for_window());
        const auto part = std::min<uint64_t>(length - done, kSegmentBytes);
        Bytes bytes;
        if (chunk.slice) {
          scratch.resize(part);
          CO_TRY_ASSIGN(const size_t read, chunk.slice->file->read_at(scratch, chunk.slice->offset + done));
          if (read != part) co_return fail(ErrorCode::kKafkaStorageError, chunk.slice->file->path() + ": ends before what was to be sent of it");
          bytes = scratch;
        } else {
          bytes = chunk.memory.subspan(done, part);
        }
        if (breaks && kernel.random.below(2) == 0) co_return break_while_sending(bytes);
        net_.send(connection_, side_, bytes);
        done += part;
      }
    }
    if (breaks) co_return break_while_sending({});
    co_return {};
  }

  End& own() { return connection_->ends[side_]; }
  End& other() { return connection_->ends[1 - side_]; }

  Result<size_t> take(MutableBytes into) {
    End& end = own();
    size_t done = 0;
    while (done < into.size() && !end.received.empty()) {
      const Buffer& first = end.received.front();
      const size_t part = std::min(into.size() - done, first.size() - end.first_offset);
      std::copy_n(first.begin() + static_cast<int64_t>(end.first_offset), part, into.begin() + static_cast<int64_t>(done));
      done += part;
      end.first_offset += part;
      if (end.first_offset == first.size()) {
        end.received.pop_front();
        end.first_offset = 0;
      }
    }
    end.received_bytes -= done;
    other().writable.notify_all();
    return done;
  }

  Task<Result<void>> wait_for_window() {
    End& end = own();
    while (true) {
      if (detached_ || end.closed) co_return network_failure("send to", peer(), "the connection is closed");
      if (!end.broken.empty()) co_return network_failure("send to", peer(), end.broken);
      if (other().received_bytes + other().coming_bytes < kWindowBytes) co_return {};
      co_await end.writable.wait(loop_);
    }
  }

  std::unexpected<Error> break_while_sending(Bytes bytes) {
    if (!bytes.empty()) net_.send(connection_, side_, bytes.first(net_.kernel().random.below(bytes.size() + 1)));
    if (net_.kernel().random.below(2) == 0) {
      net_.break_both(*connection_, kReset);
    } else {
      // What is on the way still arrives, then the stream ends with an error there, too.
      net_.close(connection_, side_);
      net_.break_end(*connection_, side_, kReset);
    }
    return network_failure("send to", peer(), kReset);
  }

  SimNet& net_;
  SimLoop& loop_;
  const std::shared_ptr<Connection> connection_;
  const int side_;
  bool reading_ = false;
  bool writing_ = false;
  bool detached_ = false;
  std::optional<Signal::Waiter> waiting_;  // Of readable().
};

}  // namespace

class SimListener final : public Listener {
 public:
  SimListener(SimNet& net, Host& host, SimLoop& loop, Address address, bool loopback_only)
      : loopback_only(loopback_only), net_(net), host_(host), loop_(loop), address_(std::move(address)) {
    net_.listeners[{host_.name(), address_.port}] = this;
  }
  ~SimListener() override { close(); }

  Task<Result<std::unique_ptr<AcceptedStream>>> accept() override {
    while (!closed_) {
      if (!waiting_.empty()) {
        auto connection = std::move(waiting_.front());
        waiting_.pop_front();
        co_return std::make_unique<SimAccepted>(net_, loop_, std::move(connection), 1);
      }
      co_await arrived_.wait(loop_);
    }
    co_return network_failure("accept on", address_, "the listener is closed");
  }

  void close() override {
    if (std::exchange(closed_, true)) return;
    const auto entry = net_.listeners.find({host_.name(), address_.port});
    if (entry != net_.listeners.end() && entry->second == this) net_.listeners.erase(entry);
    if (!loop_.tearing_down()) {
      for (const auto& connection : waiting_) net_.close(connection, 1);
    }
    waiting_.clear();
    arrived_.notify_all();
  }

  void offer(std::shared_ptr<Connection> connection) {
    waiting_.push_back(std::move(connection));
    arrived_.notify_one();
  }
  [[nodiscard]] const Address& address() const override { return address_; }

  const bool loopback_only;

 private:
  SimNet& net_;
  Host& host_;
  SimLoop& loop_;
  const Address address_;
  bool closed_ = false;
  std::deque<std::shared_ptr<Connection>> waiting_;
  Signal arrived_;
};

Host* SimNet::find_host(const std::string& name, Host& from) {
  if (name == "localhost" || name == "127.0.0.1" || name == "::1") return &from;
  for (auto& host : hosts_) {
    if (host.name() == name || host.ip() == name) return &host;
  }
  return nullptr;
}

uint16_t SimNet::choose_port(Host& host) {
  while (true) {
    const auto port = static_cast<uint16_t>(kFirstPort + host.next_port++ % kPorts);
    if (!listeners.contains({host.name(), port})) return port;
  }
}

int64_t SimNet::delay_ns(const Host& from, const Host& to) {
  if (&from == &to) return kernel_.random.between(5'000, 50'000);
  if (kernel_.chance(kernel_.faults.slow)) return kernel_.span(kernel_.faults.min_delay, kernel_.faults.slow_delay);
  return kernel_.span(kernel_.faults.min_delay, kernel_.faults.max_delay);
}

std::shared_ptr<Connection> SimNet::open(Host& client, Host& server, uint16_t server_port, bool loopback) {
  auto connection = std::make_shared<Connection>();
  connection->id = ++last_id_;
  Host* hosts[2] = {&client, &server};
  for (int side = 0; side < 2; ++side) {
    connection->ends[side].host = hosts[side];
    connection->ends[side].local = {loopback ? "127.0.0.1" : hosts[side]->ip(), side == 0 ? choose_port(client) : server_port};
  }
  connections_[connection->id] = connection;
  kernel_.trace.event(kernel_.now_ns, client.name(), "connect", connection->id, server_port, server.name());
  return connection;
}

void SimNet::send(const std::shared_ptr<Connection>& connection, int side, Bytes bytes) {
  kernel_.trace.mix(connection->id * 2 + static_cast<uint64_t>(side));
  kernel_.trace.mix(bytes);
  const End& from = connection->ends[side];
  const End& to = connection->ends[1 - side];
  while (!bytes.empty()) {
    size_t part = bytes.size();
    if (part > 1 && kernel_.chance(kernel_.faults.fragment)) part = 1 + kernel_.random.below(part - 1);
    push(connection, 1 - side,
         {kernel_.now_ns + delay_ns(*from.host, *to.host), Buffer(bytes.begin(), bytes.begin() + static_cast<int64_t>(part))});
    bytes = bytes.subspan(part);
  }
}

void SimNet::push(const std::shared_ptr<Connection>& connection, int to_side, Wire::Segment segment) {
  End& to = connection->ends[to_side];
  if (!to.wire.segments.empty()) segment.at_ns = std::max(segment.at_ns, to.wire.segments.back().at_ns);
  to.coming_bytes += segment.bytes.size();
  const int64_t at_ns = segment.at_ns;
  to.wire.segments.push_back(std::move(segment));
  if (!to.wire.scheduled) schedule(connection, to_side, at_ns);
}

void SimNet::schedule(const std::shared_ptr<Connection>& connection, int to_side, int64_t at_ns) {
  connection->ends[to_side].wire.scheduled = true;
  kernel_.at(at_ns, [this, connection, to_side] { pump(connection, to_side); });
}

bool SimNet::stalled(const Connection& connection, int to_side) const {
  const End& to = connection.ends[to_side];
  const End& from = connection.ends[1 - to_side];
  return connection.dead || (to.gone && !to.host->up) || is_blocked(*from.host, *to.host);
}

void SimNet::pump(const std::shared_ptr<Connection>& connection, int to_side) {
  End& to = connection->ends[to_side];
  Wire& wire = to.wire;
  wire.scheduled = false;
  while (!wire.segments.empty()) {
    if (wire.segments.front().at_ns > kernel_.now_ns) return schedule(connection, to_side, wire.segments.front().at_ns);
    if (stalled(*connection, to_side)) {
      if (wire.stalled_since_ns < 0) wire.stalled_since_ns = kernel_.now_ns;
      if (kernel_.now_ns - wire.stalled_since_ns < kernel_.faults.tcp_timeout.count()) {
        return schedule(connection, to_side, kernel_.now_ns + kernel_.span(kRetransmit / 2, kRetransmit));
      }
      wire.segments.clear();
      to.coming_bytes = 0;
      return break_end(*connection, 1 - to_side, "Connection timed out");
    }
    wire.stalled_since_ns = -1;
    Wire::Segment segment = std::move(wire.segments.front());
    wire.segments.pop_front();
    to.coming_bytes -= segment.bytes.size();
    arrive(connection, to_side, std::move(segment));
  }
  forget_if_over(*connection);
}

void SimNet::arrive(const std::shared_ptr<Connection>& connection, int to_side, Wire::Segment segment) {
  End& to = connection->ends[to_side];
  kernel_.trace.mix(connection->id * 2 + static_cast<uint64_t>(to_side));
  kernel_.trace.mix(segment.bytes.size());
  if (to.gone || to.closed || !to.broken.empty()) {
    // Nobody is there for it: a reset goes back. An end that hears nothing more of a peer that has closed needs none.
    if (!segment.fin) break_end(*connection, 1 - to_side, kReset);
    return;
  }
  if (segment.fin) {
    to.ended = true;
  } else {
    to.received_bytes += segment.bytes.size();
    to.received.push_back(std::move(segment.bytes));
  }
  to.readable.notify_all();
}

void SimNet::close(const std::shared_ptr<Connection>& connection, int side) {
  End& end = connection->ends[side];
  if (std::exchange(end.closed, true)) return;
  kernel_.trace.event(kernel_.now_ns, end.host->name(), "close", connection->id, static_cast<uint64_t>(side));
  end.readable.notify_all();
  end.writable.notify_all();
  if (end.broken.empty() && !end.gone) {
    push(connection, 1 - side, {kernel_.now_ns + delay_ns(*end.host, *connection->ends[1 - side].host), {}, true});
  }
  forget_if_over(*connection);
}

void SimNet::break_end(Connection& connection, int side, const std::string& why) {
  End& end = connection.ends[side];
  if (!end.broken.empty() || end.gone) return;
  end.broken = why;
  kernel_.trace.event(kernel_.now_ns, end.host->name(), "broken", connection.id, static_cast<uint64_t>(side), why);
  end.readable.notify_all();
  end.writable.notify_all();
}

void SimNet::break_both(Connection& connection, const std::string& why) {
  for (int side = 0; side < 2; ++side) {
    connection.ends[side].wire.segments.clear();
    connection.ends[side].coming_bytes = 0;
    break_end(connection, side, why);
  }
}

void SimNet::forget_if_over(Connection& connection) {
  for (const End& end : connection.ends) {
    if (!(end.closed || end.gone || !end.broken.empty()) || !end.wire.segments.empty()) return;
  }
  connections_.erase(connection.id);
}

void SimNet::crash(const Host& host) {
  std::erase_if(listeners, [&](const auto& entry) { return entry.first.first == host.name(); });
  const auto all = connections_;  // Some are forgotten on the way.
  for (const auto& [id, connection] : all) {
    for (int side = 0; side < 2; ++side) {
      End& end = connection->ends[side];
      if (end.host != &host) continue;
      end.gone = end.closed = true;
      end.received.clear();
      end.received_bytes = 0;
      const int other = 1 - side;
      if (connection->ends[other].host == &host || kernel_.chance(kernel_.faults.silent_crash)) continue;
      kernel_.at(kernel_.now_ns + delay_ns(host, *connection->ends[other].host), [this, connection, other] {
        const End& from = connection->ends[1 - other];
        if (!is_blocked(*from.host, *connection->ends[other].host)) break_end(*connection, other, kReset);
      });
    }
    forget_if_over(*connection);
  }
}

void SimNet::reset(const Host& a, const Host& b) {
  for (const auto& [id, connection] : connections_) {
    const Host* client = connection->ends[0].host;
    const Host* server = connection->ends[1].host;
    if ((client == &a && server == &b) || (client == &b && server == &a)) break_both(*connection, kReset);
  }
}

Result<std::unique_ptr<Listener>> SimNetwork::listen(const Address& address) {
  const bool any = address.host.empty() || address.host == "0.0.0.0" || address.host == "::";
  if (!any && net_.find_host(address.host, host_) != &host_) {
    return network_failure("listen on", address, "Cannot assign requested address");
  }
  const uint16_t port = address.port ? address.port : net_.choose_port(host_);
  if (net_.listeners.contains({host_.name(), port})) return network_failure("listen on", address, "Address already in use");
  const bool loopback_only = !any && address.host != host_.name() && address.host != host_.ip();
  return std::make_unique<SimListener>(net_, host_, loop_, Address{any ? host_.ip() : address.host, port}, loopback_only);
}

Task<Result<std::unique_ptr<Stream>>> SimNetwork::connect(const Address& to, Duration timeout) {
  const Address address = to;  // NOLINT(performance-unnecessary-copy-initialization): the caller's may end before the connect does.
  const MonoTime deadline = loop_.now() + timeout;
  Kernel& kernel = net_.kernel();
  Host* target = net_.find_host(address.host, host_);
  if (!target) {
    co_await sleep_for(loop_, std::chrono::milliseconds(1));
    co_return network_failure("connect to", address, "Name or service not known");
  }
  const bool loopback = target == &host_;
  while (true) {
    co_await sleep_until(loop_, std::min(deadline, loop_.now() + Duration(net_.delay_ns(host_, *target))));
    if (loop_.now() >= deadline) co_return network_failure("connect to", address, "timed out");
    const bool lost = net_.is_blocked(host_, *target) || net_.is_blocked(*target, host_);
    if (lost || (!target->up && kernel.chance(kernel.faults.silent_crash))) {
      co_await sleep_until(loop_, std::min(deadline, loop_.now() + kRetrySyn));
      continue;
    }
    const auto found = net_.listeners.find({target->name(), address.port});
    const bool listens = target->up && found != net_.listeners.end() && (loopback || !found->second->loopback_only);
    std::shared_ptr<Connection> connection;
    if (listens) {
      connection = net_.open(host_, *target, address.port, loopback);
      found->second->offer(connection);
    }
    co_await sleep_for(loop_, Duration(net_.delay_ns(*target, host_)));
    if (!listens) co_return network_failure("connect to", address, "Connection refused");
    auto stream = std::make_unique<SimStream>(net_, loop_, std::move(connection), 0);
    if (loop_.now() >= deadline) co_return network_failure("connect to", address, "timed out");
    co_return stream;
  }
}

std::unique_ptr<Stream> SimNetwork::attach(std::unique_ptr<AcceptedStream> accepted) {
  auto& end = static_cast<SimAccepted&>(*accepted);
  return std::make_unique<SimStream>(net_, loop_, end.release(), end.side);
}

}  // namespace samsa::io::sim
