// Conformance: what every implementation of the world must do, real and simulated alike. For tests only; instantiated by
// io/real/conformance_test.cc and io/sim/conformance_test.cc.
//
// A harness H is default-constructible and gives: World& world(int shard) of a node with two shards; void run(Task<>) that runs a task
// of shard 0 to its end and fails the test when it does not end; std::string directory(), empty and fresh.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "io/sync.h"
#include "io/world.h"

#define CO_ASSERT(condition)                     \
  do {                                           \
    if (!(condition)) {                          \
      ADD_FAILURE() << "in a task: " #condition; \
      co_return;                                 \
    }                                            \
  } while (0)

namespace samsa::io {

using namespace std::chrono_literals;  // NOLINT: of a header for tests.

template <class H>
class Conformance : public testing::Test {
 public:
  World& world(int shard = 0) { return harness_.world(shard); }
  Loop& loop(int shard = 0) { return world(shard).loop; }
  Disk& disk() { return world().disk; }
  Network& network(int shard = 0) { return world(shard).network; }
  std::string path(const std::string& name) { return join_path(harness_.directory(), name); }
  // `body` () -> Task<>, kept alive while it runs.
  template <class F>
  void run(F body) {
    harness_.run(body());
  }

 private:
  H harness_;
};

TYPED_TEST_SUITE_P(Conformance);

namespace conformance {

struct Pair {
  std::unique_ptr<Stream> client;
  std::unique_ptr<Stream> server;
};

inline Task<> connect_into(Network& network, Address address, std::unique_ptr<Stream>& into, Signal& done) {
  auto stream = co_await network.connect(address, 5s);
  EXPECT_TRUE(stream) << stream.error().describe();
  if (stream) into = std::move(*stream);
  done.notify_all();
}

// A connected pair of streams, both on the shard of `world`.
inline Task<Pair> connect_pair(World& world) {
  Pair pair;
  Signal done;
  auto listener = world.network.listen({"127.0.0.1", 0});
  EXPECT_TRUE(listener) << listener.error().describe();
  spawn(world.loop, connect_into(world.network, (*listener)->address(), pair.client, done));
  auto accepted = co_await (*listener)->accept();
  EXPECT_TRUE(accepted);
  pair.server = world.network.attach(std::move(*accepted));
  while (!pair.client) co_await done.wait(world.loop);
  co_return pair;
}

inline Task<Result<void>> write_text(Stream& stream, std::string_view text) {
  const Chunk chunk{as_bytes(text), nullptr};
  co_return co_await stream.write({&chunk, 1});
}

// Reads until `size` bytes or the end.
inline Task<Result<Buffer>> read_up_to(Stream& stream, size_t size) {
  Buffer buffer(size);
  size_t done = 0;
  while (done < size) {
    CO_TRY_ASSIGN(const size_t n, co_await stream.read_some(MutableBytes(buffer).subspan(done)));
    if (n == 0) break;
    done += n;
  }
  buffer.resize(done);
  co_return buffer;
}

inline Buffer pattern(size_t size, uint32_t salt = 0) {
  Buffer bytes(size);
  uint32_t state = salt + 1;
  for (auto& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<uint8_t>(state >> 24);
  }
  return bytes;
}

}  // namespace conformance

TYPED_TEST_P(Conformance, SpawnsRunInOrderAndLater) {
  this->run([this]() -> Task<> {
    std::vector<int> order;
    const auto note = [](std::vector<int>& into, int value) -> Task<> {
      into.push_back(value);
      co_return;
    };
    for (int i = 0; i < 3; ++i) spawn(this->loop(), note(order, i));
    EXPECT_TRUE(order.empty());
    co_await yield(this->loop());
    EXPECT_EQ(order, (std::vector{0, 1, 2}));
  });
}

TYPED_TEST_P(Conformance, TimersFireInTheOrderOfTheirDeadlines) {
  this->run([this]() -> Task<> {
    std::vector<int> order;
    const auto sleeper = [](Loop& loop, std::vector<int>& into, int ms) -> Task<> {
      const MonoTime start = loop.now();
      co_await sleep_for(loop, std::chrono::milliseconds(ms));
      EXPECT_GE(loop.now() - start, std::chrono::milliseconds(ms));
      into.push_back(ms);
    };
    TaskGroup group(this->loop());
    for (const int ms : {30, 10, 20, 0}) group.spawn(sleeper(this->loop(), order, ms));
    co_await group.join();
    EXPECT_EQ(order, (std::vector{0, 10, 20, 30}));
  });
}

TYPED_TEST_P(Conformance, CancelledTimersDoNotFire) {
  this->run([this]() -> Task<> {
    struct Counting : Timer {
      int fired = 0;
    } timers[5];
    for (int i = 0; i < 5; ++i) {
      timers[i].deadline = this->loop().now() + std::chrono::milliseconds(5 + i);
      timers[i].fire = [](Timer& timer) { ++static_cast<Counting&>(timer).fired; };
      this->loop().add_timer(timers[i]);
    }
    this->loop().cancel_timer(timers[0]);
    this->loop().cancel_timer(timers[3]);
    co_await sleep_for(this->loop(), 30ms);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(timers[i].fired, i == 0 || i == 3 ? 0 : 1) << i;
  });
}

TYPED_TEST_P(Conformance, SignalsWakeInOrderAndByDeadline) {
  this->run([this]() -> Task<> {
    Signal signal;
    std::vector<int> woken;
    const auto waiter = [](Loop& loop, Signal& on, std::vector<int>& into, int id, MonoTime until) -> Task<> {
      const bool notified = co_await on.wait_until(loop, until);
      into.push_back(notified ? id : -id);
    };
    TaskGroup group(this->loop());
    group.spawn(waiter(this->loop(), signal, woken, 1, kNever));
    group.spawn(waiter(this->loop(), signal, woken, 2, this->loop().now() + 5ms));
    group.spawn(waiter(this->loop(), signal, woken, 3, kNever));
    co_await sleep_for(this->loop(), 20ms);
    EXPECT_EQ(woken, (std::vector{-2}));
    signal.notify_one();
    co_await sleep_for(this->loop(), 1ms);
    EXPECT_EQ(woken, (std::vector{-2, 1}));
    signal.notify_all();
    co_await group.join();
    EXPECT_EQ(woken, (std::vector{-2, 1, 3}));
    EXPECT_FALSE(signal.has_waiters());
  });
}

TYPED_TEST_P(Conformance, MutexIsFirstComeFirstServed) {
  this->run([this]() -> Task<> {
    Mutex mutex;
    std::vector<int> order;
    int inside = 0;
    const auto enter = [&](int id) -> Task<> {
      auto held = co_await mutex.lock(this->loop());
      EXPECT_EQ(++inside, 1);
      co_await sleep_for(this->loop(), 1ms);
      order.push_back(id);
      --inside;
    };
    TaskGroup group(this->loop());
    for (int i = 0; i < 4; ++i) group.spawn(enter(i));
    co_await group.join();
    EXPECT_EQ(order, (std::vector{0, 1, 2, 3}));
    EXPECT_FALSE(mutex.locked());
  });
}

TYPED_TEST_P(Conformance, CallsRunOnTheOtherShardAndComeBack) {
  this->run([this]() -> Task<> {
    for (int i = 0; i < 100; ++i) {
      const int shard = co_await call_on(this->loop(0), this->loop(1), [this]() -> Task<int> { co_return this->loop(1).shard(); });
      EXPECT_EQ(shard, 1);
    }
    bool ran = false;
    co_await call_on(this->loop(0), this->loop(1), [this, &ran]() -> Task<> {
      co_await sleep_for(this->loop(1), 2ms);
      ran = true;
    });
    EXPECT_TRUE(ran);
    const int here = co_await call_on(this->loop(0), this->loop(0), []() -> Task<int> { co_return 7; });
    EXPECT_EQ(here, 7);
  });
}

TYPED_TEST_P(Conformance, RemoteFunctionsKeepTheirOrder) {
  this->run([this]() -> Task<> {
    std::vector<int> order;
    Signal done;
    for (int i = 0; i < 50; ++i) {
      this->loop().post_remote([&order, &done, i] {
        order.push_back(i);
        if (i == 49) done.notify_all();
      });
    }
    co_await done.wait(this->loop());
    for (int i = 0; i < 50; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
  });
}

TYPED_TEST_P(Conformance, StreamsCarryBytesBothWaysAndEnd) {
  this->run([this]() -> Task<> {
    auto pair = co_await conformance::connect_pair(this->world());
    CO_ASSERT(pair.client && pair.server);
    EXPECT_EQ(pair.client->peer().port, pair.server->local().port);
    EXPECT_EQ(pair.client->local(), pair.server->peer());
    EXPECT_TRUE(co_await conformance::write_text(*pair.client, "ping"));
    auto ping = co_await conformance::read_up_to(*pair.server, 4);
    CO_ASSERT(ping);
    EXPECT_EQ(as_text(*ping), "ping");
    EXPECT_TRUE(co_await conformance::write_text(*pair.server, "pong"));
    pair.server->close();
    pair.server->close();
    auto pong = co_await conformance::read_up_to(*pair.client, 100);
    CO_ASSERT(pong);
    EXPECT_EQ(as_text(*pong), "pong");
    uint8_t byte;
    EXPECT_FALSE(co_await pair.server->read_some({&byte, 1}));
    EXPECT_FALSE(co_await conformance::write_text(*pair.server, "x"));
  });
}

TYPED_TEST_P(Conformance, LongWritesWaitForTheReader) {
  this->run([this]() -> Task<> {
    auto pair = co_await conformance::connect_pair(this->world());
    CO_ASSERT(pair.client && pair.server);
    const Buffer sent = conformance::pattern(8 << 20);
    bool written = false;
    const auto writer = [&]() -> Task<> {
      std::vector<Chunk> chunks;
      for (size_t at = 0; at < sent.size(); at += 100'000) {
        chunks.push_back({Bytes(sent).subspan(at, std::min<size_t>(100'000, sent.size() - at)), nullptr});
      }
      const auto outcome = co_await pair.client->write(chunks);
      EXPECT_TRUE(outcome);
      written = true;
    };
    TaskGroup group(this->loop());
    group.spawn(writer());
    co_await sleep_for(this->loop(), 50ms);
    EXPECT_FALSE(written);
    const auto got = co_await conformance::read_up_to(*pair.server, sent.size());
    EXPECT_TRUE(got && *got == sent);
    co_await group.join();
    EXPECT_TRUE(written);
  });
}

TYPED_TEST_P(Conformance, FileSlicesGoOutBetweenMemory) {
  this->run([this]() -> Task<> {
    const Buffer content = conformance::pattern(600'000, 3);
    auto file = this->disk().open(this->path("slices"), OpenMode::kCreateNew);
    CO_ASSERT(file);
    EXPECT_TRUE((*file)->write_at(content, 0));
    auto pair = co_await conformance::connect_pair(this->world());
    CO_ASSERT(pair.client && pair.server);
    const std::vector<FileSlice> slices = {{*file, 10, 100}, {*file, 5'000, 500'000}, {*file, 0, 0}, {*file, 590'000, 10'000}};
    const std::string head = "head";
    const std::vector<Chunk> chunks = {{as_bytes(head), nullptr}, {{}, &slices[0]}, {as_bytes(head), nullptr}, {{}, &slices[1]},
                                       {{}, &slices[2]},          {{}, &slices[3]}, {as_bytes(head), nullptr}};
    Buffer expected;
    for (const auto& chunk : chunks) {
      append(expected, chunk.slice ? Bytes(content).subspan(chunk.slice->offset, chunk.slice->length) : chunk.memory);
    }
    TaskGroup group(this->loop());
    const auto writer = [&]() -> Task<> {
      const auto outcome = co_await pair.client->write(chunks);
      EXPECT_TRUE(outcome) << outcome.error().describe();
    };
    group.spawn(writer());
    const auto got = co_await conformance::read_up_to(*pair.server, expected.size());
    EXPECT_TRUE(got && *got == expected);
    co_await group.join();
    const FileSlice beyond{*file, 599'000, 100'000};
    const Chunk too_long{{}, &beyond};
    EXPECT_FALSE(co_await pair.client->write({&too_long, 1}));
  });
}

TYPED_TEST_P(Conformance, CloseEndsPendingReadsAndAccepts) {
  this->run([this]() -> Task<> {
    auto pair = co_await conformance::connect_pair(this->world());
    CO_ASSERT(pair.client && pair.server);
    auto listener = this->network().listen({"127.0.0.1", 0});
    CO_ASSERT(listener);
    int ended = 0;
    const auto reader = [&]() -> Task<> {
      uint8_t byte;
      EXPECT_FALSE(co_await pair.client->read_some({&byte, 1}));
      ++ended;
    };
    const auto acceptor = [&]() -> Task<> {
      EXPECT_FALSE(co_await (*listener)->accept());
      ++ended;
    };
    TaskGroup group(this->loop());
    group.spawn(reader());
    group.spawn(acceptor());
    co_await sleep_for(this->loop(), 5ms);
    EXPECT_EQ(ended, 0);
    pair.client->close();
    (*listener)->close();
    co_await group.join();
    EXPECT_EQ(ended, 2);
  });
}

TYPED_TEST_P(Conformance, ListenersRefuseAPortInUse) {
  this->run([this]() -> Task<> {
    auto first = this->network().listen({"127.0.0.1", 0});
    CO_ASSERT(first);
    EXPECT_NE((*first)->address().port, 0);
    EXPECT_FALSE(this->network().listen((*first)->address()));
    const Address address = (*first)->address();
    (*first)->close();
    const auto connected = co_await this->network().connect(address, 1s);
    EXPECT_FALSE(connected);
    EXPECT_EQ(connected.error().code, ErrorCode::kNetworkException);
    auto again = this->network().listen(address);
    EXPECT_TRUE(again);
    const auto by_name = co_await this->network().connect({"localhost", address.port}, 1s);
    EXPECT_TRUE(by_name) << by_name.error().describe();
    const auto unknown = co_await this->network().connect({"no-such-host.invalid", 1}, 200ms);
    EXPECT_FALSE(unknown);
  });
}

TYPED_TEST_P(Conformance, AcceptedStreamsServeOnAnotherShard) {
  this->run([this]() -> Task<> {
    auto listener = this->network().listen({"127.0.0.1", 0});
    CO_ASSERT(listener);
    std::unique_ptr<Stream> client;
    Signal connected;
    spawn(this->loop(), conformance::connect_into(this->network(), (*listener)->address(), client, connected));
    auto accepted = co_await (*listener)->accept();
    CO_ASSERT(accepted);
    while (!client) co_await connected.wait(this->loop());
    // Echoes on shard 1 until the client ends.
    bool echoed = false;
    const auto echo = [&]() -> Task<> {
      auto stream = this->network(1).attach(std::move(*accepted));
      Buffer buffer(4096);
      while (true) {
        auto n = co_await stream->read_some(buffer);
        if (!n || *n == 0) break;
        const Chunk chunk{Bytes(buffer).first(*n), nullptr};
        if (!co_await stream->write({&chunk, 1})) break;
      }
      echoed = true;
    };
    TaskGroup group(this->loop());
    const auto serve = [&]() -> Task<> { co_await call_on(this->loop(0), this->loop(1), echo); };
    group.spawn(serve());
    for (int i = 0; i < 20; ++i) {
      const std::string text = "request " + std::to_string(i);
      EXPECT_TRUE(co_await conformance::write_text(*client, text));
      const auto answer = co_await conformance::read_up_to(*client, text.size());
      CO_ASSERT(answer);
      EXPECT_EQ(as_text(*answer), text);
    }
    client->close();
    co_await group.join();
    EXPECT_TRUE(echoed);
  });
}

// A stream goes to and fro between two shards, with bytes on the way to it.
TYPED_TEST_P(Conformance, StreamsMoveBetweenShards) {
  this->run([this]() -> Task<> {
    auto [client, server] = co_await conformance::connect_pair(this->world());
    auto between = server->detach();
    const Address peer = between->peer();
    for (int shard = 0; shard < 20; ++shard) {
      const std::string text = "request " + std::to_string(shard);
      EXPECT_TRUE(co_await conformance::write_text(*client, text));
      const auto echo = [&]() -> Task<> {
        auto stream = this->network(shard % 2).attach(std::move(between));
        Buffer buffer(text.size());
        for (size_t have = 0; have < text.size();) {
          auto n = co_await stream->read_some(MutableBytes(buffer).subspan(have));
          CO_ASSERT(n && *n > 0);
          have += *n;
        }
        const Chunk chunk{Bytes(buffer), nullptr};
        EXPECT_TRUE(co_await stream->write({&chunk, 1}));
        between = stream->detach();
        CO_ASSERT(between);
        EXPECT_EQ(between->peer(), peer);
        EXPECT_EQ(stream->detach(), nullptr);
        EXPECT_FALSE(co_await stream->read_some(buffer));
        EXPECT_FALSE(co_await stream->write({&chunk, 1}));
      };
      co_await call_on(this->loop(0), this->loop(shard % 2), echo);
      const auto answer = co_await conformance::read_up_to(*client, text.size());
      CO_ASSERT(answer);
      EXPECT_EQ(as_text(*answer), text);
    }
    between.reset();  // Nobody takes it: the client sees its end.
    const auto end = co_await conformance::read_up_to(*client, 1);
    EXPECT_TRUE(!end || end->empty());
  });
}

TYPED_TEST_P(Conformance, FilesKeepWhatIsWritten) {
  this->run([this]() -> Task<> {
    const std::string path = this->path("file");
    EXPECT_FALSE(this->disk().exists(path));
    const auto missing = this->disk().open(path, OpenMode::kRead);
    EXPECT_FALSE(missing);
    EXPECT_EQ(missing.error().code, ErrorCode::kResourceNotFound);
    auto opened = this->disk().open(path, OpenMode::kCreateNew);
    CO_ASSERT(opened);
    EXPECT_FALSE(this->disk().open(path, OpenMode::kCreateNew));
    File& file = **opened;
    const std::vector<Bytes> pieces = {as_bytes("hello, "), {}, as_bytes("world")};
    EXPECT_TRUE(file.write_at(pieces, 3));
    EXPECT_EQ(file.size().value(), 15u);
    Buffer into(20, 0xee);
    EXPECT_EQ(file.read_at(into, 0).value(), 15u);
    EXPECT_EQ(as_text(Bytes(into).first(15)), std::string_view("\0\0\0hello, world", 15));
    EXPECT_EQ((co_await file.read_at_async(into, 10)).value(), 5u);
    EXPECT_EQ(as_text(Bytes(into).first(5)), "world");
    EXPECT_EQ(file.read_at(into, 15).value(), 0u);
    EXPECT_EQ(file.read_at(into, 1000).value(), 0u);
    EXPECT_TRUE(co_await file.write_at_async(as_bytes("W"), 10));
    EXPECT_EQ(file.read_at(into, 9).value(), 6u);
    EXPECT_EQ(as_text(Bytes(into).first(6)), " World");
    EXPECT_TRUE(co_await file.reserve_async(1 << 20));
    EXPECT_EQ(file.size().value(), 15u);
    EXPECT_TRUE(co_await file.sync());
    EXPECT_TRUE(file.truncate(5));
    EXPECT_EQ(file.size().value(), 5u);
    EXPECT_TRUE(file.truncate(8));
    EXPECT_EQ(file.read_at(into, 0).value(), 8u);
    EXPECT_EQ(as_text(Bytes(into).first(8)), std::string_view("\0\0\0he\0\0\0", 8));
    EXPECT_TRUE(file.sync_now());
    auto truncated = this->disk().open(path, OpenMode::kCreateTruncate);
    CO_ASSERT(truncated);
    EXPECT_EQ(file.size().value(), 0u);
    auto read_only = this->disk().open(path, OpenMode::kRead);
    CO_ASSERT(read_only);
    EXPECT_FALSE((*read_only)->write_at(as_bytes("x"), 0));
  });
}

TYPED_TEST_P(Conformance, ManyPiecesAreOneWrite) {
  this->run([this]() -> Task<> {
    auto file = this->disk().open(this->path("pieces"), OpenMode::kCreate);
    CO_ASSERT(file);
    const Buffer content = conformance::pattern(300'000);
    std::vector<Bytes> pieces;
    for (size_t at = 0; at < content.size(); at += 1'000) pieces.push_back(Bytes(content).subspan(at, 1'000));
    EXPECT_TRUE((*file)->write_at(pieces, 0));
    const auto back = read_file(this->disk(), this->path("pieces"));
    EXPECT_TRUE(back && *back == content);
    Buffer into(content.size());
    EXPECT_EQ((co_await (*file)->read_at_async(into, 0)).value(), content.size());
    EXPECT_EQ(into, content);
  });
}

TYPED_TEST_P(Conformance, DirectoriesRenamesAndRemovals) {
  this->run([this]() -> Task<> {
    Disk& disk = this->disk();
    const std::string top = this->path("top");
    EXPECT_TRUE(disk.create_directories(join_path(top, "a/b")));
    EXPECT_TRUE(disk.create_directories(join_path(top, "a/b")));
    EXPECT_TRUE(disk.stat(join_path(top, "a")).value().directory);
    EXPECT_TRUE(write_file_atomically(disk, join_path(top, "a/b/one"), as_bytes("1")));
    EXPECT_TRUE(write_file_atomically(disk, join_path(top, "a/b/one"), as_bytes("one")));
    EXPECT_TRUE(write_file_atomically(disk, join_path(top, "two"), as_bytes("2")));
    EXPECT_EQ(as_text(read_file(disk, join_path(top, "a/b/one")).value()), "one");
    auto entries = disk.list(top);
    CO_ASSERT(entries && entries->size() == 2);
    EXPECT_EQ((*entries)[0].name, "a");
    EXPECT_TRUE((*entries)[0].directory);
    EXPECT_EQ((*entries)[1].name, "two");
    EXPECT_FALSE((*entries)[1].directory);
    EXPECT_FALSE(disk.create_directories(join_path(top, "two")));
    EXPECT_TRUE(disk.rename(join_path(top, "a"), join_path(top, "c")));
    EXPECT_FALSE(disk.exists(join_path(top, "a")));
    EXPECT_EQ(disk.stat(join_path(top, "c/b/one")).value().size, 3u);
    EXPECT_EQ(disk.rename(join_path(top, "none"), join_path(top, "x")).error().code, ErrorCode::kResourceNotFound);
    EXPECT_TRUE(disk.set_mtime(join_path(top, "two"), 1'234'567));
    EXPECT_EQ(disk.stat(join_path(top, "two")).value().mtime_ms, 1'234'567);
    EXPECT_TRUE(disk.set_read_only(join_path(top, "two")));
    EXPECT_TRUE(disk.remove_file(join_path(top, "two")));
    EXPECT_EQ(disk.remove_file(join_path(top, "two")).error().code, ErrorCode::kResourceNotFound);
    EXPECT_TRUE(disk.remove_tree(join_path(top, "c")));
    EXPECT_TRUE(disk.list(top).value().empty());
    // The same beside the loop.
    EXPECT_TRUE(write_file_atomically(disk, join_path(top, "three"), as_bytes("3")));
    EXPECT_TRUE(disk.create_directories(join_path(top, "d/e")));
    EXPECT_TRUE(co_await disk.rename_async(join_path(top, "three"), join_path(top, "four")));
    EXPECT_TRUE(co_await disk.rename_async(join_path(top, "four"), join_path(top, "three")));
    EXPECT_EQ((co_await disk.rename_async(join_path(top, "four"), join_path(top, "five"))).error().code, ErrorCode::kResourceNotFound);
    EXPECT_TRUE(co_await disk.remove_file_async(join_path(top, "three")));
    EXPECT_EQ((co_await disk.remove_file_async(join_path(top, "three"))).error().code, ErrorCode::kResourceNotFound);
    EXPECT_TRUE(co_await disk.remove_tree_async(join_path(top, "d")));
    EXPECT_TRUE(disk.list(top).value().empty());
    EXPECT_EQ(disk.list(join_path(top, "none")).error().code, ErrorCode::kResourceNotFound);
    EXPECT_EQ(disk.stat(join_path(top, "none")).error().code, ErrorCode::kResourceNotFound);
    EXPECT_TRUE(disk.sync_directory(top));
    const auto space = disk.space(top);
    EXPECT_TRUE(space && space->total_bytes >= space->usable_bytes);
    co_return;
  });
}

TYPED_TEST_P(Conformance, OpenFilesOutliveTheirName) {
  this->run([this]() -> Task<> {
    const std::string path = this->path("gone");
    auto file = this->disk().open(path, OpenMode::kCreateNew);
    CO_ASSERT(file);
    EXPECT_TRUE((*file)->write_at(as_bytes("still here"), 0));
    EXPECT_TRUE(this->disk().remove_file(path));
    Buffer into(10);
    EXPECT_EQ((*file)->read_at(into, 0).value(), 10u);
    EXPECT_EQ(as_text(into), "still here");
    EXPECT_TRUE(co_await (*file)->sync());
  });
}

TYPED_TEST_P(Conformance, LocksAreExclusive) {
  this->run([this]() -> Task<> {
    const std::string path = this->path(".lock");
    {
      const auto held = this->disk().lock(path);
      EXPECT_TRUE(held);
      const auto second = this->disk().lock(path);
      EXPECT_FALSE(second);
      EXPECT_EQ(second.error().code, ErrorCode::kOperationNotAttempted);
    }
    EXPECT_TRUE(this->disk().lock(path));
    co_return;
  });
}

REGISTER_TYPED_TEST_SUITE_P(Conformance, SpawnsRunInOrderAndLater, TimersFireInTheOrderOfTheirDeadlines, CancelledTimersDoNotFire,
                            SignalsWakeInOrderAndByDeadline, MutexIsFirstComeFirstServed, CallsRunOnTheOtherShardAndComeBack,
                            RemoteFunctionsKeepTheirOrder, StreamsCarryBytesBothWaysAndEnd, LongWritesWaitForTheReader,
                            FileSlicesGoOutBetweenMemory, CloseEndsPendingReadsAndAccepts, ListenersRefuseAPortInUse,
                            AcceptedStreamsServeOnAnotherShard, StreamsMoveBetweenShards, FilesKeepWhatIsWritten, ManyPiecesAreOneWrite,
                            DirectoriesRenamesAndRemovals, OpenFilesOutliveTheirName, LocksAreExclusive);

}  // namespace samsa::io
