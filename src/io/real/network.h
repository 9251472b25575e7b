// RealNetwork: TCP sockets of one shard. Reads and writes are tried first and wait for epoll when the system says "would block".
//
// Fairness: a stream that has moved its budget of bytes or calls within one round of the loop lets the others go first.
// Sending: memory and slices below 16 KiB go together in one sendmsg, longer slices by sendfile. Bytes of a slice that are not in the
// page cache are first read by the pool, so that a slow disk does not stop the loop.
// Closing a stream ends its pending read and write with an error; the owner destroys it after they have returned.
#pragma once

#include "io/network.h"
#include "io/real/blocking_pool.h"
#include "io/real/loop.h"

namespace samsa::io::real {

// What the system may hold of each accepted connection, in bytes, to be sent and to be read; -1: it decides itself.
struct SocketBuffers {
  int send = -1;
  int receive = -1;
};

class RealNetwork final : public Network {
 public:
  RealNetwork(EpollLoop& loop, BlockingPool& pool, SocketBuffers buffers) : loop_(loop), pool_(pool), buffers_(buffers) {}

  Result<std::unique_ptr<Listener>> listen(const Address& address) override;
  Task<Result<std::unique_ptr<Stream>>> connect(const Address& address, Duration timeout) override;
  std::unique_ptr<Stream> attach(std::unique_ptr<AcceptedStream> accepted) override;

 private:
  EpollLoop& loop_;
  BlockingPool& pool_;
  const SocketBuffers buffers_;
};

}  // namespace samsa::io::real
