#include "io/real/world.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <deque>
#include <thread>

#include <sched.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "io/real/blocking_pool.h"
#include "io/real/disk.h"
#include "io/real/loop.h"
#include "io/real/network.h"

namespace samsa::io::real {
namespace {

int usable_processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

// Every connection and segment is a descriptor.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

struct Shard {
  Shard(int index, DiskPools pools, SocketBuffers buffers) : loop(index, entropy()), disk(loop, pools), network(loop, pools.reads, buffers) {}
  EpollLoop loop;
  RealDisk disk;
  RealNetwork network;
};

}  // namespace

struct RealNode::Parts {
  static size_t threads(int wanted) { return static_cast<size_t>(std::max(1, wanted)); }
  explicit Parts(RealNodeOptions o)
      : options(std::move(o)), reads(threads(options.read_threads)), writes(threads(options.write_threads)), syncs(threads(options.sync_threads)) {
    raise_descriptor_limit();
    const int count = options.shards > 0 ? options.shards : usable_processors();
    for (int i = 0; i < count; ++i) shards.emplace_back(i, DiskPools{reads, writes, syncs}, options.buffers);
    for (auto& shard : shards) worlds.push_back({shard.loop, shard.disk, shard.network});
  }

  Task<> watch_signals() {
    while (signals.is_open()) {
      signalfd_siginfo info{};
      if (::read(signals.fd(), &info, sizeof info) == sizeof info) {
        on_signal(static_cast<int>(info.ssi_signo));
        continue;
      }
      signals.readable = false;
      co_await ReadyAwaiter(signals, ReadyAwaiter::For::kRead);
    }
  }

  RealNodeOptions options;
  BlockingPool reads;
  BlockingPool writes;
  BlockingPool syncs;
  std::deque<Shard> shards;
  Worlds worlds;
  Watch signals;  // After the loops: closed before they end.
  std::function<void(int)> on_signal;
};

RealNode::RealNode(RealNodeOptions options) : parts_(std::make_unique<Parts>(std::move(options))) {}

RealNode::~RealNode() {
  parts_->reads.shut_down();
  parts_->writes.shut_down();
  parts_->syncs.shut_down();
  for (auto& shard : parts_->shards) shard.loop.start_teardown();
  for (auto shard = parts_->shards.rbegin(); shard != parts_->shards.rend(); ++shard) shard->loop.finish_teardown();
}

Worlds& RealNode::worlds() { return parts_->worlds; }

void RealNode::on_stop_signal(std::function<void(int)> function) {
  SAMSA_ASSERT(!parts_->signals.is_open());
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  const int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  SAMSA_ASSERT(fd >= 0, "no descriptor left for signals");
  parts_->on_signal = std::move(function);
  parts_->shards[0].loop.open_watch(parts_->signals, fd);
  spawn(parts_->shards[0].loop, parts_->watch_signals());
}

void RealNode::run() {
  std::vector<std::thread> threads;
  const auto run_shard = [this](size_t index) {
    if (parts_->options.on_shard_start) parts_->options.on_shard_start(static_cast<int>(index));
    parts_->shards[index].loop.run();
  };
  for (size_t i = 1; i < parts_->shards.size(); ++i) threads.emplace_back(run_shard, i);
  run_shard(0);
  for (auto& thread : threads) thread.join();
}

void RealNode::stop() {
  for (auto& shard : parts_->shards) shard.loop.stop();
}

void RealNode::run_until_done(Task<> task) {
  static constexpr auto kRun = [](RealNode* node, Task<> inner) -> Task<> {
    co_await std::move(inner);
    node->stop();
  };
  spawn(parts_->shards[0].loop, kRun(this, std::move(task)));
  run();
}

void fill_entropy(MutableBytes into) {
  while (!into.empty()) {
    const ssize_t n = ::getrandom(into.data(), into.size(), 0);
    SAMSA_ASSERT(n > 0 || errno == EINTR, "the system gives no entropy");
    if (n > 0) into = into.subspan(static_cast<size_t>(n));
  }
}

uint64_t entropy() {
  uint8_t bytes[8];
  fill_entropy(bytes);
  return load_be<uint64_t>(bytes);
}

}  // namespace samsa::io::real
