#include "protocol/codec.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "io/network.h"
#include "protocol/api/api_versions.h"
#include "protocol/api/fetch.h"
#include "protocol/api/metadata.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/produce.h"
#include "protocol/api_table.h"
#include "protocol/codec_fuzz.h"
#include "protocol/headers.h"
#include "protocol/metadata_frame.h"
#include "protocol/record/offset_commit_key.h"
#include "protocol/record/topic_record.h"

namespace samsa::protocol {
namespace {

Buffer hex(std::string_view text) {
  Buffer bytes;
  for (size_t i = 0; i + 1 < text.size();) {
    if (text[i] == ' ') {
      ++i;
      continue;
    }
    bytes.push_back(static_cast<uint8_t>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
    i += 2;
  }
  return bytes;
}

TEST(Codec, KnownBytesOfMetadataRequest) {
  MetadataRequest request;
  request.topics.emplace().emplace_back().name = Text("ab");
  request.allow_auto_topic_creation = false;
  EXPECT_EQ(encode_to_buffer(request, 4), hex("00000001 0002 6162 00"));
  EXPECT_EQ(encode_to_buffer(request, 12), hex("02 00000000000000000000000000000000 03 6162 00 00 00 00"));
  request.topics.reset();
  EXPECT_EQ(encode_to_buffer(request, 4), hex("ffffffff 00"));
  const auto body = hex("02 00000000000000000000000000000000 03 6162 00 00 00 00");
  const auto decoded = decode<MetadataRequest>(body, 12);
  ASSERT_TRUE(decoded) << decoded.error().text();
  EXPECT_EQ(decoded->topics->at(0).name->view(), "ab");
}

TEST(Codec, TaggedFieldsAreWrittenOnlyWhenNotDefault) {
  FetchRequest request;
  const auto plain = encode_to_buffer(request, 15);
  request.replica_state.replica_id = 7;
  const auto with_replica = encode_to_buffer(request, 15);
  EXPECT_EQ(plain.back(), 0);
  EXPECT_EQ(Buffer(with_replica.end() - 16, with_replica.end()), hex("01 01 0d 00000007 ffffffffffffffff 00"));
  EXPECT_EQ(*decode<FetchRequest>(with_replica, 15), request);
}

TEST(Codec, ApiVersionsResponseHasTheOldHeader) {
  EXPECT_EQ(response_header_version(18, 3), 0);
  EXPECT_EQ(request_header_version(18, 99), 2);
  EXPECT_EQ(response_header_version(1, 12), 1);
  EXPECT_EQ(response_header_version(1, 11), 0);
  RequestHeader header{.api_key = 18, .api_version = 3, .correlation_id = 9, .client_id = "me"};
  Encoder to;
  encode_request_header(header, to);
  const auto bytes = to.take();
  EXPECT_EQ(bytes, hex("0012 0003 00000009 0002 6d65 00"));
  RequestHeader read;
  EXPECT_EQ(*decode_request_header(bytes, read), bytes.size());
  EXPECT_EQ(read.client_id, "me");
}

TEST(Codec, Records) {
  TopicRecord topic;
  topic.name = "t";
  topic.topic_id = {1, 2};
  const auto bytes = *encode_metadata_record(topic, 0);
  EXPECT_EQ(bytes, hex("01 02 00 02 74 0000000000000001 0000000000000002 00"));
  const auto frame = peek_metadata_record(bytes);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->api_key, 2);
  EXPECT_EQ(*decode_metadata_record<TopicRecord>(*frame), topic);

  OffsetCommitKey key;
  key.group = "g";
  key.topic = "t";
  key.partition = 3;
  EXPECT_EQ(*encode_record(key), hex("0001 0001 67 0001 74 00000003"));
  EXPECT_EQ(*decode_record<OffsetCommitKey>(*encode_record(key)), key);

  // A text longer than a record can carry is an error.
  const std::string long_text(32768, 'g');
  key.group = Text::view_of(long_text);
  topic.name = Text::view_of(long_text);
  EXPECT_EQ(encode_record(key).error().code, ErrorCode::kInvalidRequest);
  EXPECT_EQ(encode_metadata_record(topic, 0).error().code, ErrorCode::kInvalidRequest);
}

TEST(Codec, NullsAndLengths) {
  // Topics are null from version 1 on; a topic's name may not be null before version 10.
  EXPECT_TRUE(decode<MetadataRequest>(hex("ffffffff"), 1).has_value());
  EXPECT_FALSE(decode<MetadataRequest>(hex("ffffffff"), 0).has_value());
  EXPECT_FALSE(decode<MetadataRequest>(hex("02 00 00 01 00 00"), 9).has_value());
  // A count that the bytes cannot hold is refused before memory is taken for it.
  EXPECT_FALSE(decode<MetadataRequest>(hex("7fffffff 0001 61"), 1).has_value());
  EXPECT_FALSE(decode<MetadataRequest>(hex("ffffffff0f 02 61"), 9).has_value());
  // Bytes left over.
  EXPECT_FALSE(decode<MetadataRequest>(hex("ffffffff 00"), 1).has_value());
}

TEST(Codec, TagsAscendAndUnknownOnesAreKept) {
  const auto good = hex("00 01 01 01 02 05 01 aa 09 00");
  const auto decoded = decode<MetadataRequest>(good, 9);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().text();
  ASSERT_EQ(decoded->unknown_tags.size(), 2u);
  EXPECT_EQ(decoded->unknown_tags[0].tag, 5u);
  EXPECT_EQ(encode_to_buffer(*decoded, 9), good);
  EXPECT_FALSE(decode<MetadataRequest>(hex("00 01 01 01 02 09 01 aa 05 00"), 9).has_value());
  EXPECT_FALSE(decode<MetadataRequest>(hex("00 01 01 01 02 05 01 aa 05 00"), 9).has_value());
  // replica_state, tag 1 of Fetch, with a byte too many.
  FetchRequest request;
  request.replica_state.replica_id = 7;
  auto bytes = encode_to_buffer(request, 15);
  bytes.insert(bytes.end(), 0);
  bytes[bytes.size() - 15] = 0x0e;
  EXPECT_FALSE(decode<FetchRequest>(bytes, 15).has_value());
}

TEST(Codec, WhatAVersionCannotCarry) {
  FetchRequest request;
  request.rack_id = "r";  // Since 11, may be dropped.
  request.topics.emplace_back().topic = "t";
  EXPECT_EQ(encode_to_buffer(request, 10), [&] {
    auto plain = request;
    plain.rack_id = "";
    return encode_to_buffer(plain, 10);
  }());
  request.topics[0].partitions.emplace_back().last_fetched_epoch = 4;  // Since 12, may not.
  Encoder to;
  const auto failed = encode(request, 10, to);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kUnsupportedVersion);
  EXPECT_EQ(encode(request, 19, to).error().code, ErrorCode::kUnsupportedVersion);
  EXPECT_EQ(decode<FetchRequest>({}, 3).error().code, ErrorCode::kUnsupportedVersion);
}

TEST(Codec, DecodedTextViewsTheBuffer) {
  OffsetCommitRequest request;
  request.group_id = "group";
  const auto bytes = encode_to_buffer(request, 8);
  const auto decoded = decode<OffsetCommitRequest>(bytes, 8);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_GE(reinterpret_cast<const uint8_t*>(decoded->group_id.view().data()), bytes.data());
  EXPECT_LT(reinterpret_cast<const uint8_t*>(decoded->group_id.view().data()), bytes.data() + bytes.size());
}

TEST(Encoder, RecordsAreChunksAndCountInTheLength) {
  FetchResponse response;
  auto& topic = response.responses.emplace_back();
  topic.partitions.resize(3);
  topic.partitions[0].records = Records::of({io::FileSlice{nullptr, 100, 5000}, io::FileSlice{nullptr, 0, 7}});
  topic.partitions[1].records = Records::of(Blob(Buffer(10, 1)));
  topic.partitions[2].records = Records::of(Blob(Buffer(9000, 2)));
  Encoder to;
  ASSERT_TRUE(encode_response_frame(RequestHeader{.api_key = 1, .api_version = 12, .correlation_id = 5}, response, to).has_value());
  const auto chunks = to.chunks();
  ASSERT_EQ(chunks.size(), 6u);
  EXPECT_EQ(chunks[1].slice->offset, 100u);
  EXPECT_EQ(chunks[2].slice->length, 7u);
  EXPECT_EQ(chunks[4].memory.size(), 9000u);
  uint64_t total = 0;
  for (const auto& chunk : chunks) total += chunk.slice ? chunk.slice->length : chunk.memory.size();
  EXPECT_EQ(total, to.size());
  EXPECT_EQ(load_be<int32_t>(chunks[0].memory.data()), static_cast<int32_t>(total - 4));
}

TEST(Encoder, AnErrorLeavesAFrameAsItWas) {
  Encoder to;
  to.put<int32_t>(1);
  ProduceRequest request;  // Records are null, which Produce allows; a text of 40,000 bytes is not.
  request.transactional_id = Text(std::string(40000, 'x'));
  EXPECT_FALSE(encode_request_frame(RequestHeader{.api_key = 0, .api_version = 9}, request, to).has_value());
  EXPECT_EQ(to.size(), 4u);
}

TEST(ApiTable, KnowsEveryApi) {
  EXPECT_EQ(all_apis().size(), 91u);
  EXPECT_EQ(find_api(4), nullptr);
  ASSERT_NE(find_api(22), nullptr);
  EXPECT_EQ(find_api(22)->max_stable(), 5);
  EXPECT_EQ(find_api(17)->first_flexible, INT16_MAX);
  EXPECT_EQ(find_api(18)->max_version_43, 4);
  EXPECT_EQ(find_api(93)->max_version_43, -1);
}

Buffer random_bytes(RandomMessage& random, const MessageTable& table, int16_t version) {
  AnyMessage message(table);
  random.fill(table, message.object, version);
  Encoder to;
  const auto done = encode_message(table, message.object, version, to);
  EXPECT_TRUE(done.has_value()) << done.error().text();
  return to.take();
}

RC_GTEST_PROP(Codec, EveryMessageComesBackTheSame, (uint64_t seed)) {
  RandomMessage random(seed);
  for (const auto* table : all_messages()) {
    const auto version = static_cast<int16_t>(table->min_version + random.below(table->max_version - table->min_version + 1));
    const auto bytes = random_bytes(random, *table, version);
    AnyMessage again(*table);
    const auto used = decode_message(*table, again.object, bytes, version);
    RC_ASSERT(used.has_value());
    RC_ASSERT(*used == bytes.size());
    Encoder to;
    RC_ASSERT(encode_message(*table, again.object, version, to).has_value());
    RC_ASSERT(to.take() == bytes);
  }
}

// Cut off anywhere, a message is an error; the copy of the exact size lets the sanitizers see a read past the end.
TEST(Codec, TruncatedAnywhereIsAnError) {
  RandomMessage random(1);
  for (const auto* table : all_messages()) {
    for (int16_t version = table->min_version; version <= table->max_version; ++version) {
      const auto bytes = random_bytes(random, *table, version);
      for (size_t length = 0; length < bytes.size(); length += bytes.size() > 600 ? 7 : 1) {
        const Buffer cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length));
        AnyMessage message(*table);
        EXPECT_FALSE(decode_message(*table, message.object, cut, version).has_value()) << table->name() << " " << version << " " << length;
      }
    }
  }
}

// The fuzzer's step on damaged messages: a short and repeatable form of codec_fuzz.
TEST(Codec, DamagedMessagesDoNoHarm) {
  RandomMessage random(2);
  const auto all = all_messages();
  for (int round = 0; round < 20000; ++round) {
    const size_t choice = random.below(all.size());
    const MessageTable& table = *all[choice];
    const auto step = random.below(table.max_version - table.min_version + 1);
    Buffer input{static_cast<uint8_t>(choice), static_cast<uint8_t>(choice >> 8), static_cast<uint8_t>(step)};
    append(input, random_bytes(random, table, static_cast<int16_t>(table.min_version + step)));
    for (uint64_t n = random.below(4); n > 0 && input.size() > 3; --n) {
      input[3 + random.below(input.size() - 3)] = static_cast<uint8_t>(random.next());
    }
    fuzz_codec(input);
  }
}

}  // namespace
}  // namespace samsa::protocol
