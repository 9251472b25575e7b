#include "protocol/compression.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <snappy.h>

#include <string>

namespace samsa::protocol {
namespace {

constexpr Codec kAll[] = {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd};
constexpr Codec kPacking[] = {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd};

Buffer packed(Codec codec, Bytes from, int level = kStandardLevel) {
  Buffer to;
  EXPECT_TRUE(compress(codec, level, from, to));
  return to;
}

// Text that compresses by about five to one.
Buffer sample(size_t size) {
  Buffer text;
  for (size_t i = 0; text.size() < size; ++i) append(text, as_bytes("line " + std::to_string(i * 7919 % 1000) + " of the sample; "));
  text.resize(size);
  return text;
}

TEST(Compression, EveryCodecGivesBackWhatItTook) {
  Scratch scratch;
  for (const Codec codec : kAll) {
    for (const size_t size : {0UL, 1UL, 100UL, 32768UL, 32769UL, 65536UL, 1000000UL}) {
      const Buffer text = sample(size);
      const Buffer small = packed(codec, text);
      const auto back = decompress(codec, small, scratch);
      ASSERT_TRUE(back) << codec_name(codec) << " " << size << ": " << back.error().describe();
      EXPECT_EQ(Buffer(back->begin(), back->end()), text) << codec_name(codec) << " " << size;
    }
  }
}

RC_GTEST_PROP(Compression, AnyBytesComeBack, (const std::vector<uint8_t>& bytes)) {
  Scratch scratch;
  for (const Codec codec : kAll) {
    const Buffer small = packed(codec, bytes);
    const auto back = decompress(codec, small, scratch);
    RC_ASSERT(back.has_value());
    RC_ASSERT(Buffer(back->begin(), back->end()) == bytes);
  }
}

TEST(Compression, EveryLevelWorksAndTooHighOnesAreClamped) {
  const Buffer text = sample(50000);
  Scratch scratch;
  for (const Codec codec : {Codec::kGzip, Codec::kLz4, Codec::kZstd}) {
    const auto range = level_range(codec);
    for (const int level : {range.min, -5, 0, 1, 2, 3, 9, range.max, range.max + 50}) {
      const auto back = decompress(codec, packed(codec, text, level), scratch);
      ASSERT_TRUE(back) << codec_name(codec) << " level " << level;
      EXPECT_EQ(back->size(), text.size());
    }
  }
  EXPECT_LT(packed(Codec::kLz4, text, 12).size(), packed(Codec::kLz4, text).size());
}

TEST(Compression, LimitStopsBombs) {
  const Buffer zeros(8U << 20);
  Scratch scratch;
  for (const Codec codec : kPacking) {
    const Buffer bomb = packed(codec, zeros);
    const auto over = decompress(codec, bomb, scratch, zeros.size() - 1);
    ASSERT_FALSE(over) << codec_name(codec);
    EXPECT_EQ(over.error().code, ErrorCode::kMessageTooLarge) << codec_name(codec);
    EXPECT_LE(scratch.capacity(), zeros.size());
    const auto exact = decompress(codec, bomb, scratch, zeros.size());
    ASSERT_TRUE(exact) << codec_name(codec) << exact.error().describe();
    EXPECT_EQ(exact->size(), zeros.size());
  }
}

TEST(Compression, EveryCutIsNoticedAndNothingIsReadBehind) {
  const Buffer text = sample(3000);
  Scratch scratch;
  for (const Codec codec : kPacking) {
    const Buffer whole = packed(codec, text);
    for (size_t size = 0; size < whole.size(); ++size) {
      const Buffer cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));  // Its own memory, for the sanitizer.
      const auto back = decompress(codec, cut, scratch);
      if (codec == Codec::kSnappy && size == 16) continue;  // A header alone is an empty stream.
      if (codec == Codec::kZstd && size == 0) continue;     // As is nothing at all.
      EXPECT_FALSE(back) << codec_name(codec) << " cut to " << size;
    }
  }
}

TEST(Compression, FlippedBytesNeverCrash) {
  const Buffer text = sample(2000);
  Scratch scratch;
  for (const Codec codec : kPacking) {
    const Buffer whole = packed(codec, text);
    for (size_t at = 0; at < whole.size(); ++at) {
      for (const uint8_t flip : {0x01, 0x80, 0xff}) {
        Buffer bad = whole;
        bad[at] ^= flip;
        const auto back = decompress(codec, bad, scratch, 1U << 20);
        if (back) {
          EXPECT_LE(back->size(), 1U << 20);
        }
      }
    }
  }
}

TEST(Compression, RawSnappyIsReadAsJavaDoes) {
  const Buffer text = sample(100000);
  std::string raw;
  snappy::Compress(reinterpret_cast<const char*>(text.data()), text.size(), &raw);
  Scratch scratch;
  const auto back = decompress(Codec::kSnappy, as_bytes(raw), scratch);
  ASSERT_TRUE(back);
  EXPECT_EQ(Buffer(back->begin(), back->end()), text);
}

TEST(Compression, StreamsOneBehindTheOtherAreOneStream) {
  const Buffer a = sample(1000);
  const Buffer b = sample(40000);
  Buffer both = a;
  append(both, b);
  Scratch scratch;
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kZstd}) {
    Buffer joined = packed(codec, a);
    append(joined, packed(codec, b));
    const auto back = decompress(codec, joined, scratch);
    ASSERT_TRUE(back) << codec_name(codec);
    EXPECT_EQ(Buffer(back->begin(), back->end()), both) << codec_name(codec);
  }
}

TEST(Compression, OldLz4ChecksumIsForgivenOnlyWhenAsked) {
  const Buffer text = sample(1000);
  Buffer frame = packed(Codec::kLz4, text);
  frame[6] ^= 0x55;  // The header's checksum.
  Scratch scratch;
  EXPECT_FALSE(decompress(Codec::kLz4, frame, scratch));
  EXPECT_TRUE(decompress(Codec::kLz4, frame, scratch, kDecompressLimit, true));
}

TEST(Compression, NamesAndBits) {
  for (const Codec codec : kAll) {
    EXPECT_EQ(codec_from_name(codec_name(codec)), codec);
    EXPECT_EQ(codec_from_bits(static_cast<int>(codec)), codec);
  }
  EXPECT_FALSE(codec_from_bits(5));
  EXPECT_FALSE(codec_from_name("producer"));
}

}  // namespace
}  // namespace samsa::protocol
