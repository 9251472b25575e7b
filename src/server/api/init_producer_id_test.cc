#include "protocol/api/init_producer_id.h"

#include <set>

#include "server/test_site.h"

namespace samsa::server {
namespace {

protocol::InitProducerIdRequest idempotent() {
  protocol::InitProducerIdRequest request;
  request.transactional_id.reset();
  return request;
}

TEST(InitProducerId, EveryProducerHasItsOwnId) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    std::set<int64_t> ids;
    for (int i = 0; i < 20; ++i) {
      const auto connection = co_await site.connect();  // Each on the next shard: their blocks of ids differ.
      const auto answer = co_await connection->call(idempotent(), 4);
      EXPECT_TRUE(answer);
      EXPECT_EQ(answer->error_code, 0);
      EXPECT_EQ(answer->producer_epoch, 0);
      EXPECT_TRUE(ids.insert(answer->producer_id).second) << answer->producer_id;
      connection->close();
    }
  });
}

TEST(InitProducerId, Refusals) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    auto half = idempotent();
    half.producer_id = 5;
    EXPECT_EQ((co_await site.call(half, 4)).error_code, code(ErrorCode::kInvalidRequest));
    auto nameless = idempotent();
    nameless.transactional_id = protocol::Text("");
    const auto answer = co_await site.call(nameless, 4);
    EXPECT_EQ(answer.error_code, code(ErrorCode::kInvalidRequest));
    EXPECT_EQ(answer.producer_id, -1);
    EXPECT_EQ(answer.producer_epoch, -1);
  });
}

}  // namespace
}  // namespace samsa::server
