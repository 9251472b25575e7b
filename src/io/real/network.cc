#include "io/real/network.h"

#include <cerrno>
#include <optional>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "base/log.h"
#include "io/real/patience.h"
#include "io/real/socket.h"
#include "io/real/stream.h"
#include "io/sync.h"

namespace samsa::io::real {
namespace {

constexpr int kBacklog = 1024;
constexpr int kAcceptsPerRound = 16;

class RealListener final : public Listener {
 public:
  RealListener(EpollLoop& loop, int fd, Address address) : loop_(loop), address_(std::move(address)) { loop_.open_watch(watch_, fd); }

  Task<Result<std::unique_ptr<AcceptedStream>>> accept() override {
    while (watch_.is_open()) {
      if (!watch_.readable) {
        co_await ReadyAwaiter(watch_, ReadyAwaiter::For::kRead);
        continue;
      }
      if (accepted_round_ != loop_.round()) {
        accepted_round_ = loop_.round();
        accepted_in_round_ = 0;
      } else if (accepted_in_round_ >= kAcceptsPerRound) {
        co_await yield(loop_);
        continue;
      }
      SocketAddress peer;
      peer.size = sizeof peer.storage;
      const int fd = ::accept4(watch_.fd(), reinterpret_cast<sockaddr*>(&peer.storage), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        ++accepted_in_round_;
        co_return std::make_unique<AcceptedSocket>(fd, peer.to_address());
      }
      if (errno == EAGAIN) {
        watch_.readable = false;
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        SAMSA_LOG_WARN("cannot accept a connection on {}: {}", address_.to_string(), network_error("accept on", "it", errno).message);
        co_await sleep_for(loop_, std::chrono::milliseconds(100));
      } else if (errno != ECONNABORTED && errno != EINTR && errno != EPROTO) {
        co_return fail(network_error("accept on", address_.to_string(), errno));
      }
    }
    co_return fail(ErrorCode::kNetworkException, "the listener on " + address_.to_string() + " is closed");
  }

  void close() override { loop_.close_watch(watch_); }
  [[nodiscard]] const Address& address() const override { return address_; }

 private:
  EpollLoop& loop_;
  Watch watch_;
  const Address address_;
  uint64_t accepted_round_ = 0;
  int accepted_in_round_ = 0;
};

void set_flag(int fd, int level, int option, int value) { ::setsockopt(fd, level, option, &value, sizeof value); }

Address local_address(int fd) {
  SocketAddress local;
  local.size = sizeof local.storage;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&local.storage), &local.size);
  return local.to_address();
}

// Binds and listens on one socket address; the descriptor, or -errno. Accepted sockets inherit the buffers.
int listen_on(const SocketAddress& at, bool any_host, const SocketBuffers& buffers) {
  const int fd = ::socket(at.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (at.storage.ss_family == AF_INET6) set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, any_host ? 0 : 1);
  if (buffers.send >= 0) set_flag(fd, SOL_SOCKET, SO_SNDBUF, buffers.send);
  if (buffers.receive >= 0) set_flag(fd, SOL_SOCKET, SO_RCVBUF, buffers.receive);
  if (::bind(fd, at.get(), at.size) == 0 && ::listen(fd, kBacklog) == 0) return fd;
  const int error = errno;
  ::close(fd);
  return -error;
}

struct Resolution {
  Signal done;
  std::optional<Result<std::vector<SocketAddress>>> result;
};

Task<> resolve_into(EpollLoop& loop, BlockingPool& pool, Address address, std::shared_ptr<Resolution> into) {
  into->result.emplace(co_await pool.run(loop, [&address] { return resolve(address); }));
  into->done.notify_all();
}

Error connect_timed_out(const Address& address) {
  return {ErrorCode::kNetworkException, "cannot connect to " + address.to_string() + ": timed out"};
}

Task<Result<std::vector<SocketAddress>>> look_up(EpollLoop& loop, BlockingPool& pool, const Address& address, MonoTime deadline) {
  auto literal = parse_literal(address);
  if (!literal.empty()) co_return literal;
  auto resolution = std::make_shared<Resolution>();
  spawn(loop, resolve_into(loop, pool, address, resolution));
  while (!resolution->result) {
    if (!co_await resolution->done.wait_until(loop, deadline)) co_return fail(connect_timed_out(address));
  }
  co_return std::move(*resolution->result);
}

Task<Result<std::unique_ptr<Stream>>> connect_to(EpollLoop& loop, BlockingPool& pool, const SocketAddress& target, const Address& address,
                                                 MonoTime deadline) {
  const int fd = ::socket(target.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) co_return fail(network_error("connect to", address.to_string(), errno));
  set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  const int outcome = ::connect(fd, target.get(), target.size);
  if (outcome < 0 && errno != EINPROGRESS) {
    const int error = errno;
    ::close(fd);
    co_return fail(network_error("connect to", address.to_string(), error));
  }
  auto stream = std::make_unique<RealStream>(loop, pool, fd, target.to_address());
  if (outcome < 0) {
    if (!co_await stream->connected(deadline)) co_return fail(connect_timed_out(address));
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) co_return fail(network_error("connect to", address.to_string(), error));
  }
  co_return stream;
}

}  // namespace

Result<std::unique_ptr<Listener>> RealNetwork::listen(const Address& address) {
  auto candidates = parse_literal(address);
  if (candidates.empty()) {
    TRY_ASSIGN(candidates, resolve(address));
  }
  int error = 0;
  for (const auto& candidate : candidates) {
    int fd = -1;
    succeeds_soon([&] {
      fd = listen_on(candidate, address.host.empty(), buffers_);
      return fd != -EADDRINUSE;
    });
    if (fd >= 0) {
      Address bound = local_address(fd);
      if (!address.host.empty()) bound.host = address.host;
      return std::make_unique<RealListener>(loop_, fd, std::move(bound));
    }
    error = -fd;
    if (error == EADDRINUSE) break;
  }
  return fail(network_error("listen on", address.to_string(), error));
}

Task<Result<std::unique_ptr<Stream>>> RealNetwork::connect(const Address& to, Duration timeout) {
  const Address address = to;  // NOLINT(performance-unnecessary-copy-initialization): the caller's may end before the connect does.
  const MonoTime deadline = loop_.now() + timeout;
  CO_TRY_ASSIGN(const auto targets, co_await look_up(loop_, pool_, address, deadline));
  Error error;
  for (const auto& target : targets) {
    auto stream = co_await connect_to(loop_, pool_, target, address, deadline);
    if (stream) co_return stream;
    error = std::move(stream).error();
    if (loop_.now() >= deadline) break;
  }
  co_return fail(std::move(error));
}

std::unique_ptr<Stream> RealNetwork::attach(std::unique_ptr<AcceptedStream> accepted) {
  auto& socket = static_cast<AcceptedSocket&>(*accepted);
  const int fd = socket.release();
  set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_flag(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  return std::make_unique<RealStream>(loop_, pool_, fd, socket.peer());
}

}  // namespace samsa::io::real
