#include "server/thread_pools.h"

#include <gtest/gtest.h>

namespace samsa::server {
namespace {

using config::Properties;

TEST(ThreadPools, ChangeToBetweenHalfAndDouble) {
  const auto check = [](const char* name, const char* wanted, const Properties& cluster = {}) {
    const Properties then{{name, wanted}};
    const auto checked = check_thread_pools({.cluster = &cluster}, {.broker = &then, .cluster = &cluster});
    return checked ? std::string() : checked.error().message;
  };
  EXPECT_EQ(check("num.io.threads", "4"), "");
  EXPECT_EQ(check("num.io.threads", "16"), "");
  EXPECT_NE(check("num.io.threads", "3").find("num.io.threads=3, value should be at least half the current value 8 for"), std::string::npos);
  EXPECT_NE(check("num.io.threads", "17").find("num.io.threads=17, value should not be greater than double the current value 8 for"), std::string::npos);
  EXPECT_EQ(check("num.io.threads", "32", {{"num.io.threads", "16"}}), "");
  EXPECT_NE(check("log.cleaner.threads", "3").find("Log cleaner threads cannot be increased to more than double the current value 1"), std::string::npos);
  EXPECT_EQ(check("num.partitions", "100"), "");
}

}  // namespace
}  // namespace samsa::server
