// Network, Listener and Stream: byte streams between nodes. Real: io/real/network.h (sockets on the shard's epoll). Simulated:
// io/sim/network.h, which delays, fragments, resets and partitions.
//
// A Stream belongs to one shard. At most one read and one write may be under way on it at a time. close() may be called any
// time and ends both with an error; it is idempotent. Errors: NETWORK_EXCEPTION with peer and the system's words.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "io/file.h"
#include "io/loop.h"
#include "io/task.h"

namespace samsa::io {

struct Address {
  std::string host;   // Name or literal; empty when listening: all interfaces.
  uint16_t port = 0;  // 0 when listening: the system chooses.
  auto operator<=>(const Address&) const = default;
  [[nodiscard]] std::string to_string() const;  // "host:port", IPv6 in brackets.
};

// Whether the error of a connect says that the host answered and nobody listens there.
bool is_refused(const Error& error);

// A piece of an answer: memory, or a range of a file that goes out by sendfile.
struct Chunk {
  Bytes memory;
  const FileSlice* slice = nullptr;  // Where set, memory is unused. Must live until the write ends.
};

// A connection that is bound to no shard: just accepted, or given up by the shard that had it. Its end closes the connection.
class AcceptedStream {
 public:
  virtual ~AcceptedStream() = default;
  // The peer's literal address.
  [[nodiscard]] virtual Address peer() const = 0;
};

class Stream {
 public:
  virtual ~Stream() = default;
  // Some bytes, at least one; 0 at the orderly end of the stream.
  virtual Task<Result<size_t>> read_some(MutableBytes into) = 0;
  // Whether read_some may have something at once, its end or an error included; and the wait for that (co_await), for readers that want no
  // memory while they wait. It counts as a read.
  [[nodiscard]] virtual bool may_read() const = 0;
  [[nodiscard]] auto readable() {
    struct Awaiter {
      Stream& stream;
      bool await_ready() const { return stream.may_read(); }
      void await_suspend(std::coroutine_handle<> reader) { stream.resume_when_readable(reader); }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this};
  }
  // All the chunks, in order. The memory must live until the write ends.
  virtual Task<Result<void>> write(std::span<const Chunk> chunks) = 0;
  virtual void close() = 0;
  // Gives the connection up, for Network::attach of another shard; this stream is closed from then on. Nullptr where it is closed already.
  // Nothing may be under way on it, and what has been read of it is the caller's to hand on.
  virtual std::unique_ptr<AcceptedStream> detach() = 0;
  // The peer's literal address, without a name look-up.
  [[nodiscard]] virtual const Address& peer() const = 0;
  [[nodiscard]] virtual Address local() const = 0;

 private:
  // For readable(), while may_read() is false. The reader resumes through the loop.
  virtual void resume_when_readable(std::coroutine_handle<> reader) = 0;
};

class Listener {
 public:
  virtual ~Listener() = default;
  // The next connection; an error once closed. Give it to Network::attach of the shard that is to serve it.
  virtual Task<Result<std::unique_ptr<AcceptedStream>>> accept() = 0;
  // Stops accepting; what waits in accept() gets an error.
  virtual void close() = 0;
  [[nodiscard]] virtual const Address& address() const = 0;  // With the port that was bound.
};

class Network {
 public:
  virtual ~Network() = default;
  // Binds and listens. Error when the port is in use or the host is not this machine's.
  virtual Result<std::unique_ptr<Listener>> listen(const Address& address) = 0;
  // Connects within the time.
  virtual Task<Result<std::unique_ptr<Stream>>> connect(const Address& address, Duration timeout) = 0;
  // Takes a connection that was accepted, or detached from another shard of the machine, over to this one.
  virtual std::unique_ptr<Stream> attach(std::unique_ptr<AcceptedStream> accepted) = 0;
};

}  // namespace samsa::io
