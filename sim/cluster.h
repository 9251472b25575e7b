// SimCluster: several whole nodes (server::Node, nothing replaced) and a machine for clients in one simulated world.
//
// Nodes are numbered 1..n and named "n1", "n2", ...; the client machine is "client". Who crashes, stops or pauses them is the caller's
// business (nemesis.h, scenario.h); what a node says of itself (started, failed, faulted) is noted here. One thread; methods are called
// between turns of the world, never from a task of a node.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/properties.h"
#include "io/sim/world.h"
#include "metadata/image.h"
#include "server/node.h"

namespace samsa::sim {

struct ClusterPlan {
  std::vector<std::string> roles = {"broker,controller", "broker,controller", "broker,controller"};
  config::Properties properties;  // For every node, over the defaults of cluster.cc.
  int shards = 2;
  // kraft.version 1: the first controller stands alone, the others join by AddRaftVoter. Otherwise controller.quorum.voters.
  bool dynamic_quorum = false;
  std::string release;  // That the cluster is formatted as ("4.1-IV0"); empty: the latest.
};

// How a node goes down.
enum class CrashKind : uint8_t {
  kProcess,  // The process dies: what it wrote stays with the operating system.
  kPower,    // The machine loses its power: what was not synced may be gone, or torn.
  kTorn,     // The same in the middle of writes: most sectors that were not synced are torn.
};

struct Member {
  int32_t id = 0;
  std::string roles;
  io::sim::SimNode* machine = nullptr;
  server::Node* node = nullptr;                  // While it runs and has started.
  int starts = 0;                                // How often it came up.
  std::optional<std::string> ended;              // Why it does not run although its machine does.
  std::unique_ptr<io::Signal> stop_asked;
  bool stopping = false;
  bool paused = false;
  [[nodiscard]] bool broker() const { return roles.find("broker") != std::string::npos; }
  [[nodiscard]] bool controller() const { return roles.find("controller") != std::string::npos; }
  [[nodiscard]] bool serves() const { return node != nullptr && machine->up(); }
};

class SimCluster {
 public:
  SimCluster(uint64_t seed, ClusterPlan plan, const io::sim::Faults& faults = {});
  ~SimCluster();
  SimCluster(const SimCluster&) = delete;

  // ---- Life of nodes, by index from 0.
  void start_all();
  void start(size_t index);
  void crash(size_t index, CrashKind kind = CrashKind::kProcess);
  // Boots the machine again and starts the node.
  void restart(size_t index);
  // A controlled shutdown; `stopped()` says when it has ended. The machine stays up until crash() or restart().
  void stop(size_t index);
  [[nodiscard]] bool stopped(size_t index) const { return members_[index].ended.has_value(); }
  void pause(size_t index);
  void resume(size_t index);
  // A new, empty disk for a broker whose machine is down; the metadata log of a static quorum's voter must not be replaced so.
  void replace_disk(size_t index);

  // ---- What there is.
  [[nodiscard]] size_t size() const { return members_.size(); }
  [[nodiscard]] Member& member(size_t index) { return members_[index]; }
  [[nodiscard]] const Member& member(size_t index) const { return members_[index]; }
  [[nodiscard]] std::vector<Member>& members() { return members_; }
  [[nodiscard]] size_t index_of(int32_t id) const { return static_cast<size_t>(id - 1); }
  // The newest image that some running node has; null where there is none.
  [[nodiscard]] metadata::ImagePtr image() const;
  // Every node runs, every partition has a leader and all of its replicas in the ISR.
  [[nodiscard]] bool whole() const;
  // Some partition has that broker in its ISR and no other one that serves: a new disk for it would lose what was acknowledged.
  [[nodiscard]] bool alone_in_sync(size_t index) const;
  // Why not, in words.
  [[nodiscard]] std::string what_is_missing() const;
  [[nodiscard]] int32_t leader(const std::string& topic, PartitionIndex partition) const;
  // The index of the node whose controller is active; -1: none.
  [[nodiscard]] int active_controller() const;
  // The partition on that node; null where the node does not run or has none.
  [[nodiscard]] std::shared_ptr<replication::Partition> partition(size_t index, const std::string& topic, PartitionIndex partition) const;
  [[nodiscard]] std::vector<io::Address> brokers() const;

  // ---- The client's machine.
  [[nodiscard]] io::sim::SimNode& client() { return *client_; }
  [[nodiscard]] io::World& client_world() { return client_->worlds()[0]; }
  void end_clients();

  [[nodiscard]] io::sim::SimWorld& world() { return world_; }
  [[nodiscard]] int64_t now_ns() const { return world_.elapsed().count(); }
  [[nodiscard]] const ClusterPlan& plan() const { return plan_; }

 private:
  [[nodiscard]] config::Properties properties_of(size_t index) const;
  void format(size_t index);
  static io::Task<> serve(io::Worlds worlds, server::NodeSettings settings, Member& member);

  ClusterPlan plan_;
  std::string static_voters_;
  std::string bootstrap_;
  io::sim::SimWorld world_;
  std::vector<Member> members_;
  io::sim::SimNode* client_ = nullptr;
};

}  // namespace samsa::sim
