#include "io/sim/world.h"

#include <gtest/gtest.h>

#include "io/conformance.h"

namespace samsa::io::sim {
namespace {

using conformance::read_up_to;
using conformance::write_text;

// Echoes every connection on port 9; counts the bytes.
Task<> echo(World world, std::unique_ptr<AcceptedStream> accepted, uint64_t& bytes) {
  auto stream = world.network.attach(std::move(accepted));
  Buffer buffer(1000);
  while (true) {
    auto n = co_await stream->read_some(buffer);
    if (!n || *n == 0) co_return;
    bytes += *n;
    const Chunk chunk{Bytes(buffer).first(*n), nullptr};
    if (!co_await stream->write({&chunk, 1})) co_return;
  }
}

Task<> serve_echo(World world, uint64_t& bytes) {
  auto listener = world.network.listen({"", 9});
  CO_ASSERT(listener);
  while (true) {
    auto accepted = co_await (*listener)->accept();
    if (!accepted) co_return;
    spawn(world.loop, echo(world, std::move(*accepted), bytes));
  }
}

struct Talk {
  int answered = 0;
  int failed = 0;
  bool connected = false;
  std::string last_error;
};

// Sends requests one after the other, reconnecting when one fails.
Task<> talk(World world, std::string to, int requests, Talk& talk) {
  std::unique_ptr<Stream> stream;
  for (int i = 0; i < requests; ++i) {
    if (!stream) {
      auto connected = co_await world.network.connect({to, 9}, 2s);
      if (!connected) {
        ++talk.failed;
        talk.last_error = connected.error().message;
        co_await sleep_for(world.loop, 50ms);
        continue;
      }
      stream = std::move(*connected);
      talk.connected = true;
    }
    const std::string text = "request number " + std::to_string(i);
    const auto written = co_await write_text(*stream, text);
    const auto answer = co_await read_up_to(*stream, text.size());
    if (written && answer && as_text(*answer) == text) {
      ++talk.answered;
    } else {
      ++talk.failed;
      talk.last_error = answer ? "short" : answer.error().message;
      stream.reset();
    }
    co_await sleep_for(world.loop, 1ms);
  }
}

// A busy little world with every kind of fault: what it did, as a digest.
uint64_t busy_run(uint64_t seed) {
  Faults faults;
  faults.reset = 0.02;
  faults.half_open = 0.005;
  faults.slow = 0.05;
  faults.tcp_timeout = 1s;
  faults.sync_error = 0.01;
  SimWorld sim(seed, faults);
  uint64_t bytes = 0;
  Talk talks[3];
  SimNode& server = sim.add_node("server", 2);
  spawn(server.worlds()[0].loop, serve_echo(server.worlds()[0], bytes));
  for (int i = 0; i < 3; ++i) {
    SimNode& client = sim.add_node("client" + std::to_string(i));
    spawn(client.worlds()[0].loop, talk(client.worlds()[0], "server", 100, talks[i]));
  }
  for (int i = 0; i < 3; ++i) {
    sim.run_for(100ms);
    sim.partition(server, *sim.find_node("client1"));
    sim.run_for(300ms);
    sim.heal_all();
    if (!server.worlds()[0].disk.exists("/log")) {
      auto file = server.worlds()[0].disk.open("/log", OpenMode::kCreate);
      EXPECT_TRUE(file && (*file)->write_at(conformance::pattern(5000), 0));
    }
    sim.crash(server);
    sim.run_for(200ms);
    sim.restart(server);
    spawn(server.worlds()[0].loop, serve_echo(server.worlds()[0], bytes));
  }
  sim.run_for(20s);
  EXPECT_GT(bytes, 0u);
  return sim.digest();
}

TEST(SimWorld, SameSeedSameRun) {
  const uint64_t first = busy_run(42);
  EXPECT_EQ(busy_run(42), first);
  EXPECT_NE(busy_run(43), first);
}

TEST(SimWorld, ManySeedsEndWell) {
  for (uint64_t seed = 1; seed <= 30; ++seed) busy_run(seed);
}

TEST(SimWorld, VirtualTimeCostsNothing) {
  SimWorld sim(1);
  SimNode& node = sim.add_node("a");
  Loop& loop = node.worlds()[0].loop;
  bool woke = false;
  const auto sleeper = [](Loop& on, bool& done) -> Task<> {
    co_await sleep_for(on, std::chrono::hours(24 * 365));
    done = true;
  };
  spawn(loop, sleeper(loop, woke));
  EXPECT_FALSE(sim.run_until([&] { return woke; }, std::chrono::hours(24 * 364)));
  EXPECT_TRUE(sim.run_until([&] { return woke; }, std::chrono::hours(48)));
}

TEST(SimWorld, PausedNodesStandStillAndClocksJump) {
  SimWorld sim(2);
  SimNode& node = sim.add_node("a");
  Loop& loop = node.worlds()[0].loop;
  int ticks = 0;
  const auto ticker = [](Loop& on, int& count) -> Task<> {
    while (true) {
      co_await sleep_for(on, 10ms);
      ++count;
    }
  };
  spawn(loop, ticker(loop, ticks));
  sim.run_for(105ms);
  EXPECT_EQ(ticks, 10);
  sim.pause(node);
  sim.run_for(1s);
  EXPECT_EQ(ticks, 10);
  sim.resume(node);
  sim.run_for(9ms);
  EXPECT_EQ(ticks, 11);  // A timer that was missed fires once.
  const TimestampMs before = loop.wall_ms();
  const MonoTime mono = loop.now_precise();
  sim.jump_wall_clock(node, -5000ms);
  EXPECT_EQ(loop.wall_ms(), before - 5000);
  EXPECT_EQ(loop.now_precise(), mono);
  sim.set_clock_drift(node, 100'000);  // Ten per cent fast.
  ticks = 0;
  sim.run_for(1s);
  EXPECT_NEAR(ticks, 110, 2);
}

struct Guard {
  explicit Guard(int& count) : count(count) { ++count; }
  ~Guard() { --count; }
  int& count;
};

// Tasks that wait in every way there is, and count while they are alive.
struct Waiters {
  World& world;
  World& other;
  Signal& signal;
  Mutex& mutex;
  int alive = 0;

  Task<> wait_signal() {
    const Guard guard(alive);
    co_await signal.wait(world.loop);
  }
  Task<> wait_timer(Loop& loop) {
    const Guard guard(alive);
    co_await sleep_for(loop, 10s);
  }
  Task<> wait_lock() {
    const Guard guard(alive);
    auto held = co_await mutex.lock(world.loop);
    co_await sleep_for(world.loop, 10s);
  }
  Task<> wait_remote() {
    const Guard guard(alive);
    const auto body = [&]() -> Task<> { co_await wait_timer(other.loop); };
    co_await call_on(world.loop, other.loop, body);
  }
  Task<> wait_group() {
    const Guard guard(alive);
    TaskGroup group(world.loop);
    group.spawn(wait_timer(world.loop));
    group.spawn(wait_signal());
    co_await group.join();
  }
  Task<> wait_accept() {
    const Guard guard(alive);
    auto listener = world.network.listen({"", 0});
    co_await (*listener)->accept();
  }
  Task<> wait_read() {
    const Guard guard(alive);
    auto pair = co_await conformance::connect_pair(world);
    uint8_t byte;
    co_await pair.client->read_some({&byte, 1});
  }
  // Ten tasks.
  void spawn_all() {
    spawn(world.loop, wait_signal());
    spawn(world.loop, wait_timer(world.loop));
    spawn(world.loop, wait_lock());
    spawn(world.loop, wait_remote());
    spawn(world.loop, wait_group());
    spawn(world.loop, wait_accept());
    spawn(world.loop, wait_read());
  }
};

TEST(SimWorld, CrashDestroysWhatIsSuspended) {
  Signal outside;  // Outlives the node's tasks.
  Mutex mutex;
  SimWorld sim(3);
  SimNode& node = sim.add_node("a", 2);
  World& world = node.worlds()[0];
  Waiters waiters{world, node.worlds()[1], outside, mutex};
  for (int i = 0; i < 3; ++i) waiters.spawn_all();
  sim.run_for(50ms);
  EXPECT_EQ(waiters.alive, 30);
  const auto file = world.disk.open("/x", OpenMode::kCreate);
  sim.crash(node);
  EXPECT_EQ(waiters.alive, 0);
  EXPECT_FALSE(outside.has_waiters());
  EXPECT_FALSE((*file)->write_at(as_bytes("late"), 0));
  EXPECT_FALSE(world.disk.open("/y", OpenMode::kCreate));
  spawn(world.loop, waiters.wait_timer(world.loop));
  sim.restart(node);
  sim.run_for(1s);
  EXPECT_EQ(waiters.alive, 0);
  spawn(node.worlds()[1].loop, waiters.wait_timer(node.worlds()[1].loop));
  sim.run_for(1s);
  EXPECT_EQ(waiters.alive, 1);
  sim.crash(node);  // The task refers to `waiters`.
  EXPECT_EQ(waiters.alive, 0);
}

class Partitions : public testing::Test {
 protected:
  Partitions() {
    faults().tcp_timeout = 3s;
    spawn(server.worlds()[0].loop, serve_echo(server.worlds()[0], bytes));
  }
  Faults& faults() { return sim.faults(); }
  void start_talk(int requests) { spawn(client.worlds()[0].loop, talk(client.worlds()[0], "server", requests, talked)); }

  uint64_t bytes = 0;
  Talk talked;
  SimWorld sim{9};
  SimNode& server = sim.add_node("server");
  SimNode& client = sim.add_node("client");
};

TEST_F(Partitions, ShortOnesOnlyDelay) {
  start_talk(50);
  sim.run_for(20ms);
  sim.partition(client, server);
  const int before = talked.answered;
  EXPECT_GT(before, 0);
  sim.run_for(1s);
  EXPECT_LE(talked.answered, before + 1);  // An answer may have been on its way.
  sim.heal(client, server);
  EXPECT_TRUE(sim.run_until([&] { return talked.answered == 50; }, 5s));
  EXPECT_EQ(talked.failed, 0);
}

TEST_F(Partitions, LongOnesBreakTheSender) {
  start_talk(10);
  EXPECT_TRUE(sim.run_until([&] { return talked.answered == 3; }, 1s));
  sim.partition(client, server);
  EXPECT_TRUE(sim.run_until([&] { return talked.failed >= 1; }, 10s));
  EXPECT_EQ(talked.last_error.find("cannot read from"), 0u) << talked.last_error;
  EXPECT_TRUE(sim.run_until([&] { return talked.failed >= 2; }, 10s));
  EXPECT_NE(talked.last_error.find("timed out"), std::string::npos) << talked.last_error;
}

TEST_F(Partitions, OneWayLetsRequestsThroughAndNoAnswers) {
  start_talk(10);
  EXPECT_TRUE(sim.run_until([&] { return talked.answered == 3; }, 1s));
  sim.block(server, client);
  const uint64_t before = bytes;
  sim.run_for(2s);
  EXPECT_GT(bytes, before);
  EXPECT_EQ(talked.answered, 3);
}

TEST_F(Partitions, CrashedServersResetOrRefuse) {
  faults().silent_crash = 0;
  start_talk(100);
  sim.run_for(20ms);
  sim.crash(server);
  EXPECT_TRUE(sim.run_until([&] { return talked.failed == 1; }, 1s));
  EXPECT_NE(talked.last_error.find("reset"), std::string::npos) << talked.last_error;
  EXPECT_TRUE(sim.run_until([&] { return talked.failed == 2; }, 1s));
  EXPECT_NE(talked.last_error.find("refused"), std::string::npos) << talked.last_error;
  sim.restart(server);
  const int before = talked.answered;
  spawn(server.worlds()[0].loop, serve_echo(server.worlds()[0], bytes));
  EXPECT_TRUE(sim.run_until([&] { return talked.answered > before; }, 5s));
}

TEST_F(Partitions, SilentCrashesAreFoundByWriting) {
  faults().silent_crash = 1;
  start_talk(100);
  sim.run_for(20ms);
  sim.crash(server);
  sim.run_for(1s);
  EXPECT_EQ(talked.failed, 0);
  sim.restart(server);
  spawn(server.worlds()[0].loop, serve_echo(server.worlds()[0], bytes));
  sim.run_for(20s);
  EXPECT_GT(talked.answered, 20);
}

TEST_F(Partitions, ResetsReachBothEnds) {
  start_talk(100);
  sim.run_for(20ms);
  sim.reset_connections(server, client);
  EXPECT_TRUE(sim.run_until([&] { return talked.failed == 1; }, 1s));
  EXPECT_TRUE(sim.run_until([&] { return talked.answered == 99; }, 5s));
}

}  // namespace
}  // namespace samsa::io::sim
