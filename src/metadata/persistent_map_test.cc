#include "metadata/persistent_map.h"

#include <map>

#include <gtest/gtest.h>

#include "io/random.h"

namespace samsa::metadata {
namespace {

using Map = PersistentMap<int32_t, int>;

std::map<int32_t, int> contents(const Map& map) {
  std::map<int32_t, int> all;
  int32_t last = INT32_MIN;
  map.for_each([&](int32_t key, int value) {
    EXPECT_GT(key, last);
    last = key;
    all[key] = value;
  });
  EXPECT_EQ(all.size(), map.size());
  return all;
}

TEST(PersistentMap, DoesWhatAMapDoes) {
  io::Random random(3);
  Map map;
  std::map<int32_t, int> model;
  std::vector<std::pair<Map, std::map<int32_t, int>>> kept;
  for (int i = 0; i < 3000; ++i) {
    const auto key = static_cast<int32_t>(random.below(300));
    if (random.one_in(3)) {
      EXPECT_EQ(map.erase(key), model.erase(key) > 0);
    } else {
      map.set(key, i);
      model[key] = i;
    }
    if (i % 500 == 0) kept.emplace_back(map, model);
  }
  EXPECT_EQ(contents(map), model);
  for (const auto& [old, expected] : kept) EXPECT_EQ(contents(old), expected);
  for (int32_t key = -1; key <= 300; ++key) {
    const int* found = map.find(key);
    ASSERT_EQ(found != nullptr, model.contains(key));
    if (found != nullptr) EXPECT_EQ(*found, model[key]);
  }
}

TEST(PersistentMap, DiffTellsWhatChanged) {
  io::Random random(5);
  for (int round = 0; round < 50; ++round) {
    Map before;
    for (int i = 0; i < 200; ++i) before.set(static_cast<int32_t>(random.below(1000)), i);
    Map after = before;
    for (int i = 0; i < 20; ++i) {
      const auto key = static_cast<int32_t>(random.below(1000));
      if (random.one_in(2)) {
        after.erase(key);
      } else {
        after.set(key, -i);
      }
    }
    std::map<int32_t, int> rebuilt = contents(before);
    Map::diff(before, after, [&](int32_t key, const int* old, const int* now) {
      EXPECT_EQ(old, before.find(key));
      EXPECT_EQ(now, after.find(key));
      if (now == nullptr) {
        rebuilt.erase(key);
      } else {
        rebuilt[key] = *now;
      }
    });
    EXPECT_EQ(rebuilt, contents(after));
  }
}

TEST(PersistentMap, WalksFromAKey) {
  PersistentMap<std::string, int> map;
  for (int i = 0; i < 100; ++i) map.set("k" + std::to_string(100 + i), i);
  std::vector<int> seen;
  map.for_each_from(std::string_view("k150"), [&](const std::string&, int value) {
    seen.push_back(value);
    return seen.size() < 3;
  });
  EXPECT_EQ(seen, (std::vector<int>{50, 51, 52}));
}

}  // namespace
}  // namespace samsa::metadata
