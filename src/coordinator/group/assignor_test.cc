#include "coordinator/group/assignor.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "io/random.h"

namespace samsa::coordinator {
namespace {

Uuid topic(uint64_t n) { return {1, n}; }
size_t size_of(const PartitionSet& set) {
  size_t size = 0;
  for (const auto& [id, partitions] : set) size += partitions.size();
  return size;
}

TEST(Range, GivesContiguousRanges) {
  AssignmentProblem problem;
  problem.subscriptions = {{"a", {topic(1), topic(2)}}, {"b", {topic(1), topic(2)}}, {"c", {topic(2)}}};
  problem.partitions = {{topic(1), 3}, {topic(2), 4}};
  const auto target = assign("range", problem);
  EXPECT_EQ(target.at("a"), (PartitionSet{{topic(1), {0, 1}}, {topic(2), {0, 1}}}));
  EXPECT_EQ(target.at("b"), (PartitionSet{{topic(1), {2}}, {topic(2), {2}}}));
  EXPECT_EQ(target.at("c"), (PartitionSet{{topic(2), {3}}}));
}

TEST(Uniform, IsEvenAndSticky) {
  AssignmentProblem problem;
  problem.subscriptions = {{"a", {topic(1), topic(2)}}, {"b", {topic(1), topic(2)}}};
  problem.partitions = {{topic(1), 5}, {topic(2), 2}};
  const auto first = assign("uniform", problem);
  EXPECT_EQ(size_of(first.at("a")) + size_of(first.at("b")), 7u);
  problem.present = first;
  EXPECT_EQ(assign("uniform", problem), first);  // Nothing has changed.
  problem.subscriptions["c"] = {topic(1), topic(2)};
  const auto second = assign("uniform", problem);
  size_t kept = 0;
  for (const char* id : {"a", "b"}) {
    EXPECT_GE(size_of(second.at(id)), 2u);
    for (const auto& [t, partitions] : second.at(id)) {
      for (const auto p : partitions) kept += first.at(id).contains(t) && first.at(id).at(t).contains(p);
    }
  }
  EXPECT_EQ(kept, 7 - size_of(second.at("c")));  // Only what the new one got has moved.
}

TEST(Uniform, RandomProblemsAreSolvedWholeAndEven) {
  io::Random random(7);
  for (int run = 0; run < 300; ++run) {
    AssignmentProblem problem;
    const auto topics = 1 + random.below(5);
    const bool same = random.one_in(2);
    for (uint64_t t = 0; t < topics; ++t) problem.partitions[topic(t)] = static_cast<int32_t>(random.below(12));
    for (uint64_t m = 0; m < 1 + random.below(6); ++m) {
      auto& subscribed = problem.subscriptions["m" + std::to_string(m)];
      for (uint64_t t = 0; t < topics; ++t) {
        if (same || random.one_in(2)) subscribed.insert(topic(t));
      }
    }
    for (int round = 0; round < 3; ++round) {
      const auto target = assign("uniform", problem);
      PartitionSet seen;
      size_t least = SIZE_MAX, most = 0, total = 0;
      for (const auto& [id, set] : target) {
        least = std::min(least, size_of(set));
        most = std::max(most, size_of(set));
        for (const auto& [t, partitions] : set) {
          ASSERT_TRUE(problem.subscriptions.at(id).contains(t));
          for (const auto p : partitions) ASSERT_TRUE(seen[t].insert(p).second);
        }
      }
      for (const auto& [t, count] : problem.partitions) {
        const bool wanted = std::ranges::any_of(problem.subscriptions, [&, id = t](const auto& s) { return s.second.contains(id); });
        if (wanted) total += static_cast<size_t>(count);
      }
      ASSERT_EQ(size_of(seen), total);
      if (same) ASSERT_LE(most - least, 1u);
      problem.present = target;
      if (problem.subscriptions.size() > 1 && random.one_in(2)) problem.subscriptions.erase(problem.subscriptions.begin());
      problem.partitions.begin()->second += static_cast<int32_t>(random.below(3));
    }
  }
}

}  // namespace
}  // namespace samsa::coordinator
