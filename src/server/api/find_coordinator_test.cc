#include "protocol/api/find_coordinator.h"

#include "protocol/api/init_producer_id.h"
#include "server/test_site.h"

namespace samsa::server {
namespace {

protocol::FindCoordinatorRequest of(int8_t type, const std::string& key) {
  protocol::FindCoordinatorRequest request;
  request.key_type = type;
  request.coordinator_keys.emplace_back(key);
  return request;
}

TEST(FindCoordinator, MakesTheTopicOfGroupsAndNamesTheLeader) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    const auto first = co_await site.call(of(0, "group"), 4);
    EXPECT_EQ(first.coordinators.at(0).error_code, code(ErrorCode::kCoordinatorNotAvailable));
    EXPECT_EQ(first.coordinators.at(0).node_id, -1);
    int16_t error = -1;
    for (int i = 0; i < 200 && error != 0; ++i) {
      co_await io::sleep_for(site.world().loop, std::chrono::milliseconds(20));
      const auto again = co_await site.call(of(0, "group"), 4);
      error = again.coordinators.at(0).error_code;
      if (error == 0) {
        EXPECT_EQ(again.coordinators.at(0).node_id, 1);
        EXPECT_EQ(again.coordinators.at(0).port, 9092);
      }
    }
    EXPECT_EQ(error, 0);
  });
}

TEST(FindCoordinator, UnknownTypes) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    const auto answer = co_await site.call(of(7, "x"), 4);
    EXPECT_EQ(answer.coordinators.at(0).error_code, code(ErrorCode::kInvalidRequest));
  });
}

// Clients give up at once, with a word that says why, and no topic is made for nothing.
TEST(FindCoordinator, TransactionsAreRefusedForGood) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    const auto answer = co_await site.call(of(1, "tx"), 4);
    const auto& found = answer.coordinators.at(0);
    EXPECT_EQ(found.error_code, code(ErrorCode::kTransactionalIdAuthorizationFailed));
    EXPECT_FALSE(error_is_retriable(error_from_wire(found.error_code)));
    EXPECT_NE(found.error_message->view().find("transactions"), std::string_view::npos);
    protocol::FindCoordinatorRequest old;
    old.key = "tx";
    old.key_type = 1;
    const auto old_answer = co_await site.call(old, 1);
    EXPECT_EQ(old_answer.error_code, code(ErrorCode::kTransactionalIdAuthorizationFailed));
    protocol::InitProducerIdRequest init;
    init.transactional_id = protocol::Text("tx");
    init.transaction_timeout_ms = 60'000;
    EXPECT_EQ((co_await site.call(init, 4)).error_code, code(ErrorCode::kTransactionalIdAuthorizationFailed));
    co_await io::sleep_for(site.world().loop, std::chrono::seconds(2));
    EXPECT_EQ(site.node->shard(0).image()->topic("__transaction_state"), nullptr);
  });
}

}  // namespace
}  // namespace samsa::server
