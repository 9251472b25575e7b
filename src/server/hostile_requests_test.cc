// A short run of what requests_fuzz does at length: rows of hostile requests from fixed seeds. SAMSA_SEEDS says how many rows; the
// node is a new one for every few of them.
#include "server/hostile_requests.h"

#include <cstdlib>

#include <gtest/gtest.h>

namespace samsa::server {
namespace {

constexpr uint64_t kRowsOfANode = 20;
constexpr size_t kBytes = 700;  // Of a row: some ten to fifty requests.

// splitmix64
Buffer input_of(uint64_t seed) {
  Buffer bytes(kBytes);
  uint64_t state = seed;
  for (auto& byte : bytes) {
    uint64_t z = state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    byte = static_cast<uint8_t>((z ^ (z >> 31)) >> 24);
  }
  return bytes;
}

uint64_t rows() {
  const char* wanted = std::getenv("SAMSA_SEEDS");
  return wanted ? std::strtoull(wanted, nullptr, 10) : 3000;
}

TEST(HostileRequests, TheNodeStillAnswersAndStops) {
  std::unique_ptr<HostileSite> site;
  uint64_t sent = 0;
  uint64_t answered = 0;
  for (uint64_t seed = 1; seed <= rows(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    if (!site) site = std::make_unique<HostileSite>();
    ASSERT_TRUE(site->play(input_of(seed))) << site->problem();
    if (seed % kRowsOfANode != 0 && seed != rows()) continue;
    ASSERT_TRUE(site->stop()) << site->problem();
    sent += site->sent();
    answered += site->answered();
    site.reset();
  }
  RecordProperty("requests", static_cast<int>(sent));
  EXPECT_GT(answered * 2, sent);
}

}  // namespace
}  // namespace samsa::server
