// RaftTransport: how a replica reaches the others. One request at a time per peer is under way (RaftNode sees to it).
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "io/loop.h"
#include "io/network.h"
#include "io/task.h"

namespace samsa::raft {

class RaftTransport {
 public:
  virtual ~RaftTransport() = default;
  // Sends the request body (encoded in `version`) to `to` and answers with the response's body, header taken off.
  // The highest version of the API that both sides have, at most `max_version`; UNSUPPORTED_VERSION where there is none,
  // NETWORK_EXCEPTION where the peer cannot be reached, REQUEST_TIMED_OUT at the deadline.
  virtual io::Task<Result<int16_t>> negotiate(const io::Address& to, int16_t api_key, int16_t min_version, int16_t max_version,
                                              io::MonoTime deadline) = 0;
  virtual io::Task<Result<Buffer>> call(const io::Address& to, int16_t api_key, int16_t version, Bytes body, io::MonoTime deadline) = 0;
  // Closes all connections; calls under way fail.
  virtual void close() = 0;
};

}  // namespace samsa::raft
