// Runs of whole clusters: the same seed is the same run, and some seeds of each workload are good.
#include "sim/run.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "sim/nemesis.h"
#include "sim/workload.h"

namespace samsa::sim {
namespace {

RunOptions quick(uint64_t seed, std::string workload) {
  RunOptions options;
  options.seed = seed;
  options.workload = std::move(workload);
  options.time = std::chrono::seconds(8);
  return options;
}

TEST(Run, SameSeedSameDigest) {
  for (const auto& entry : workloads()) {
    const auto first = run(quick(3, std::string(entry.name)));
    const auto second = run(quick(3, std::string(entry.name)));
    const auto other = run(quick(4, std::string(entry.name)));
    EXPECT_EQ(first.digest, second.digest) << entry.name;
    EXPECT_EQ(first.sends, second.sends) << entry.name;
    EXPECT_NE(first.digest, other.digest) << entry.name;
  }
}

TEST(Run, WithoutFaultsEverythingIsGood) {
  for (const auto& entry : workloads()) {
    auto options = quick(1, std::string(entry.name));
    options.faults = "none";
    const auto report = run(options);
    EXPECT_EQ(report.violations, std::vector<std::string>{}) << replay_line(options) << "\n" << report.trace;
    EXPECT_GT(report.acknowledged, 0u) << entry.name;
  }
}

TEST(Run, WrongOptionsAreRefused) {
  EXPECT_FALSE(run(quick(1, "no-such-workload")).error.empty());
  auto options = quick(1, "log");
  options.faults = "no-such-fault";
  EXPECT_FALSE(run(options).error.empty());
}

TEST(Run, FaultsByName) {
  io::Random random(1);
  EXPECT_EQ(parse_faults("none", random)->rates.size(), 0u);
  EXPECT_EQ(parse_faults("all", random)->rates.size(), std::size(kFaultRates) - 1);  // Without what is beyond the format.
  const auto two = parse_faults("crash,power=20", random);
  ASSERT_TRUE(two.has_value());
  EXPECT_EQ(two->to_string(), "crash=8,power=20");
  EXPECT_FALSE(parse_faults("crash=x", random).has_value());
}

}  // namespace
}  // namespace samsa::sim
