// Settings that change while the node runs, or that topics bring along: what they do.
#include "protocol/api/incremental_alter_configs.h"
#include "server/shard.h"
#include "server/test_site.h"

namespace samsa::server {
namespace {

using namespace std::chrono_literals;

// Of the topic, or of all brokers.
io::Task<> set(TestSite& site, std::string name, std::string value, std::string topic = "") {
  protocol::IncrementalAlterConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = topic.empty() ? 4 : 2;
  resource.resource_name = protocol::Text(topic);
  auto& config = resource.configs.emplace_back();
  config.name = protocol::Text(name);
  config.value = protocol::Text(value);
  const auto answer = co_await site.call(request, 1);
  EXPECT_EQ(answer.responses.at(0).error_code, 0) << name;
}

io::Task<> produce_as(TestSite& site, int64_t producer) {
  protocol::RecordBatchBuilder builder({.producer_id = producer, .producer_epoch = 0, .base_sequence = 0});
  builder.append(site.world().loop.wall_ms(), std::nullopt, as_bytes("value"));
  const auto answer = co_await site.call(produce_request("events", 0, *builder.build()), 9);
  EXPECT_EQ(answer.responses.at(0).partition_responses.at(0).error_code, 0);
}

TEST(DynamicSettings, ProducersAreForgottenAfterTheTimeOfNow) {
  TestSite site({{"producer.id.expiration.check.interval.ms", "2000"}});
  site.run([&]() -> io::Task<> {
    co_await site.create("events");
    co_await produce_as(site, 1);
    const auto producers = [&] { return site.replica("events", 0)->log().producer_count(); };
    co_await io::sleep_for(site.world().loop, 10s);
    EXPECT_EQ(producers(), 1U) << "a day has not passed";
    co_await set(site, "producer.id.expiration.ms", "60000");
    co_await io::sleep_for(site.world().loop, 40s);
    EXPECT_EQ(producers(), 1U);
    co_await io::sleep_for(site.world().loop, 20s);
    EXPECT_EQ(producers(), 0U);
    co_await set(site, "producer.id.expiration.ms", "600000");
    co_await produce_as(site, 2);
    co_await io::sleep_for(site.world().loop, 300s);
    EXPECT_EQ(producers(), 1U);
  });
}

TEST(DynamicSettings, ProducersAreLookedAtAsOftenAsTheIntervalSays) {
  TestSite site({{"producer.id.expiration.ms", "1000"}, {"producer.id.expiration.check.interval.ms", "100000"}});
  site.run([&]() -> io::Task<> {
    co_await site.create("events");
    co_await produce_as(site, 1);
    co_await io::sleep_for(site.world().loop, 80s);
    EXPECT_EQ(site.replica("events", 0)->log().producer_count(), 1U);
    co_await io::sleep_for(site.world().loop, 30s);
    EXPECT_EQ(site.replica("events", 0)->log().producer_count(), 0U);
  });
}

TEST(DynamicSettings, InternalSegmentBytesGoBelowTheLeast) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events", 1, {{"internal.segment.bytes", "200"}});
    for (int i = 0; i < 5; ++i) EXPECT_EQ(co_await site.produce("events", 0, {std::string(100, 'v')}), 0);
    EXPECT_EQ(site.replica("events", 0)->log().segment_count(), 5U);
  });
}

// Keys from `first` on, each once.
io::Task<> produce_keys(TestSite& site, std::string topic, int first, int count) {
  protocol::RecordBatchBuilder builder;
  for (int i = first; i < first + count; ++i) builder.append(site.world().loop.wall_ms(), as_bytes("key " + std::to_string(i)), as_bytes("v"));
  const auto answer = co_await site.call(produce_request(topic, 0, *builder.build()), 9);
  EXPECT_EQ(answer.responses.at(0).partition_responses.at(0).error_code, 0);
}

TEST(DynamicSettings, NothingIsCompactedWithoutTheCleaner) {
  for (const bool enabled : {false, true}) {
    TestSite site({{"log.cleaner.enable", enabled ? "true" : "false"}, {"log.cleaner.backoff.ms", "100"}});
    site.run([&]() -> io::Task<> {
      co_await site.create("events", 1, {{"cleanup.policy", "compact"}, {"internal.segment.bytes", "200"}});
      for (int i = 0; i < 5; ++i) co_await produce_keys(site, "events", 7, 1);
      co_await io::sleep_for(site.world().loop, 60s);
      const auto replica = site.replica("events", 0);
      EXPECT_EQ(replica->log().first_dirty_offset() > 0, enabled);
    });
  }
}

TEST(DynamicSettings, ARoundTakesAsManyKeysAsTheBufferHolds) {
  constexpr int kKeys = 60'000, kBatch = 5000;
  TestSite site({{"log.cleaner.backoff.ms", "100"}}, 1);
  site.run([&]() -> io::Task<> {
    const auto compacted_to = [&](std::string topic) -> io::Task<Offset> {
      co_await site.create(topic, 1, {{"internal.segment.bytes", "100000"}});
      for (int i = 0; i <= kKeys; i += kBatch) co_await produce_keys(site, topic, i, kBatch);
      co_await set(site, "cleanup.policy", "compact", topic);
      co_await io::sleep_for(site.world().loop, 30s);
      co_return site.replica(topic, 0)->log().first_dirty_offset();
    };
    EXPECT_EQ(co_await compacted_to("large"), kKeys);
    co_await set(site, "log.cleaner.dedupe.buffer.size", "1300000");
    const Offset some = co_await compacted_to("small");
    EXPECT_GT(some, kKeys / 4);
    EXPECT_LT(some, kKeys * 4 / 5) << "24 bytes a key, and 90 % of the buffer";
  });
}

}  // namespace
}  // namespace samsa::server
