#include "base/crc32c.h"

#include <gtest/gtest.h>

namespace samsa {
namespace {

constexpr Crc32cForm kForms[] = {Crc32cForm::kTable, Crc32cForm::kInstruction, Crc32cForm::kPclmul, Crc32cForm::kVpclmul};

Buffer pattern(size_t size) {
  Buffer bytes(size);
  uint32_t state = 12345;
  for (auto& b : bytes) {
    state = state * 1664525 + 1013904223;
    b = static_cast<uint8_t>(state >> 24);
  }
  return bytes;
}

TEST(Crc32c, KnownValues) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283U);
  EXPECT_EQ(crc32c({}), 0U);
  EXPECT_EQ(crc32c(Buffer(32, 0)), 0x8a9136aaU);
  EXPECT_EQ(crc32c(Buffer(32, 0xff)), 0x62a8ab43U);
}

TEST(Crc32c, EveryFormAgreesWithTheTableAtEveryLengthAndAlignment) {
  const Buffer bytes = pattern(2200);
  for (size_t from = 0; from < 64; from += from < 8 ? 1 : 7) {
    for (size_t size = 0; from + size <= 1400; ++size) {
      const Bytes piece = Bytes(bytes).subspan(from, size);
      const uint32_t want = crc32c_table(piece, 0xdeadbeef);
      for (const auto form : kForms) {
        const auto crc = crc32c_by(form, piece, 0xdeadbeef);
        if (crc) ASSERT_EQ(*crc, want) << "form " << static_cast<int>(form) << " from " << from << " size " << size;
      }
    }
  }
}

TEST(Crc32c, LongOnesAndContinuing) {
  const Buffer bytes = pattern((1 << 20) + 77);
  const uint32_t want = crc32c_table(bytes);
  for (const auto form : kForms) {
    const auto crc = crc32c_by(form, bytes);
    if (crc) EXPECT_EQ(*crc, want) << static_cast<int>(form);
  }
  for (const size_t cut : {1UL, 255UL, 256UL, 100000UL}) {
    EXPECT_EQ(crc32c(Bytes(bytes).subspan(cut), crc32c(Bytes(bytes).first(cut))), want);
  }
}

}  // namespace
}  // namespace samsa
