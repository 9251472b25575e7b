#include "protocol/codec.h"

#include <gtest/gtest.h>

#include "protocol/api/api_versions.h"
#include "protocol/api/fetch.h"
#include "protocol/api/metadata.h"
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
  const auto bytes = encode_metadata_record(topic, 0);
  EXPECT_EQ(bytes, hex("01 02 00 02 74 0000000000000001 0000000000000002 00"));
  const auto frame = peek_metadata_record(bytes);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->api_key, 2);
  EXPECT_EQ(*decode_metadata_record<TopicRecord>(*frame), topic);

  OffsetCommitKey key;
  key.group = "g";
  key.topic = "t";
  key.partition = 3;
  EXPECT_EQ(encode_record(key), hex("0001 0001 67 0001 74 00000003"));
  EXPECT_EQ(*decode_record<OffsetCommitKey>(encode_record(key)), key);
}

}  // namespace
}  // namespace samsa::protocol
