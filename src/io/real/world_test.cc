#include "io/real/world.h"

#include <chrono>
#include <csignal>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "io/conformance.h"

namespace samsa::io::real {
namespace {

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

TEST(RealNode, IdleShardsSleep) {
  RealNode node({.shards = 3});
  const auto ticker = [](Loop& loop) -> Task<> {
    for (int i = 0; i < 5; ++i) co_await sleep_for(loop, 100ms);
  };
  const double before = cpu_seconds();
  node.run_until_done(ticker(node.worlds()[0].loop));
  EXPECT_LT(cpu_seconds() - before, 0.05);
  EXPECT_GT(node.worlds()[0].loop.idle_time(), 400ms);
}

TEST(RealNode, StopSignalsReachTheCallback) {
  RealNode node({.shards = 2});
  int seen = 0;
  node.on_stop_signal([&](int signal) {
    seen = signal;
    node.stop();
  });
  const auto raiser = [](Loop& loop) -> Task<> {
    co_await sleep_for(loop, 5ms);
    kill(getpid(), SIGTERM);
  };
  spawn(node.worlds()[0].loop, raiser(node.worlds()[0].loop));
  node.run();
  EXPECT_EQ(seen, SIGTERM);
}

TEST(RealNode, StopsWithWorkUnderWay) {
  int alive = 0;
  struct Guard {
    explicit Guard(int& count) : count(count) { ++count; }
    ~Guard() { --count; }
    int& count;
  };
  {
    RealNode node({.shards = 2});
    World& world = node.worlds()[0];
    World& other = node.worlds()[1];
    Signal signal;
    const auto waits = [&](int kind) -> Task<> {
      const Guard guard(alive);
      if (kind == 0) co_await signal.wait(world.loop);
      if (kind == 1) co_await sleep_for(world.loop, 100s);
      if (kind == 2) {
        const auto body = [&]() -> Task<> { co_await sleep_for(other.loop, 100s); };
        co_await call_on(world.loop, other.loop, body);
      }
      if (kind == 3) co_await world.network.connect({"no-such-host.invalid", 1}, 100s);
      if (kind == 4) {
        auto pair = co_await conformance::connect_pair(world);
        uint8_t byte;
        co_await pair.server->read_some({&byte, 1});
      }
      if (kind == 5) {
        while (true) {
          const auto body = [&]() -> Task<int> { co_return other.loop.shard(); };
          co_await call_on(world.loop, other.loop, body);
        }
      }
    };
    for (int kind = 0; kind < 6; ++kind) spawn(world.loop, waits(kind));
    const auto end = [](Loop& loop) -> Task<> { co_await sleep_for(loop, 30ms); };
    node.run_until_done(end(world.loop));
    EXPECT_GE(alive, 5);
  }
  EXPECT_EQ(alive, 0);
}

TEST(RealNode, EntropyDiffers) {
  EXPECT_NE(entropy(), entropy());
  Buffer bytes(64);
  fill_entropy(bytes);
  EXPECT_NE(bytes, Buffer(64));
}

}  // namespace
}  // namespace samsa::io::real
