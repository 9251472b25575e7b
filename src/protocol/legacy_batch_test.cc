#include "protocol/legacy_batch.h"

#include <gtest/gtest.h>
#include <libdeflate.h>

namespace samsa::protocol {
namespace {

struct Fields {
  int8_t magic = 1;
  Codec codec = Codec::kNone;
  bool stamped = false;
  TimestampMs timestamp = 1000;
};

Buffer entry(Offset offset, std::optional<Bytes> key, std::optional<Bytes> value, const Fields& fields = {}) {
  Buffer body;
  append_be<int8_t>(body, fields.magic);
  append_be<int8_t>(body, static_cast<int8_t>(static_cast<int>(fields.codec) | (fields.stamped ? attribute::kLogAppendTime : 0)));
  if (fields.magic == 1) append_be<int64_t>(body, fields.timestamp);
  for (const auto& part : {key, value}) {
    append_be<int32_t>(body, part ? static_cast<int32_t>(part->size()) : -1);
    if (part) append(body, *part);
  }
  Buffer whole;
  append_be<int64_t>(whole, offset);
  append_be<int32_t>(whole, static_cast<int32_t>(body.size() + 4));
  append_be<uint32_t>(whole, libdeflate_crc32(0, body.data(), body.size()));
  append(whole, body);
  return whole;
}

Buffer wrapped(Offset offset, const Buffer& set, Fields fields) {
  Buffer packed;
  EXPECT_TRUE(compress(fields.codec, kStandardLevel, set, packed));
  return entry(offset, std::nullopt, packed, fields);
}

std::vector<Record> read(const Buffer& bytes, Scratch& scratch) {
  std::vector<Record> records;
  const auto result = read_legacy_entry(bytes, scratch, records);
  EXPECT_TRUE(result) << result.error().describe();
  return records;
}

TEST(LegacyBatch, PlainEntries) {
  Scratch scratch;
  const auto v0 = read(entry(7, std::nullopt, as_bytes("v"), {.magic = 0}), scratch);
  ASSERT_EQ(v0.size(), 1U);
  EXPECT_EQ(v0[0].offset, 7);
  EXPECT_EQ(v0[0].timestamp, kNoTimestamp);
  const auto v1 = read(entry(8, as_bytes("k"), std::nullopt), scratch);
  EXPECT_EQ(v1[0].timestamp, 1000);
  EXPECT_FALSE(v1[0].value);
}

TEST(LegacyBatch, CompressedSetsGetTheirOffsets) {
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4}) {
    Scratch scratch;
    Buffer relative = entry(0, as_bytes("a"), as_bytes("1"));
    append(relative, entry(1, as_bytes("b"), as_bytes("2"), {.timestamp = 2000}));
    const auto v1 = read(wrapped(41, relative, {.codec = codec}), scratch);
    ASSERT_EQ(v1.size(), 2U);
    EXPECT_EQ(v1[0].offset, 40);
    EXPECT_EQ(v1[1].offset, 41);
    EXPECT_EQ(v1[1].timestamp, 2000);
    const auto stamped = read(wrapped(41, relative, {.codec = codec, .stamped = true, .timestamp = 9999}), scratch);
    EXPECT_EQ(stamped[0].timestamp, 9999);
    Buffer absolute = entry(30, as_bytes("a"), as_bytes("1"), {.magic = 0});
    append(absolute, entry(33, as_bytes("b"), as_bytes("2"), {.magic = 0}));
    const auto v0 = read(wrapped(33, absolute, {.magic = 0, .codec = codec}), scratch);
    EXPECT_EQ(v0[0].offset, 30);
    EXPECT_EQ(v0[1].offset, 33);
  }
}

TEST(LegacyBatch, BrokenEntriesAreErrors) {
  const Buffer good = entry(1, as_bytes("key"), as_bytes("value"));
  Scratch scratch;
  std::vector<Record> records;
  for (size_t at = 8; at < good.size(); ++at) {
    Buffer bad = good;
    bad[at] ^= 1;
    EXPECT_FALSE(read_legacy_entry(bad, scratch, records)) << at;
    EXPECT_FALSE(any_crc_matches(bad)) << at;
  }
  for (size_t size = 0; size < good.size(); ++size) {
    const Buffer cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(read_legacy_entry(cut, scratch, records)) << size;
    EXPECT_FALSE(summarize_batch(cut).value().has_value());
  }
  EXPECT_FALSE(read_legacy_entry(wrapped(5, {}, {.codec = Codec::kSnappy}), scratch, records));
  const Buffer nested = wrapped(5, wrapped(0, good, {.codec = Codec::kGzip}), {.codec = Codec::kGzip});
  EXPECT_FALSE(read_legacy_entry(nested, scratch, records));
  EXPECT_FALSE(read_legacy_entry(wrapped(5, good, {.codec = Codec::kZstd}), scratch, records));
}

TEST(LegacyBatch, SummaryOfEveryMagic) {
  const auto v1 = summarize_batch(entry(12, std::nullopt, std::nullopt)).value().value();
  EXPECT_EQ(v1.magic, 1);
  EXPECT_EQ(v1.last_offset, 12);
  EXPECT_EQ(v1.max_timestamp, 1000);
  EXPECT_TRUE(v1.exact);
  EXPECT_FALSE(summarize_batch(wrapped(12, entry(0, std::nullopt, std::nullopt), {.codec = Codec::kGzip})).value()->exact);
  RecordBatchBuilder builder({.base_offset = 4});
  builder.append(5, std::nullopt, std::nullopt);
  builder.append(6, std::nullopt, std::nullopt);
  const Buffer batch = builder.build().value();
  const auto v2 = summarize_batch(batch).value().value();
  EXPECT_EQ(v2.last_offset, 5);
  EXPECT_EQ(v2.max_timestamp, 6);
  EXPECT_TRUE(any_crc_matches(batch));
}

TEST(LegacyBatch, UpConversionKeepsOffsetsAndTimes) {
  Buffer set = entry(10, as_bytes("a"), as_bytes("1"));
  append(set, entry(12, as_bytes("b"), std::nullopt));
  Buffer inner = entry(0, as_bytes("c"), as_bytes("3"));
  append(inner, entry(1, std::nullopt, as_bytes("4")));
  append(set, wrapped(21, inner, {.codec = Codec::kGzip}));
  append(set, entry(30, as_bytes("e"), as_bytes("5"), {.stamped = true, .timestamp = 77}));
  const Buffer fresh = up_convert(set, 6).value();
  BatchIterator batches(fresh);
  std::vector<std::pair<Offset, TimestampMs>> seen;
  std::vector<Codec> codecs;
  Scratch scratch;
  while (const auto batch = batches.next().value()) {
    EXPECT_TRUE(batch->crc_matches());
    EXPECT_EQ(batch->leader_epoch(), 6);
    codecs.push_back(*batch->codec());
    auto reader = RecordReader::open(*batch, scratch).value();
    Record record;
    while (reader.next(record).value()) seen.emplace_back(record.offset, record.timestamp);
  }
  EXPECT_EQ(codecs, (std::vector{Codec::kNone, Codec::kGzip, Codec::kNone}));
  EXPECT_EQ(seen, (std::vector<std::pair<Offset, TimestampMs>>{{10, 1000}, {12, 1000}, {20, 1000}, {21, 1000}, {30, 77}}));
}

}  // namespace
}  // namespace samsa::protocol
