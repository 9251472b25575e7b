// Connection: one client connection on its shard, from bytes to answers.
//
// Requests are read one after the other. A request starts when all before it are answered, except that Produce requests start while
// earlier Produces still wait for replication; each starts in the order of arrival and runs to its append without suspending, or
// waits for its turn there in that order (AppendTurns), so batches of a producer reach the log in order. Answers leave in the order of the
// requests.
// At most kMaxInFlight requests are under way; after a Turn without a pause the connection goes on as bulk work (io::Priority), behind the
// others of the shard. It may move to the shard of its partitions (Home), between two requests. Whatever a client sends that cannot be parsed ends the connection with a log line.
// Most connections of a node are idle. One that waits for its next request holds this object, its stream and the frames of one task, and nothing
// else: what a request needs is made when it comes, from what the shard keeps for that (tests/budgets/test_idle.py).
// Facts: docs/formats/wire.md "Connection semantics"; KIP-219 (throttling).
#pragma once

#include <memory>

#include "io/network.h"
#include "io/sync.h"
#include "io/task.h"
#include "protocol/codec.h"
#include "protocol/headers.h"
#include "server/dispatch.h"
#include "server/fetch_session.h"
#include "server/frame_reader.h"
#include "server/home.h"
#include "server/request_context.h"
#include "server/shard_metrics.h"
#include "server/turn.h"

namespace samsa::server {

class Connection {
 public:
  // What goes to another shard.
  struct Baggage {
    std::unique_ptr<io::AcceptedStream> stream;
    ConnectionInfo info;
    Buffer received;  // Of the next requests.
    Home home;
    std::shared_ptr<FetchSession> fetch_session;  // Or nullptr.
  };

  Connection(Shard& shard, std::unique_ptr<io::Stream> stream, ConnectionInfo info);
  // One that comes from another shard.
  Connection(Shard& shard, std::unique_ptr<io::Stream> stream, Baggage baggage);
  ~Connection();
  Connection(const Connection&) = delete;

  // Serves until the peer leaves, an error ends it, close() is called or it is to move. When every request under way has ended it goes to
  // Shard::has_served.
  static io::Task<> run(std::unique_ptr<Connection> self);
  // Then: the shard to move to, -1 where the connection has ended; and what to take there, once.
  [[nodiscard]] int moves_to() const { return moves_to_; }
  [[nodiscard]] Baggage pack();
  void close();
  // Closes if nothing came or went since `before`, as the calls of this function see it: the peer sends nothing, takes nothing, or waits
  // for an answer for longer than any connection may be silent. As in Kafka.
  void close_if_idle(io::MonoTime before);
  [[nodiscard]] const ConnectionInfo& info() const { return info_; }
  size_t place = 0;  // In the shard's list.

 private:
  static constexpr size_t kMaxInFlight = 64;

  // One request from its frame to the end of its answer's write.
  struct Exchange {
    RequestContext context;
    Bytes body;
    const Served* api;
    protocol::Encoder answer;
    bool done = false;
    RequestTimes times;
    size_t frame_bytes = 0;
    std::unique_ptr<Exchange> next;
  };
  // In order of arrival.
  class Exchanges {
   public:
    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] size_t size() const { return count_; }
    [[nodiscard]] Exchange& front() { return *first_; }
    [[nodiscard]] Exchange& back() { return *last_; }
    Exchange& push(std::unique_ptr<Exchange> exchange);
    void pop();

   private:
    std::unique_ptr<Exchange> first_;
    Exchange* last_ = nullptr;
    size_t count_ = 0;
  };

  io::Task<bool> serve_next();
  io::Task<> ask_to_move(int wish);
  std::unique_ptr<Exchange> open_exchange(Frame frame);
  io::Task<> run_exchange(Exchange& exchange);
  io::Task<> write_answers();
  io::Task<bool> write_in_parts(std::span<const io::Chunk> chunks);
  // Throttled: it is not read for a while.
  [[nodiscard]] bool muted() const;
  io::Task<> pause();
  void record(Exchange& exchange, io::MonoTime write_started, io::MonoTime written);
  // Says why the connection ends; what is under way is answered first.
  void give_up(std::string_view why);

  Shard& shard_;
  std::unique_ptr<io::Stream> stream_;
  ConnectionInfo info_;
  ListenerMetrics& metrics_;
  FrameReader reader_;
  Exchanges exchanges_;
  io::TaskGroup running_;
  io::Signal changed_;  // An exchange left the queue, or the connection closed.
  Turn turn_;
  Home home_;
  int moves_to_ = -1;
  bool writing_ = false;
  bool closed_ = false;
  io::MonoTime last_activity_;
  uint64_t seen_received_ = 0;  // When close_if_idle last looked.
  io::MonoTime muted_until_{};
};

}  // namespace samsa::server
