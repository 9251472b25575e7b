#include "client/partitioner.h"

#include <gtest/gtest.h>

namespace samsa::client {
namespace {

// Values that org.apache.kafka.common.utils.Utils.murmur2 gives.
TEST(Partitioner, MurmurOfKnownKeys) {
  EXPECT_EQ(static_cast<int32_t>(murmur2(as_bytes("21"))), -973932308);
  EXPECT_EQ(static_cast<int32_t>(murmur2(as_bytes("foobar"))), -790332482);
  EXPECT_EQ(static_cast<int32_t>(murmur2(as_bytes("a-little-bit-long-string"))), -985981536);
  EXPECT_EQ(static_cast<int32_t>(murmur2(as_bytes("a-little-bit-longer-string"))), -1486304829);
  EXPECT_EQ(static_cast<int32_t>(murmur2(as_bytes("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"))), -58897971);
  EXPECT_EQ(static_cast<int32_t>(murmur2(as_bytes("abc"))), 479470107);
}

}  // namespace
}  // namespace samsa::client
