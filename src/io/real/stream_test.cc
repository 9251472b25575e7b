#include "io/real/stream.h"

#include <atomic>
#include <cstdlib>
#include <new>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/conformance.h"
#include "io/real/disk.h"
#include "io/real/world.h"
#include "io/work.h"

// The sanitizers have an operator new of their own, and under AddressSanitizer frames have no free list.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SAMSA_COUNT_ALLOCATIONS 0
#else
#define SAMSA_COUNT_ALLOCATIONS 1

namespace {
std::atomic<int64_t> allocations{0};
}  // namespace

// Every allocation of the test binary is counted, so that a steady state can be shown to have none.
void* operator new(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* memory = std::malloc(size);
  if (!memory) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
#endif

namespace samsa::io::real {
namespace {

using conformance::connect_pair;
using conformance::pattern;
using conformance::read_up_to;

#if SAMSA_COUNT_ALLOCATIONS
TEST(RealStream, SteadyStateAllocatesNothing) {
  RealNode node({.shards = 2});
  World& world = node.worlds()[0];
  World& other = node.worlds()[1];
  int64_t during = -1;
  const auto body = [&]() -> Task<> {
    auto pair = co_await connect_pair(world);
    Buffer buffer(100);
    const Chunk chunk{buffer, nullptr};
    const auto remote = [&]() -> Task<int> { co_return other.loop.shard(); };
    int64_t before = 0;
    for (int i = 0; i < 1100; ++i) {
      if (i == 100) before = allocations.load() + static_cast<int64_t>(this_work.allocator_calls);
      EXPECT_TRUE(co_await pair.client->write({&chunk, 1}));
      EXPECT_TRUE(co_await pair.server->read_some(buffer));
      EXPECT_TRUE(co_await pair.server->write({&chunk, 1}));
      EXPECT_TRUE(co_await pair.client->read_some(buffer));
      co_await call_on(world.loop, other.loop, remote);
      co_await sleep_for(world.loop, std::chrono::nanoseconds(1));
    }
    during = allocations.load() + static_cast<int64_t>(this_work.allocator_calls) - before;
  };
  node.run_until_done(body());
  EXPECT_EQ(during, 0);
}

#endif

bool has_cachestat() {
  uint64_t range[2] = {0, 1};
  uint64_t pages[5] = {};
  return ::syscall(451, -1, range, pages, 0) != 0 && errno != ENOSYS;
}

class ColdFiles : public testing::Test {
 protected:
  ~ColdFiles() override { ::unlink(path.c_str()); }
  // A file that has been written and dropped from the page cache.
  std::shared_ptr<File> make_cold(Disk& disk, Bytes content) {
    auto file = disk.open(path, OpenMode::kCreateTruncate);
    EXPECT_TRUE(file && (*file)->write_at(content, 0) && (*file)->sync_now());
    posix_fadvise((*file)->native_handle(), 0, 0, POSIX_FADV_DONTNEED);
    return *file;
  }
  std::string path = "samsa-io-cold-" + std::to_string(getpid());
};

TEST_F(ColdFiles, AreReadByThePoolAndSent) {
  RealNode node({.shards = 1});
  World& world = node.worlds()[0];
  const Buffer content = pattern(3'000'000);
  const auto body = [&]() -> Task<> {
    auto file = make_cold(world.disk, content);
    Buffer into(content.size());
    EXPECT_EQ((co_await file->read_at_async(into, 0)).value(), content.size());
    EXPECT_EQ(into, content);
    auto pair = co_await connect_pair(world);
    for (const uint64_t length : {uint64_t{5'000}, uint64_t{100'000}, uint64_t{2'900'000}}) {
      file = make_cold(world.disk, content);
      const FileSlice slice{file, 50'000, length};
      const Buffer head = pattern(30);
      const std::vector<Chunk> chunks = {{head, nullptr}, {{}, &slice}, {head, nullptr}};
      const auto send = [&]() -> Task<> {
        const auto outcome = co_await pair.server->write(chunks);
        EXPECT_TRUE(outcome);
      };
      TaskGroup group(world.loop);
      group.spawn(send());
      const auto got = co_await read_up_to(*pair.client, length + 60);
      CO_ASSERT(got && got->size() == length + 60);
      EXPECT_TRUE(std::equal(head.begin(), head.end(), got->begin()));
      EXPECT_TRUE(std::equal(got->begin() + 30, got->end() - 30, content.begin() + 50'000));
      EXPECT_TRUE(std::equal(head.begin(), head.end(), got->end() - 30));
      co_await group.join();
    }
  };
  node.run_until_done(body());
}

// One look for each 128 KiB of what the page cache has, and one for the first byte; two for a megabyte where the system knows cachestat.
TEST_F(ColdFiles, OfThePageCacheAreLookedForRarely) {
  RealNode node({.shards = 1});
  World& world = node.worlds()[0];
  const Buffer content = pattern(1 << 20);
  const auto body = [&]() -> Task<> {
    auto file = world.disk.open(path, OpenMode::kCreateTruncate);
    CO_ASSERT(file && (*file)->write_at(content, 0));
    auto pair = co_await connect_pair(world);
    const FileSlice slice{*file, 0, content.size()};
    const Chunk chunk{{}, &slice};
    const uint64_t before = this_work.system_calls[static_cast<size_t>(SystemCall::kRead)];
    const auto send = [&]() -> Task<> { EXPECT_TRUE(co_await pair.server->write({&chunk, 1})); };
    TaskGroup group(world.loop);
    group.spawn(send());
    CO_ASSERT((co_await read_up_to(*pair.client, content.size())).value() == content);
    EXPECT_LE(this_work.system_calls[static_cast<size_t>(SystemCall::kRead)] - before, has_cachestat() ? 2u : 10u);
    co_await group.join();
  };
  node.run_until_done(body());
}

// The pages of a file are told one by one: those read in and those not.
TEST_F(ColdFiles, HaveOnlyThePagesThatWereRead) {
  RealNode node({.shards = 1});
  const auto body = [&]() -> Task<> {
    auto file = make_cold(node.worlds()[0].disk, pattern(1 << 20));
    const int fd = file->native_handle();
    posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);  // No reading ahead.
    const auto size = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    Buffer page(size);
    CO_ASSERT(file->read_at(page, 10 * size).has_value());
    EXPECT_EQ(are_cached(fd, 10 * size, size), has_cachestat());
    EXPECT_EQ(are_cached(fd, 11 * size - 1, 1), has_cachestat());
    EXPECT_FALSE(are_cached(fd, 11 * size - 1, 2));
    EXPECT_FALSE(are_cached(fd, 10 * size - 1, 2));
    EXPECT_FALSE(are_cached(fd, 0, 1 << 20));
    EXPECT_FALSE(are_cached(fd, 10 * size, 0));
  };
  node.run_until_done(body());
}

// One connection whose records come in all the time is alone after half a second; one answer to another, or a call of another shard, is company.
TEST(RealLoop, KnowsWhetherItServesMoreThanOne) {
  RealNode node({.shards = 2});
  World& world = node.worlds()[0];
  World& other = node.worlds()[1];
  const auto body = [&]() -> Task<> {
    auto one = co_await connect_pair(world);
    auto two = co_await connect_pair(world);
    Buffer buffer(100);
    const Chunk chunk{buffer, nullptr};
    const auto serve = [&](conformance::Pair& pair) -> Task<> {
      EXPECT_TRUE(co_await pair.client->write({&chunk, 1}));
      EXPECT_TRUE(co_await pair.server->read_some(buffer));
    };
    const auto serve_one = [&]() -> Task<> {
      for (int i = 0; i < 60; ++i) {
        co_await serve(one);
        co_await sleep_for(world.loop, std::chrono::milliseconds(10));
      }
    };
    co_await serve(one);
    EXPECT_TRUE(world.loop.has_company());
    co_await serve_one();
    EXPECT_FALSE(world.loop.has_company());
    co_await serve(two);
    EXPECT_TRUE(world.loop.has_company());
    co_await serve_one();
    EXPECT_FALSE(world.loop.has_company());
    co_await call_on(world.loop, other.loop, [&]() -> Task<int> { co_return co_await call_on(other.loop, world.loop, [&]() -> Task<int> { co_return 1; }); });
    EXPECT_TRUE(world.loop.has_company());
  };
  node.run_until_done(body());
}

// The answer is lost either way, but the error must say whose fault it is: a disk that fails is not the peer's.
TEST(RealStream, AFileThatCannotBeReadIsNoErrorOfTheConnection) {
  RealNode node({.shards = 1});
  World& world = node.worlds()[0];
  const auto body = [&]() -> Task<> {
    // Reads of the first give EISDIR, of the second EIO: nothing is mapped there.
    for (const char* path : {"/tmp", "/proc/self/mem"}) {
      auto file = world.disk.open(path, OpenMode::kRead);
      CO_ASSERT(file);
      for (const uint64_t length : {uint64_t{100}, uint64_t{100'000}}) {  // Read and sent; by sendfile.
        auto pair = co_await connect_pair(world);
        const FileSlice slice{*file, 0, length};
        const Chunk chunk{{}, &slice};
        const auto sent = co_await pair.server->write({&chunk, 1});
        CO_ASSERT(!sent);
        EXPECT_TRUE(is_device_error(sent.error())) << sent.error().text();
        EXPECT_NE(sent.error().message.find(std::string(" ") + path + ": "), std::string::npos) << sent.error().text();
      }
    }
  };
  node.run_until_done(body());
}

TEST_F(ColdFiles, OneThatWasCutIsNoFaultOfTheDisk) {
  RealNode node({.shards = 1});
  World& world = node.worlds()[0];
  const auto body = [&]() -> Task<> {
    for (const uint64_t length : {uint64_t{5'000}, uint64_t{2'000'000}}) {
      auto pair = co_await connect_pair(world);
      const auto file = make_cold(world.disk, pattern(4'000));
      const FileSlice slice{file, 0, length};
      const Chunk chunk{{}, &slice};
      const auto sent = co_await pair.server->write({&chunk, 1});
      CO_ASSERT(!sent);
      EXPECT_EQ(sent.error().code, ErrorCode::kKafkaStorageError);
      EXPECT_FALSE(is_device_error(sent.error())) << sent.error().text();
    }
  };
  node.run_until_done(body());
}

TEST(RealStream, APeerThatLeftIsNoFaultOfTheDisk) {
  RealNode node({.shards = 1});
  World& world = node.worlds()[0];
  const std::string path = "samsa-io-left-" + std::to_string(getpid());
  const auto body = [&]() -> Task<> {
    auto file = world.disk.open(path, OpenMode::kCreateTruncate);
    CO_ASSERT(file && (*file)->write_at(pattern(1'000'000), 0));
    ::unlink(path.c_str());
    auto pair = co_await connect_pair(world);
    pair.client->close();
    const FileSlice slice{*file, 0, 1'000'000};
    const Chunk chunk{{}, &slice};
    Result<void> sent;
    for (int i = 0; i < 1000 && sent; ++i) sent = co_await pair.server->write({&chunk, 1});
    CO_ASSERT(!sent);
    EXPECT_EQ(sent.error().code, ErrorCode::kNetworkException) << sent.error().text();
  };
  node.run_until_done(body());
}

TEST(RealStream, FloodsDoNotHoldUpOthers) {
  // One connection has megabytes to read at once; another one's request comes in between.
  RealNode node({.shards = 1});
  World& world = node.worlds()[0];
  const auto body = [&]() -> Task<> {
    auto flood = co_await connect_pair(world);
    auto quiet = co_await connect_pair(world);
    const Buffer many(64 << 20);
    const auto send = [&]() -> Task<> {
      const Chunk chunk{many, nullptr};
      co_await flood.client->write({&chunk, 1});
    };
    size_t drained = 0;
    const auto drain = [&]() -> Task<> {
      Buffer buffer(16 * 1024);
      while (drained < many.size()) {
        auto n = co_await flood.server->read_some(buffer);
        CO_ASSERT(n && *n > 0);
        drained += *n;
      }
    };
    TaskGroup group(world.loop);
    group.spawn(send());
    group.spawn(drain());
    int answers = 0;
    while (drained < many.size()) {
      co_await conformance::write_text(*quiet.client, "x");
      co_await read_up_to(*quiet.server, 1);
      ++answers;
      co_await yield(world.loop);
    }
    co_await group.join();
    EXPECT_GT(answers, 50);
  };
  node.run_until_done(body());
}

}  // namespace
}  // namespace samsa::io::real
