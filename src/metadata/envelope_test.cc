#include "metadata/envelope.h"

#include <gtest/gtest.h>

namespace samsa::metadata {
namespace {

TEST(Envelope, PrincipalIsThereAndBack) {
  const ForwardedFor alice{.principal_type = "User", .principal_name = "alice"};
  const Buffer bytes = encode_principal(alice);
  EXPECT_EQ(as_text(bytes), std::string_view("\0\0\5User\6alice\0\0", 15));
  ForwardedFor read{.principal_type = "", .principal_name = ""};
  ASSERT_TRUE(decode_principal(bytes, read));
  EXPECT_EQ(read.principal_type, "User");
  EXPECT_EQ(read.principal_name, "alice");
}

TEST(Envelope, BrokenPrincipalsAreRefused) {
  const Buffer bytes = encode_principal({});
  for (size_t size = 0; size + 2 < bytes.size(); ++size) {
    ForwardedFor read;
    const auto done = decode_principal(Bytes(bytes).first(size), read);
    ASSERT_FALSE(done) << size;
    EXPECT_EQ(done.error().code, ErrorCode::kPrincipalDeserializationFailure);
  }
}

TEST(Envelope, Addresses) {
  EXPECT_EQ(address_bytes("10.1.2.255"), (Buffer{10, 1, 2, 255}));
  EXPECT_EQ(address_bytes("::1").size(), 16u);
  EXPECT_EQ(address_bytes("::1").back(), 1);
  EXPECT_EQ(address_bytes("::ffff:1.2.3.4"), (Buffer{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 1, 2, 3, 4}));
  EXPECT_EQ(*address_text(address_bytes("fe80::1:2")), "fe80:0:0:0:0:0:1:2");
  EXPECT_EQ(*address_text(address_bytes("10.0.0.1")), "10.0.0.1");
  EXPECT_EQ(address_bytes("a.host"), Buffer(4));
  EXPECT_FALSE(address_text(Buffer(5)));
}

}  // namespace
}  // namespace samsa::metadata
