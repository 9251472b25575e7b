// Workload: what clients do to a cluster in a run, through the wire protocol with samsa::client, and what is checked afterwards.
//
// Life: topics() are created by the run; start() spawns clients on the client's machine; stop() tells them to end and done() says when
// they have; final_reads() reads everything once more; check() judges. Clients outlive no run: the client's machine is crashed at its
// end. Everything is written into one History.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client/cluster.h"
#include "client/consumer.h"
#include "client/producer.h"
#include "sim/checker.h"
#include "sim/cluster.h"
#include "sim/history.h"

namespace samsa::sim {

struct TopicPlan {
  std::string name;
  int partitions = 1;
  int16_t replication = 3;
  std::vector<std::pair<std::string, std::string>> configs;
};

// What every client of a run uses: the world's machine for clients, times that fit runs of seconds, and the history.
class ClientSide {
 public:
  ClientSide(SimCluster& cluster, History& history) : cluster_(cluster), history_(history) {}

  [[nodiscard]] io::Loop& loop() { return cluster_.client_world().loop; }
  [[nodiscard]] io::World& world() { return cluster_.client_world(); }
  [[nodiscard]] History& history() { return history_; }
  [[nodiscard]] int64_t now_ns() const { return cluster_.now_ns(); }
  // A draw that is the client's own: the machine's loop has its generator.
  [[nodiscard]] io::Random& random() { return loop().random(); }
  [[nodiscard]] std::unique_ptr<client::Cluster> connect(const std::string& client_id) const;
  Value next_value() { return ++last_value_; }
  // A send that begins now, in the history, with a value of its own.
  Send& begin_send(int client, const TopicPartition& partition) {
    Send& send = history_.sends.emplace_back();
    send.client = client;
    send.partition = partition;
    send.value = next_value();
    send.began = now_ns();
    return send;
  }
  int next_client() { return ++last_client_; }
  int next_session() { return ++last_session_; }
  void spawn(io::Task<> task);
  // Into the trace.
  void note(std::string_view text) { cluster_.world().note("client", text); }
  [[nodiscard]] int running() const { return running_; }

  // Set when clients are to end.
  bool stopping = false;
  // Acknowledged operations of all clients: what progress is measured by.
  int64_t progress = 0;
  // Reads each partition from its start to its end as final polls. False where that could not be done within the time.
  io::Task<> read_all(std::vector<TopicPartition> partitions, bool read_committed, bool& complete);

 private:
  static io::Task<> counted(ClientSide& side, io::Task<> task);
  SimCluster& cluster_;
  History& history_;
  Value last_value_ = 0;
  int last_client_ = 0;
  int last_session_ = 0;
  int running_ = 0;
};

// A poll's records for the history; and a record's text: its value, and filler.
Poll poll_of(const std::vector<client::ConsumedRecord>& records, int reader, int session, int64_t began, int64_t ended);
std::string text_of_value(Value value, size_t padding);

class Workload {
 public:
  virtual ~Workload() = default;
  // Over the run's settings.
  virtual void adjust(ClusterPlan& plan, io::Random& random) {}
  virtual std::vector<TopicPlan> topics(io::Random& random) = 0;
  virtual void start(SimCluster& cluster, ClientSide& clients) = 0;
  // Once everything is healed: whether what the workload needs of the cluster is there.
  virtual bool settled(SimCluster& cluster) { return cluster.whole(); }
  // What is read at the end.
  virtual std::vector<TopicPartition> final_partitions() = 0;
  // Beyond the final reads, once all clients have ended.
  virtual io::Task<> last_words(SimCluster& cluster, ClientSide& clients) { co_return; }
  virtual Model model() const { return {}; }
  // What only this workload knows how to judge.
  virtual void check(SimCluster& cluster, const History& history, std::vector<Anomaly>& found) {}
};

struct WorkloadEntry {
  std::string_view name;
  std::string_view doc;
  std::unique_ptr<Workload> (*make)();
};
const std::vector<WorkloadEntry>& workloads();
const WorkloadEntry* find_workload(std::string_view name);

// workload_*.cc
std::unique_ptr<Workload> make_log_workload();
std::unique_ptr<Workload> make_group_workload();
std::unique_ptr<Workload> make_compact_workload();
std::unique_ptr<Workload> make_admin_workload();
std::unique_ptr<Workload> make_quorum_workload();

}  // namespace samsa::sim
