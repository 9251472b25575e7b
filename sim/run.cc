#include "sim/run.h"

#include <fmt/format.h>

#include "client/admin.h"
#include "protocol/api/create_topics.h"
#include "sim/cluster.h"
#include "sim/invariants.h"
#include "sim/nemesis.h"
#include "sim/workload.h"

namespace samsa::sim {
namespace {

using namespace std::chrono_literals;

constexpr io::Duration kSlice = 20ms;
constexpr io::Duration kStartLimit = 60s;
constexpr io::Duration kSettleLimit = 90s;    // From the end of the faults until everything is in sync.
constexpr io::Duration kProgressLimit = 30s;  // Until clients' requests are acknowledged again.
constexpr io::Duration kEndLimit = 120s;      // For clients to end, and for the final reads.

// The settings that a seed draws: rare paths are to be common.
ClusterPlan draw_plan(const RunOptions& options, io::Random& random, bool& durable) {
  ClusterPlan plan;
  const int brokers = options.nodes > 0 ? options.nodes : static_cast<int>(random.between(3, 4));
  plan.roles.clear();
  const bool apart = random.one_in(3);
  if (apart) {
    const int controllers = random.one_in(2) ? 3 : 1;
    for (int i = 0; i < controllers; ++i) plan.roles.emplace_back("controller");
    for (int i = 0; i < brokers; ++i) plan.roles.emplace_back("broker");
  } else {
    for (int i = 0; i < brokers; ++i) plan.roles.emplace_back(i < 3 ? "broker,controller" : "broker");
  }
  plan.shards = static_cast<int>(random.between(1, 3));
  auto& p = plan.properties;
  durable = random.one_in(3);
  if (durable) p["samsa.durable.appends"] = "true";
  const auto one_of = [&](const char* key, std::initializer_list<const char*> values) {
    p[key] = *(values.begin() + random.below(values.size()));
  };
  one_of("replica.lag.time.max.ms", {"500", "2000", "10000"});
  one_of("replica.fetch.wait.max.ms", {"20", "100", "500"});
  one_of("replica.fetch.max.bytes", {"500", "5000", "1048576"});  // A batch or two for each fetch; with one, followers never catch writers up.
  one_of("replica.fetch.response.max.bytes", {"500", "5000", "10485760"});
  one_of("num.replica.fetchers", {"1", "2"});
  one_of("broker.session.timeout.ms", {"1500", "3000", "6000"});
  one_of("controller.quorum.election.timeout.ms", {"100", "500"});
  one_of("controller.quorum.fetch.timeout.ms", {"1000", "2000"});  // A fetch itself waits 500 ms.
  one_of("controller.quorum.fetch.max.bytes", {"500", "1048576"});
  one_of("metadata.log.max.record.bytes.between.snapshots", {"1000", "5000", "20971520"});
  one_of("metadata.max.retention.bytes", {"2000", "104857600"});
  one_of("max.incremental.fetch.session.cache.slots", {"1", "1000"});
  one_of("replica.high.watermark.checkpoint.interval.ms", {"200", "1000", "5000"});
  one_of("log.flush.offset.checkpoint.interval.ms", {"500", "60000"});
  one_of("log.initial.task.delay.ms", {"100", "30000"});
  one_of("log.retention.check.interval.ms", {"1000", "300000"});
  one_of("auto.leader.rebalance.enable", {"true", "false"});
  one_of("samsa.open.files", {"64", "4000"});
  return plan;
}

io::Task<> create_topics(ClientSide& clients, std::vector<TopicPlan> plans, bool& done) {
  const auto cluster = clients.connect("setup");
  while (true) {
    protocol::CreateTopicsRequest request;
    request.timeout_ms = 5000;
    for (const auto& plan : plans) {
      auto& topic = request.topics.emplace_back();
      topic.name = protocol::Text(plan.name);
      topic.num_partitions = plan.partitions;
      topic.replication_factor = plan.replication;
      for (const auto& [key, value] : plan.configs) {
        auto& config = topic.configs.emplace_back();
        config.name = protocol::Text(key);
        config.value = protocol::Text(value);
      }
    }
    const auto reply = co_await client::call_any(*cluster, std::move(request));
    bool all = reply.has_value();
    if (reply) {
      for (const auto& topic : (*reply)->topics) {
        const ErrorCode code = error_from_wire(topic.error_code);
        all = all && (code == ErrorCode::kNone || code == ErrorCode::kTopicAlreadyExists);
        if (code != ErrorCode::kNone) clients.note(fmt::format("create {}: {}", topic.name.view(), error_name(code)));
      }
    }
    if (all) break;
    co_await io::sleep_for(clients.loop(), 50ms);
  }
  done = true;
}

// One run, phase by phase. Each phase says whether the next one makes sense.
class Run {
 public:
  Run(const RunOptions& options, const WorkloadEntry& entry)
      : options_(options), draw_(options.seed * 0x9e3779b97f4a7c15ULL + 1), workload_(entry.make()) {
    auto plan = draw_plan(options, draw_, durable_);
    workload_->adjust(plan, draw_);
    faults_ = parse_faults(options.faults, draw_).value_or(FaultPlan{});
    cluster_ = std::make_unique<SimCluster>(options.seed, std::move(plan));
    clients_ = std::make_unique<ClientSide>(*cluster_, history_);
    invariants_ = std::make_unique<Invariants>(*cluster_);
    cluster_->world().trace().keep = std::max<size_t>(options.trace_lines, 1);
    invariants_->watch(options.watch);
    nemesis_ = std::make_unique<Nemesis>(*cluster_, faults_, durable_);
  }

  RunReport go() {
    if (start() && work() && settle() && go_on() && end()) final_reads();
    judge();
    return report();
  }

 private:
  // Runs in slices until the condition holds; looks at the invariants in between.
  bool advance(const std::function<bool()>& done, io::Duration limit) {
    const int64_t end = cluster_->now_ns() + limit.count();
    while (!done()) {
      if (cluster_->now_ns() >= end || !invariants_->broken().empty()) return false;
      cluster_->world().run_for(kSlice);
      nemesis_->act();
      invariants_->look();
      if (++slices_ % 50 == 0) invariants_->compare_logs(nemesis_->lying());
    }
    return true;
  }
  bool fail(std::string text) {
    if (invariants_->broken().empty()) violations_.push_back(std::move(text));
    return false;
  }

  bool start() {
    cluster_->start_all();
    const auto plans = workload_->topics(draw_);
    bool created = false;
    clients_->spawn(create_topics(*clients_, plans, created));
    // Faults come only once the cluster stands.
    const bool up = advance_quietly([&] { return created && cluster_->whole(); }, kStartLimit);
    return up || fail("the cluster did not start" + cluster_->what_is_missing());
  }
  bool advance_quietly(const std::function<bool()>& done, io::Duration limit) {
    const int64_t end = cluster_->now_ns() + limit.count();
    while (!done()) {
      if (cluster_->now_ns() >= end) return false;
      cluster_->world().run_for(kSlice);
      invariants_->look();
    }
    return true;
  }
  bool work() {
    workload_->start(*cluster_, *clients_);
    nemesis_->begin();
    const auto time = options_.time.count() > 0 ? io::Duration(options_.time) : io::Duration(draw_.between(10'000'000'000, 40'000'000'000));
    const int64_t end = cluster_->now_ns() + time.count();
    advance([&] { return cluster_->now_ns() >= end; }, time + 1s);
    return invariants_->broken().empty();
  }
  bool settle() {
    nemesis_->heal();
    healed_ns_ = cluster_->now_ns();
    const bool live = advance([&] { return workload_->settled(*cluster_); }, kSettleLimit);
    return live || fail(fmt::format("not live {:.0f} s after the last fault{}", std::chrono::duration<double>(kSettleLimit).count(),
                                    cluster_->what_is_missing()));
  }
  bool go_on() {
    const int64_t before = clients_->progress;
    const bool progress = advance([&] { return clients_->progress >= before + 5; }, kProgressLimit);
    return progress || fail(fmt::format("clients get no answers any more: {} since the cluster is whole", clients_->progress - before));
  }
  bool end() {
    clients_->stopping = true;
    const bool ended = advance([&] { return clients_->running() == 0; }, kEndLimit);
    return ended || fail(fmt::format("{} clients do not end", clients_->running()));
  }
  bool final_reads() {
    bool read = false;
    clients_->spawn(clients_->read_all(workload_->final_partitions(), workload_->model().read_committed, read));
    if (!advance([&] { return read; }, kEndLimit)) return fail("the final reads do not end" + cluster_->what_is_missing());
    clients_->spawn(workload_->last_words(*cluster_, *clients_));
    if (!advance([&] { return clients_->running() == 0; }, kEndLimit)) return fail("the last words do not end");
    invariants_->compare_logs(nemesis_->lying());
    complete_ = true;
    return true;
  }
  void judge() {
    for (const auto& text : invariants_->broken()) violations_.push_back("invariant: " + text);
    for (const auto& text : nemesis_->unexpected()) violations_.push_back(text);
    Model model = workload_->model();
    model.final_reads = complete_;
    auto found = complete_ ? check(history_, model) : std::vector<Anomaly>{};
    if (complete_) workload_->check(*cluster_, history_, found);
    for (const auto& anomaly : found) {
      if (anomaly.allowed) {
        ++allowed_[anomaly.kind];
      } else if (violations_.size() < 30) {
        violations_.push_back(anomaly.kind + ": " + anomaly.text);
      }
    }
  }
  RunReport report() {
    RunReport report;
    report.violations = std::move(violations_);
    report.allowed = std::move(allowed_);
    for (const auto& [name, count] : nemesis_->count()) report.faults[std::string(name)] = count;
    report.setting = setting();
    report.sends = history_.sends.size();
    report.acknowledged = history_.acknowledged();
    for (const auto& poll : history_.polls) report.polled += poll.seen.size();
    report.virtual_seconds = static_cast<double>(cluster_->now_ns()) / 1e9;
    report.events = cluster_->world().trace().events();
    report.digest = cluster_->world().digest();
    if (options_.keep_trace || !report.violations.empty()) report.trace = cluster_->world().trace().recent(options_.trace_lines);
    return report;
  }
  std::string setting() const {
    std::string text = fmt::format("{} nodes:", cluster_->size());
    for (const auto& role : cluster_->plan().roles) text += role == "broker,controller" ? " bc" : (role == "broker" ? " b" : " c");
    text += fmt::format("; {} shards; faults {};", cluster_->plan().shards, faults_.to_string());
    for (const auto& [key, value] : cluster_->plan().properties) text += fmt::format(" {}={}", key, value);
    return text;
  }

  const RunOptions options_;
  io::Random draw_;
  std::unique_ptr<Workload> workload_;
  bool durable_ = false;
  FaultPlan faults_;
  History history_;
  std::unique_ptr<SimCluster> cluster_;
  std::unique_ptr<ClientSide> clients_;
  std::unique_ptr<Invariants> invariants_;
  std::unique_ptr<Nemesis> nemesis_;
  std::vector<std::string> violations_;
  std::map<std::string, int> allowed_;
  uint64_t slices_ = 0;
  int64_t healed_ns_ = 0;
  bool complete_ = false;
};

}  // namespace

RunReport run(const RunOptions& options) {
  RunReport wrong;
  const auto* entry = find_workload(options.workload);
  if (entry == nullptr) {
    wrong.error = "no such workload: " + options.workload;
    return wrong;
  }
  io::Random probe(1);
  if (!parse_faults(options.faults, probe)) {
    wrong.error = "no such faults: " + options.faults;
    return wrong;
  }
  return Run(options, *entry).go();
}

std::string replay_line(const RunOptions& options) {
  std::string line = fmt::format("build/release/samsa-sim{} --seed {} --workload {}", options.mutant.empty() ? "" : "-mutants", options.seed, options.workload);
  if (options.nodes > 0) line += fmt::format(" --nodes {}", options.nodes);
  if (options.time.count() > 0) line += fmt::format(" --time {:g}", static_cast<double>(options.time.count()) / 1000);
  if (options.faults != "default") line += " --faults " + options.faults;
  if (!options.mutant.empty()) line += " --mutant " + options.mutant;
  return line;
}

}  // namespace samsa::sim
