// DescribeConfigs, AlterConfigs and IncrementalAlterConfigs.
#include "protocol/api/describe_configs.h"

#include <algorithm>

#include "protocol/api/alter_configs.h"
#include "protocol/api/incremental_alter_configs.h"
#include "protocol/api/list_config_resources.h"
#include "server/test_site.h"

namespace samsa::server {
namespace {

constexpr int8_t kTopic = 2, kBroker = 4;
constexpr int8_t kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3;

struct Value {
  int16_t error = 0;
  std::optional<std::string> value;
  int8_t source = 0;
};

io::Task<Value> value_of(TestSite& site, int8_t type, std::string resource, std::string name) {
  protocol::DescribeConfigsRequest request;
  auto& wanted = request.resources.emplace_back();
  wanted.resource_type = type;
  wanted.resource_name = resource;
  wanted.configuration_keys.emplace().emplace_back(name);
  const auto answer = co_await site.call(request, 4);
  const auto& result = answer.results.at(0);
  Value found{result.error_code, {}, 0};
  if (!result.configs.empty()) {
    if (result.configs[0].value) found.value = result.configs[0].value->str();
    found.source = result.configs[0].config_source;
  }
  co_return found;
}

struct Change {
  std::string name;
  int8_t op = kSet;
  std::optional<std::string> value;
};

io::Task<int16_t> change(TestSite& site, int8_t type, std::string resource, std::vector<Change> changes) {
  protocol::IncrementalAlterConfigsRequest request;
  auto& altered = request.resources.emplace_back();
  altered.resource_type = type;
  altered.resource_name = resource;
  for (const auto& each : changes) {
    auto& config = altered.configs.emplace_back();
    config.name = each.name;
    config.config_operation = each.op;
    if (each.value) config.value = protocol::Text(*each.value);
    if (!each.value) config.value.reset();
  }
  const auto answer = co_await site.call(request, 1);
  co_return answer.responses.at(0).error_code;
}

// The cleaner asks for its settings after each pause, out of the image of that moment: it once kept a layer of one that had gone.
TEST(Configs, ChangeWhileTheCleanerPauses) {
  TestSite site({{"log.cleaner.backoff.ms", "1000"}});
  site.run([&]() -> io::Task<> {
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(co_await change(site, kBroker, i % 2 == 0 ? "" : "1", {{"log.retention.ms", kSet, std::to_string(100'000 + i)}}), 0);
      co_await io::sleep_for(site.world().loop, std::chrono::milliseconds(700));
    }
  });
}

TEST(Configs, LayersAndSources) {
  TestSite site({{"log.retention.ms", "5000"}});
  site.run([&]() -> io::Task<> {
    co_await site.create("events");
    auto found = co_await value_of(site, kTopic, "events", "retention.ms");
    EXPECT_EQ(found.value, "5000");
    EXPECT_EQ(found.source, 4);
    EXPECT_EQ((co_await value_of(site, kTopic, "events", "cleanup.policy")).source, 5);
    EXPECT_EQ(co_await change(site, kTopic, "events", {{"retention.ms", kSet, "77"}}), 0);
    found = co_await value_of(site, kTopic, "events", "retention.ms");
    EXPECT_EQ(found.value, "77");
    EXPECT_EQ(found.source, 1);
    EXPECT_EQ(co_await change(site, kTopic, "events", {{"retention.ms", kDelete, {}}}), 0);
    EXPECT_EQ((co_await value_of(site, kTopic, "events", "retention.ms")).value, "5000");
    EXPECT_EQ(co_await change(site, kBroker, "", {{"log.retention.ms", kSet, "9000"}}), 0);
    found = co_await value_of(site, kTopic, "events", "retention.ms");
    EXPECT_EQ(found.value, "9000");
    EXPECT_EQ(found.source, 3);
  });
}

TEST(Configs, ListsGrowAndShrink) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events");
    EXPECT_EQ(co_await change(site, kTopic, "events", {{"cleanup.policy", kAppend, "compact"}}), 0);
    EXPECT_EQ((co_await value_of(site, kTopic, "events", "cleanup.policy")).value, "delete,compact");
    EXPECT_EQ(co_await change(site, kTopic, "events", {{"cleanup.policy", kAppend, "compact"}}), 0);
    EXPECT_EQ((co_await value_of(site, kTopic, "events", "cleanup.policy")).value, "delete,compact");
    EXPECT_EQ(co_await change(site, kTopic, "events", {{"cleanup.policy", kSubtract, "delete"}}), 0);
    EXPECT_EQ((co_await value_of(site, kTopic, "events", "cleanup.policy")).value, "compact");
    EXPECT_EQ(co_await change(site, kTopic, "events", {{"retention.ms", kAppend, "1"}}), code(ErrorCode::kInvalidConfig));
  });
}

TEST(Configs, Refusals) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events");
    EXPECT_EQ((co_await value_of(site, kTopic, "none", "retention.ms")).error, code(ErrorCode::kUnknownTopicOrPartition));
    EXPECT_EQ((co_await value_of(site, kTopic, "a b", "retention.ms")).error, code(ErrorCode::kInvalidTopicException));
    EXPECT_EQ((co_await value_of(site, kBroker, "77", "num.partitions")).error, code(ErrorCode::kInvalidRequest));
    EXPECT_EQ((co_await value_of(site, 99, "x", "y")).error, code(ErrorCode::kInvalidRequest));
    EXPECT_EQ(co_await change(site, kTopic, "events", {{"retention.ms", kSet, "many"}}), code(ErrorCode::kInvalidConfig));
    EXPECT_EQ(co_await change(site, kTopic, "events", {{"no.such.setting", kSet, "1"}}), code(ErrorCode::kInvalidConfig));
    EXPECT_EQ(co_await change(site, kTopic, "events", {{"retention.ms", kSet, {}}}), code(ErrorCode::kInvalidRequest));
    EXPECT_EQ(co_await change(site, kTopic, "events", {{"retention.ms", kSet, "1"}, {"retention.ms", kSet, "2"}}),
              code(ErrorCode::kInvalidRequest));
    EXPECT_EQ(co_await change(site, kTopic, "events", {{"retention.ms", 9, "1"}}), code(ErrorCode::kInvalidRequest));
    EXPECT_EQ(co_await change(site, kBroker, "77", {{"log.retention.ms", kSet, "1"}}), code(ErrorCode::kInvalidRequest));
    EXPECT_EQ((co_await value_of(site, kTopic, "events", "retention.ms")).source, 5);
  });
}

// AlterConfigs replaces: what it does not name is gone.
TEST(Configs, AlterConfigsReplacesAll) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events", 1, {{"retention.ms", "1"}, {"segment.ms", "2"}});
    protocol::AlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = kTopic;
    resource.resource_name = "events";
    auto& config = resource.configs.emplace_back();
    config.name = "segment.ms";
    config.value = protocol::Text("3");
    EXPECT_EQ((co_await site.call(request, 2)).responses.at(0).error_code, 0);
    EXPECT_EQ((co_await value_of(site, kTopic, "events", "retention.ms")).source, 5);
    EXPECT_EQ((co_await value_of(site, kTopic, "events", "segment.ms")).value, "3");
    request.resources.push_back(request.resources[0]);
    const auto twice = co_await site.call(request, 2);
    EXPECT_EQ(twice.responses.size(), 2u);
    EXPECT_EQ(twice.responses.at(0).error_code, code(ErrorCode::kInvalidRequest));
  });
}

io::Task<std::vector<std::string>> listed(TestSite& site, std::vector<int8_t> types, int16_t version = 1) {
  protocol::ListConfigResourcesRequest request;
  request.resource_types.assign(types.begin(), types.end());
  const auto answer = co_await site.call(request, version);
  std::vector<std::string> found;
  if (answer.error_code != 0) found.push_back("error " + std::to_string(answer.error_code));
  for (const auto& resource : answer.config_resources) found.push_back(std::to_string(resource.resource_type) + " " + resource.resource_name.str());
  std::ranges::sort(found);
  co_return found;
}

TEST(Configs, ResourcesAreListed) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    using Names = std::vector<std::string>;
    constexpr int8_t kClientMetrics = 16, kGroup = 32;
    co_await site.create("events");
    EXPECT_EQ(co_await change(site, kClientMetrics, "latencies", {{"interval.ms", kSet, "1000"}}), 0);
    EXPECT_EQ(co_await change(site, kGroup, "readers", {{"consumer.session.timeout.ms", kSet, "46000"}}), 0);
    EXPECT_EQ(co_await listed(site, {}), (Names{"16 latencies", "2 events", "32 readers", "4 1", "8 1"}));
    EXPECT_EQ(co_await listed(site, {kTopic, kGroup}), (Names{"2 events", "32 readers"}));
    EXPECT_EQ(co_await listed(site, {}, 0), (Names{"16 latencies"}));
    EXPECT_EQ(co_await listed(site, {77}), (Names{"error " + std::to_string(protocol::to_wire(ErrorCode::kUnsupportedVersion))}));
  });
}

}  // namespace
}  // namespace samsa::server
