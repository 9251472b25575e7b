#include "io/real/patience.h"

#include <filesystem>
#include <thread>

#include <gtest/gtest.h>

#include "io/file.h"
#include "io/real/world.h"

namespace samsa::io::real {
namespace {

TEST(Patience, WhatIsLetGoSoonIsTaken) {
  RealNode node({.shards = 1});
  World& world = node.worlds()[0];
  const std::string path = testing::TempDir() + "samsa-patience-" + std::to_string(entropy());
  auto lock = world.disk.lock(path);
  ASSERT_TRUE(lock) << lock.error().text();
  auto listener = world.network.listen({"127.0.0.1", 0});
  ASSERT_TRUE(listener);
  const Address address = (*listener)->address();
  EXPECT_EQ(world.disk.lock(path).error().code, ErrorCode::kOperationNotAttempted) << "its holder lives on";
  EXPECT_FALSE(world.network.listen(address));

  std::thread end_of_the_other([held = std::move(*lock)]() mutable {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    held.reset();
  });
  EXPECT_TRUE(world.disk.lock(path));
  end_of_the_other.join();
  listener->reset();
  EXPECT_TRUE(world.network.listen(address));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace samsa::io::real
