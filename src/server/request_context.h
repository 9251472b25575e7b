// RequestContext: what one request brings along to its handler: header, who asks, over which listener, and the shard that serves the
// connection. Handlers get everything from here; nothing is global.
//
// Lives from the request's decoding until its answer is written; always on the connection's shard. A handler that suspends must not
// keep a reference to `shard.image()` across the await: take a copy of the pointer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "io/loop.h"
#include "io/network.h"
#include "protocol/codec.h"
#include "protocol/headers.h"
#include "server/block_pool.h"
#include "server/home.h"
#include "server/settings.h"

namespace samsa::server {

class Node;
class Shard;

struct Principal {
  std::string type = "User";
  std::string name = "ANONYMOUS";

  // Of all who have not said who they are.
  static const std::shared_ptr<const Principal>& anonymous();
};

// One client connection, as its handlers see it. A node has many, most of them idle: what connections have in common they share.
struct ConnectionInfo {
  uint64_t id = 0;              // Unique within the node's life.
  const ListenerSettings* listener = nullptr;  // That it came in on.
  io::Address peer;
  std::shared_ptr<const Principal> principal = Principal::anonymous();
  int32_t heartbeats_of = -1;   // The broker that sends its heartbeats over it.
  io::MonoTime told_leaders;    // When Metadata was last answered; before that, when it came.
  int32_t fetch_session = 0;    // The last one that was used over it; 0: none. It goes where the connection goes.
};

// Resource types and operations of ACLs; the numbers are the wire's.
enum class ResourceType : int8_t { kTopic = 2, kGroup = 3, kCluster = 4, kTransactionalId = 5, kDelegationToken = 6, kUser = 7 };
enum class Operation : int8_t {
  kRead = 3,
  kWrite = 4,
  kCreate = 5,
  kDelete = 6,
  kAlter = 7,
  kDescribe = 8,
  kClusterAction = 9,
  kDescribeConfigs = 10,
  kAlterConfigs = 11,
  kIdempotentWrite = 12,
  kTwoPhaseCommit = 15,
};
inline constexpr std::string_view kClusterResource = "kafka-cluster";

struct RequestContext {
  Shard& shard;
  ConnectionInfo& connection;
  protocol::RequestHeader header;
  Block frame;               // Keeps what the request's views point to.
  io::MonoTime received;     // When the whole frame was there.

  std::vector<std::shared_ptr<void>> kept;  // What the answer's views point to, where it came from another node.

  // For metrics, by the handler: how much of its time it waited for others (WaitTimer), and whose fetch it was.
  io::Duration waited{};
  bool from_follower = false;

  // Set by ask_controller: this node is not (or no longer) the active controller, whatever the answer looks like.
  bool not_controller = false;

  // What the handler decides about the connection.
  bool no_response = false;       // acks=0.
  bool close_connection = false;  // After the answers before this one are out; no answer is sent for this one.
  bool ends_connection = false;   // After this answer, once nothing else is under way.
  int place = Home::kNowhere;     // The shard of the partitions that it was about.
  int32_t throttle_ms = 0;        // How long to leave the connection unread after the answer.
  int16_t answer_version = -1;    // ApiVersions only: write the answer in this version.

  [[nodiscard]] int16_t version() const { return header.api_version; }
  [[nodiscard]] std::string_view client_id() const { return header.client_id; }
  // Whether the principal may do this. Without an authorizer everybody may.
  [[nodiscard]] bool authorized(Operation operation, ResourceType type, std::string_view name) const;
  // The operations that the principal may do on a resource, as Kafka's bit field.
  [[nodiscard]] int32_t authorized_operations(ResourceType type, std::string_view name) const;
};

// Counts the time until it goes as waiting for others. Its clock is the loop's turn, so what did not suspend costs and counts nothing.
class WaitTimer {
 public:
  WaitTimer(RequestContext& context, const io::Loop& loop) : context_(context), loop_(loop), began_(loop.now()) {}
  WaitTimer(const WaitTimer&) = delete;
  ~WaitTimer() { context_.waited += loop_.now() - began_; }

 private:
  RequestContext& context_;
  const io::Loop& loop_;
  io::MonoTime began_;
};

}  // namespace samsa::server
