#include "protocol/api/produce.h"

#include "server/test_site.h"

namespace samsa::server {
namespace {

Buffer batch(protocol::BatchOptions options = {}) {
  protocol::RecordBatchBuilder builder(options);
  builder.append(1'700'000'000'000, std::nullopt, as_bytes("value"));
  return *builder.build();
}

// What the only partition of the request is answered.
io::Task<protocol::ProduceResponse::PartitionProduceResponse> outcome(TestSite& site, protocol::ProduceRequest request, int16_t version = 9) {
  auto answer = co_await site.call(request, version);
  co_return std::move(answer.responses.at(0).partition_responses.at(0));
}

TEST(Produce, RefusalsPerPartition) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events");
    EXPECT_EQ((co_await outcome(site, produce_request("none", 0, batch()))).error_code, code(ErrorCode::kUnknownTopicOrPartition));
    EXPECT_EQ((co_await outcome(site, produce_request("events", 1, batch()))).error_code, code(ErrorCode::kUnknownTopicOrPartition));
    const auto acks = co_await outcome(site, produce_request("events", 0, batch(), 2));
    EXPECT_EQ(acks.error_code, code(ErrorCode::kInvalidRequiredAcks));
    EXPECT_EQ(acks.base_offset, -1);
    auto zstd = produce_request("events", 0, batch({.codec = protocol::Codec::kZstd}));
    EXPECT_EQ((co_await outcome(site, zstd, 6)).error_code, code(ErrorCode::kUnsupportedCompressionType));
    EXPECT_EQ((co_await outcome(site, zstd, 7)).error_code, 0);
    auto by_id = produce_request("", 0, batch());
    by_id.topic_data[0].topic_id = Uuid::parse("abcdefghijklmnopqrstuA").value();
    EXPECT_EQ((co_await outcome(site, by_id, 13)).error_code, code(ErrorCode::kUnknownTopicId));
  });
}

TEST(Produce, ARepeatedBatchHasItsFirstOffset) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events");
    const protocol::BatchOptions first{.producer_id = 9, .producer_epoch = 0, .base_sequence = 0};
    const protocol::BatchOptions second{.producer_id = 9, .producer_epoch = 0, .base_sequence = 1};
    const protocol::BatchOptions gap{.producer_id = 9, .producer_epoch = 0, .base_sequence = 5};
    EXPECT_EQ((co_await outcome(site, produce_request("events", 0, batch(first)))).base_offset, 0);
    EXPECT_EQ((co_await outcome(site, produce_request("events", 0, batch(second)))).base_offset, 1);
    const auto again = co_await outcome(site, produce_request("events", 0, batch(first)));
    EXPECT_EQ(again.error_code, 0);
    EXPECT_EQ(again.base_offset, 0);
    EXPECT_EQ((co_await outcome(site, produce_request("events", 0, batch(gap)))).error_code,
              code(ErrorCode::kOutOfOrderSequenceNumber));
    EXPECT_EQ(co_await site.produce("events", 0, {"x"}), 0);
    EXPECT_EQ(site.produced_at, 2);
  });
}

TEST(Produce, InternalTopicsBelongToTheBroker) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("__consumer_offsets", 1, {{"cleanup.policy", "compact"}});
    EXPECT_EQ((co_await outcome(site, produce_request("__consumer_offsets", 0, batch()))).error_code,
              code(ErrorCode::kInvalidTopicException));
  });
}

// Nobody could end its transaction: it would hold up readers for ever.
TEST(Produce, BatchesOfATransactionAreRefused) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events");
    auto request = produce_request("events", 0, batch({.producer_id = 9, .producer_epoch = 0, .base_sequence = 0, .transactional = true}));
    request.transactional_id = protocol::Text("tx");
    EXPECT_EQ((co_await outcome(site, request)).error_code, code(ErrorCode::kInvalidTxnState));
    EXPECT_EQ(co_await site.produce("events", 0, {"x"}), 0);
    EXPECT_EQ(site.produced_at, 0);
  });
}

TEST(Produce, CompactedTopicsWantKeys) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events", 1, {{"cleanup.policy", "compact"}});
    const auto refused = co_await outcome(site, produce_request("events", 0, batch()));
    EXPECT_EQ(refused.error_code, code(ErrorCode::kInvalidRecord));
    EXPECT_EQ(refused.record_errors.size(), 1u);
    if (!refused.record_errors.empty()) EXPECT_EQ(refused.record_errors[0].batch_index, 0);
  });
}

}  // namespace
}  // namespace samsa::server
