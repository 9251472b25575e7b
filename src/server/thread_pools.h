// Pools of threads (num.io.threads and others) change to between half and double of what they are. What they mean here is another matter: a node has a
// thread per shard; but what an operator may write is Kafka's. Pure; any thread. KIP-226.
#pragma once

#include "config/config.h"

namespace samsa::server {

// Whether a broker may go from one set of layers to another. Errors: INVALID_REQUEST with Kafka's words.
Result<void> check_thread_pools(const config::Layers& now, const config::Layers& then);

}  // namespace samsa::server
