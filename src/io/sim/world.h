// SimWorld: any number of simulated nodes in one thread and one virtual time. The seed decides everything that is open: who runs next,
// how long bytes travel, what breaks. Same seed and same program: same digest.
//
//   SimWorld sim(seed);
//   SimNode& a = sim.add_node("a", 2);
//   spawn(a.worlds()[0].loop, server(a.worlds()));
//   ASSERT_TRUE(sim.run_until([&] { return done; }, 10s));
//   sim.crash(a);                    // its tasks are destroyed, what was not synced may be lost
//   start_again(sim.restart(a));     // new loops on the same disk
//
// Tasks that are left when the world ends are destroyed with it: what they refer to is declared before it, or their node crashed first.
// Objects of a node may outlive a crash; what they still ask of its world fails or is ignored. The world must outlive them.
// Log lines of nodes go to the trace. Not for use from several threads; two worlds on one thread only one after the other.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "io/sim/disk.h"
#include "io/sim/file_system.h"
#include "io/sim/kernel.h"
#include "io/sim/network.h"
#include "io/world.h"

namespace samsa::io::sim {

class SimNode {
 public:
  SimNode(Kernel& kernel, Host& host, SimNet& net, int shards) : host_(host), net_(net), kernel_(kernel), shards_(shards), files_(kernel) {
    start();
  }
  SimNode(const SimNode&) = delete;
  ~SimNode() { stop(); }

  [[nodiscard]] const std::string& name() const { return host_.name(); }
  // Where others reach it; its name works as well.
  [[nodiscard]] const std::string& ip() const { return host_.ip(); }
  [[nodiscard]] bool up() const { return host_.up; }
  // One per shard, of the boot that runs now.
  [[nodiscard]] Worlds& worlds();
  // Its disk, which survives crashes: capacity, and what is on it.
  [[nodiscard]] FileSystem& files() { return files_; }
  [[nodiscard]] Host& host() { return host_; }

 private:
  friend class SimWorld;
  struct Shard {
    Shard(SimNode& node, int index, uint64_t& roots)
        : loop(node.kernel_, node.host_, index, roots), disk(node.kernel_, node.files_, loop), network(node.net_, node.host_, loop) {}
    SimLoop loop;
    SimDisk disk;
    SimNetwork network;
  };
  struct Boot {
    uint64_t roots = 0;
    std::deque<Shard> shards;
    Worlds worlds;
  };
  void start();
  // Destroys the tasks of the boot that runs, latest first.
  void stop();

  Host& host_;
  SimNet& net_;
  Kernel& kernel_;
  const int shards_;
  FileSystem files_;
  std::deque<Boot> boots_;  // The last one runs; earlier ones stay for objects that outlived them.
};

class SimWorld {
 public:
  explicit SimWorld(uint64_t seed, const Faults& faults = {});
  SimWorld(const SimWorld&) = delete;
  ~SimWorld();

  SimNode& add_node(const std::string& name, int shards = 1);
  [[nodiscard]] SimNode* find_node(const std::string& name);
  Faults& faults() { return kernel_.faults; }
  Random& random() { return kernel_.random; }

  // Runs until the condition holds (true), or for so long in virtual time, or until nothing can happen any more (false).
  bool run_until(const std::function<bool()>& done, Duration limit);
  void run_for(Duration time);
  // Runs the task on the loop to its end; false when it takes longer.
  bool run_task(Loop& loop, Task<> task, Duration limit);
  // Virtual time since the start.
  [[nodiscard]] Duration elapsed() const { return Duration(kernel_.now_ns); }

  // Power loss. Not from a task of the same node.
  void crash(SimNode& node);
  Worlds& restart(SimNode& node);
  // The node's processor stands still; its clock and its network card do not.
  void pause(SimNode& node);
  void resume(SimNode& node);
  void jump_wall_clock(SimNode& node, std::chrono::milliseconds by);
  void set_clock_drift(SimNode& node, int64_t ppm);

  // What `from` sends no longer reaches `to`.
  void block(const SimNode& from, const SimNode& to);
  void unblock(const SimNode& from, const SimNode& to);
  // Both ways.
  void partition(const SimNode& a, const SimNode& b);
  void heal(const SimNode& a, const SimNode& b);
  // From and to all others.
  void isolate(const SimNode& node);
  void heal_all();
  void reset_connections(const SimNode& a, const SimNode& b);

  // The same for two runs that did the same, byte for byte.
  [[nodiscard]] uint64_t digest() const { return kernel_.trace.digest(); }
  [[nodiscard]] Trace& trace() { return kernel_.trace; }
  void note(std::string_view who, std::string_view text) { kernel_.trace.event(kernel_.now_ns, who, "note", 0, 0, text); }

 private:
  // One turn of one loop, or the step to the next event. False: nothing will ever happen, or not before `limit_ns`.
  bool step(int64_t limit_ns);
  [[nodiscard]] int64_t next_ns() const;
  void event(const SimNode& node, const char* what, uint64_t a = 0) { kernel_.trace.event(kernel_.now_ns, node.name(), what, a); }

  Kernel kernel_;
  std::deque<Host> hosts_;
  SimNet net_;
  std::deque<SimNode> nodes_;
  const SimNode* running_ = nullptr;
  std::vector<std::pair<SimNode*, SimLoop*>> runnable_;
  LogSink sink_before_;
};

}  // namespace samsa::io::sim
