#include "protocol/api/api_versions.h"

#include <algorithm>

#include "server/test_site.h"

namespace samsa::server {
namespace {

protocol::ApiVersionsRequest from(const std::string& software) {
  protocol::ApiVersionsRequest request;
  request.client_software_name = software;
  request.client_software_version = "1.0";
  return request;
}

TEST(ApiVersions, NamesOfClients) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    for (const std::string good : {"a", "apache-kafka-java", "x.y-z9"}) EXPECT_EQ((co_await site.call(from(good), 3)).error_code, 0) << good;
    for (const std::string bad : {"", " ", "a b", "-a", "a-", ".", "\xc3\xa4"}) {
      const auto answer = co_await site.call(from(bad), 3);
      EXPECT_EQ(answer.error_code, code(ErrorCode::kInvalidRequest)) << bad;
      EXPECT_TRUE(answer.api_keys.empty());
    }
  });
}

TEST(ApiVersions, FeaturesAsTheVersionCanReadThem) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    const auto names = [](const protocol::ApiVersionsResponse& answer) {
      std::vector<std::string> found;
      for (const auto& feature : answer.supported_features) {
        found.push_back(feature.name.str());
        EXPECT_LE(feature.min_version, feature.max_version);
      }
      return found;
    };
    EXPECT_EQ(names(co_await site.call(from("x"), 3)), std::vector<std::string>{"metadata.version"});
    EXPECT_GT(names(co_await site.call(from("x"), 4)).size(), 3u);
    const auto answer = co_await site.call(from("x"), 4);
    EXPECT_GE(answer.finalized_features_epoch, 0);
    for (const auto& feature : answer.finalized_features) EXPECT_GT(feature.max_version_level, 0);
  });
}

TEST(ApiVersions, EachListenerServesItsOwn) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    const auto has = [](const protocol::ApiVersionsResponse& answer, int16_t key) {
      return std::ranges::any_of(answer.api_keys, [&](const auto& api) { return api.api_key == key; });
    };
    const auto broker = co_await site.call(from("x"), 4);
    EXPECT_TRUE(has(broker, 0));
    EXPECT_FALSE(has(broker, 52));
    const auto connection = co_await site.connect(9093);
    const auto controller = co_await connection->call(from("x"), 4);
    EXPECT_TRUE(controller);
    EXPECT_FALSE(has(*controller, 0));
    EXPECT_TRUE(has(*controller, 52));
    connection->close();
  });
}

TEST(ApiVersions, AnotherClusterOrNodeThanTheClientMeant) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    auto request = from("x");
    request.cluster_id = protocol::Text("elsewhere");
    EXPECT_EQ((co_await site.call(request, 5)).error_code, code(ErrorCode::kRebootstrapRequired));
    request.cluster_id = protocol::Text(site.node->cluster_id());
    request.node_id = 2;
    EXPECT_EQ((co_await site.call(request, 5)).error_code, code(ErrorCode::kRebootstrapRequired));
    request.node_id = 1;
    EXPECT_EQ((co_await site.call(request, 5)).error_code, 0);
  });
}

}  // namespace
}  // namespace samsa::server
