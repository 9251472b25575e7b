#include "io/sim/world.h"

namespace samsa::io::sim {
namespace {
constexpr uint64_t kPostsPerTurn = 8;
}  // namespace

Worlds& SimNode::worlds() {
  SAMSA_ASSERT(host_.up, "the node is down");
  return boots_.back().worlds;
}

void SimNode::start() {
  host_.up = true;
  ++host_.boot;
  Boot& boot = boots_.emplace_back();
  for (int i = 0; i < shards_; ++i) boot.shards.emplace_back(*this, i, boot.roots);
  for (auto& shard : boot.shards) boot.worlds.push_back({shard.loop, shard.disk, shard.network});
}

void SimNode::stop() {
  auto& shards = boots_.back().shards;
  for (auto& shard : shards) shard.loop.start_teardown();
  while (true) {
    SimLoop* latest = &shards.front().loop;
    for (auto& shard : shards) {
      if (shard.loop.latest_task() > latest->latest_task()) latest = &shard.loop;
    }
    if (latest->latest_task() == 0) return;
    latest->destroy_latest_task();
  }
}

SimWorld::SimWorld(uint64_t seed, const Faults& faults) : kernel_(seed, faults), net_(kernel_, hosts_) {
  sink_before_ = set_log_sink([this](LogLevel level, std::string_view place, std::string_view line) {
    std::string text(log_level_name(level));
    text.append(" ").append(place).append(": ").append(line);
    kernel_.trace.event(kernel_.now_ns, running_ ? running_->name() : "-", "log", 0, 0, text);
  });
}

SimWorld::~SimWorld() {
  for (auto& node : nodes_) node.stop();
  kernel_.drop_events();
  set_log_sink(std::move(sink_before_));
}

SimNode& SimWorld::add_node(const std::string& name, int shards) {
  SAMSA_ASSERT(!find_node(name) && shards > 0);
  Host& host = hosts_.emplace_back(kernel_, name, static_cast<int>(hosts_.size()));
  return nodes_.emplace_back(kernel_, host, net_, shards);
}

SimNode* SimWorld::find_node(const std::string& name) {
  for (auto& node : nodes_) {
    if (node.name() == name) return &node;
  }
  return nullptr;
}

int64_t SimWorld::next_ns() const {
  int64_t next = kernel_.next_event_ns();
  for (const auto& node : nodes_) {
    if (!node.up() || node.host_.paused) continue;
    for (const auto& shard : node.boots_.back().shards) next = std::min(next, shard.loop.next_timer_ns());
  }
  return next;
}

bool SimWorld::step(int64_t limit_ns) {
  kernel_.run_due_events();
  runnable_.clear();
  for (auto& node : nodes_) {
    if (!node.up() || node.host_.paused) continue;
    for (auto& shard : node.boots_.back().shards) {
      if (shard.loop.has_work()) runnable_.emplace_back(&node, &shard.loop);
    }
  }
  if (runnable_.empty()) {
    const int64_t next = next_ns();
    if (next > limit_ns) return false;
    kernel_.now_ns = std::max(kernel_.now_ns, next);
    return true;
  }
  const auto [node, loop] = runnable_[runnable_.size() == 1 ? 0 : kernel_.random.below(runnable_.size())];
  running_ = node;
  loop->take_turn(1 + kernel_.random.below(kPostsPerTurn));
  running_ = nullptr;
  return true;
}

bool SimWorld::run_until(const std::function<bool()>& done, Duration limit) {
  const int64_t limit_ns = kernel_.now_ns + limit.count();
  while (!done()) {
    if (kernel_.now_ns > limit_ns) return false;
    if (!step(limit_ns)) {
      kernel_.now_ns = limit_ns;
      return done();
    }
  }
  return true;
}

void SimWorld::run_for(Duration time) {
  const int64_t end_ns = kernel_.now_ns + time.count();
  while (kernel_.now_ns < end_ns && step(end_ns)) {
  }
  kernel_.now_ns = std::max(kernel_.now_ns, end_ns);
}

bool SimWorld::run_task(Loop& loop, Task<> task, Duration limit) {
  // Shared: a task that takes longer than the limit lives on.
  auto ended = std::make_shared<bool>(false);
  static constexpr auto kRun = [](Task<> inner, std::shared_ptr<bool> done) -> Task<> {
    co_await std::move(inner);
    *done = true;
  };
  spawn(loop, kRun(std::move(task), ended));
  return run_until([&] { return *ended; }, limit);
}

void SimWorld::crash(SimNode& node) {
  SAMSA_ASSERT(node.up() && running_ != &node, "a node cannot be crashed by its own task");
  event(node, "crash");
  node.stop();
  node.host_.up = false;
  node.host_.paused = false;
  net_.crash(node.host_);
  node.files_.crash();
}

Worlds& SimWorld::restart(SimNode& node) {
  SAMSA_ASSERT(!node.up());
  event(node, "restart");
  node.start();
  return node.worlds();
}

void SimWorld::pause(SimNode& node) {
  event(node, "pause");
  node.host_.paused = true;
}

void SimWorld::resume(SimNode& node) {
  event(node, "resume");
  node.host_.paused = false;
}

void SimWorld::jump_wall_clock(SimNode& node, std::chrono::milliseconds by) {
  event(node, "clock-jump", static_cast<uint64_t>(by.count()));
  node.host_.jump_wall_ms(by.count());
}

void SimWorld::set_clock_drift(SimNode& node, int64_t ppm) {
  event(node, "clock-drift", static_cast<uint64_t>(ppm));
  node.host_.set_drift_ppm(ppm);
}

void SimWorld::block(const SimNode& from, const SimNode& to) {
  kernel_.trace.event(kernel_.now_ns, from.name(), "block", 0, 0, to.name());
  net_.block(from.host_, to.host_);
}

void SimWorld::unblock(const SimNode& from, const SimNode& to) {
  kernel_.trace.event(kernel_.now_ns, from.name(), "unblock", 0, 0, to.name());
  net_.unblock(from.host_, to.host_);
}

void SimWorld::partition(const SimNode& a, const SimNode& b) {
  block(a, b);
  block(b, a);
}

void SimWorld::heal(const SimNode& a, const SimNode& b) {
  unblock(a, b);
  unblock(b, a);
}

void SimWorld::isolate(const SimNode& node) {
  for (const auto& other : nodes_) {
    if (&other != &node) partition(node, other);
  }
}

void SimWorld::heal_all() {
  kernel_.trace.event(kernel_.now_ns, "-", "heal-all");
  net_.unblock_all();
}

void SimWorld::reset_connections(const SimNode& a, const SimNode& b) {
  kernel_.trace.event(kernel_.now_ns, a.name(), "reset-connections", 0, 0, b.name());
  net_.reset(a.host_, b.host_);
}

}  // namespace samsa::io::sim
