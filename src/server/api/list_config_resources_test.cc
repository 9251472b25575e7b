// ListConfigResources.
#include "protocol/api/list_config_resources.h"

#include <set>

#include "protocol/api/incremental_alter_configs.h"
#include "server/test_site.h"

namespace samsa::server {
namespace {

constexpr int8_t kTopic = 2, kBroker = 4, kBrokerLogger = 8, kClientMetrics = 16, kGroup = 32;

using Names = std::set<std::pair<int8_t, std::string>>;

io::Task<int16_t> set(TestSite& site, int8_t type, std::string resource, std::string key, std::string value) {
  protocol::IncrementalAlterConfigsRequest request;
  auto& altered = request.resources.emplace_back();
  altered.resource_type = type;
  altered.resource_name = resource;
  auto& config = altered.configs.emplace_back();
  config.name = key;
  config.value = protocol::Text(value);
  const auto answer = co_await site.call(request, 1);
  co_return answer.responses.at(0).error_code;
}

io::Task<Names> list(TestSite& site, int16_t version, std::vector<int8_t> types) {
  protocol::ListConfigResourcesRequest request;
  request.resource_types = std::move(types);
  const auto answer = co_await site.call(request, version);
  EXPECT_EQ(answer.error_code, 0);
  Names names;
  for (const auto& one : answer.config_resources) names.insert({version == 0 ? kClientMetrics : one.resource_type, one.resource_name.str()});
  co_return names;
}

TEST(ListConfigResources, WhatHasSettingsByType) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events");
    EXPECT_EQ(co_await set(site, kGroup, "readers", "consumer.session.timeout.ms", "50000"), 0);
    EXPECT_EQ(co_await set(site, kClientMetrics, "all-clients", "interval.ms", "60000"), 0);
    const Names everything{{kTopic, "events"}, {kBroker, "1"}, {kBrokerLogger, "1"}, {kClientMetrics, "all-clients"}, {kGroup, "readers"}};
    EXPECT_EQ(co_await list(site, 1, {}), everything);
    EXPECT_EQ(co_await list(site, 1, {kTopic}), (Names{{kTopic, "events"}}));
    EXPECT_EQ(co_await list(site, 1, {kGroup, kBroker}), (Names{{kBroker, "1"}, {kGroup, "readers"}}));
    EXPECT_EQ(co_await list(site, 0, {}), (Names{{kClientMetrics, "all-clients"}}));
    protocol::ListConfigResourcesRequest unknown;
    unknown.resource_types = {kTopic, 77};
    const auto answer = co_await site.call(unknown, 1);
    EXPECT_EQ(answer.error_code, static_cast<int16_t>(ErrorCode::kUnsupportedVersion));
    EXPECT_TRUE(answer.config_resources.empty());
  });
}

}  // namespace
}  // namespace samsa::server
