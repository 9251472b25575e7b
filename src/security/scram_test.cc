#include "security/scram.h"

#include <gtest/gtest.h>

namespace samsa::security {
namespace {

// RFC 7677's example: user "user", password "pencil", the salt below, 4096 iterations; the server's signature follows from these keys.
TEST(Scram, Rfc7677Example) {
  const uint8_t salt[] = {0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81};
  const auto salted = scram_salted_password(ScramMechanism::kSha256, "pencil", salt, 4096);
  ASSERT_TRUE(salted);
  const auto keys = scram_keys(ScramMechanism::kSha256, *salted);
  ASSERT_TRUE(keys);
  EXPECT_EQ(keys->stored_key.size(), 32u);
  // base64 WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY= and wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=
  const uint8_t stored[] = {0x58, 0x6e, 0x5d, 0xf2, 0x83, 0xe6, 0xdc, 0xeb};
  const uint8_t server[] = {0xc1, 0xf3, 0xcb, 0xc1, 0xc1, 0x3a, 0x9d, 0x35};
  EXPECT_TRUE(std::equal(std::begin(stored), std::end(stored), keys->stored_key.begin()));
  EXPECT_TRUE(std::equal(std::begin(server), std::end(server), keys->server_key.begin()));
}

}  // namespace
}  // namespace samsa::security
