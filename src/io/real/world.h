// RealNode: the real world of one node: a thread, loop, disk and network per shard, and the pools for blocking calls.
//
//   RealNode node({.shards = 2});
//   node.on_stop_signal([&] { ... });          // SIGTERM, SIGINT; optional
//   spawn(node.worlds()[0].loop, main_task());  // before run(): from this thread; later: post_remote
//   node.run();                                // until stop()
//
// Constructed, run and destroyed on one thread, which is shard 0's. Only stop() and post_remote of the loops may be called from others.
#pragma once

#include <functional>
#include <memory>

#include "io/real/network.h"
#include "io/world.h"

namespace samsa::io::real {

struct RealNodeOptions {
  int shards = 0;        // 0: one per processor that this process may use.
  int read_threads = 4;  // For cold reads and name look-ups. Threads start when they are first needed.
  int write_threads = 4;  // For large writes while the system lets them stand.
  int sync_threads = 4;  // For fdatasync, and changes of directories.
  SocketBuffers buffers;  // Of the connections that it accepts.
  // Called first on the thread of every shard, to install log sinks and the like.
  std::function<void(int shard)> on_shard_start;
};

class RealNode {
 public:
  explicit RealNode(RealNodeOptions options = {});
  RealNode(const RealNode&) = delete;
  // Destroys what is still suspended; see Loop::tearing_down.
  ~RealNode();

  // One per shard; lives as long as the node.
  [[nodiscard]] Worlds& worlds();
  // Calls the function on shard 0 for each SIGTERM or SIGINT, with the signal's number. At most once, before run(), and before other
  // threads are started: they must inherit the blocked signals.
  void on_stop_signal(std::function<void(int signal)> function);
  // Runs shard 0 on the calling thread and the others on their own, until stop(); then joins them. Once.
  void run();
  // Ends run() soon; from any thread.
  void stop();
  // Runs the task on shard 0 to its end, then stops: for tools and tests.
  void run_until_done(Task<> task);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// The machine's entropy, fit for secrets.
void fill_entropy(MutableBytes into);
uint64_t entropy();

}  // namespace samsa::io::real
