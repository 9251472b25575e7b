#include "io/real/network.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "io/conformance.h"
#include "io/real/world.h"

namespace samsa::io::real {
namespace {

// The option of this process's socket that is connected from `from` to `to`; -1 when there is none.
int option_of(uint16_t from, uint16_t to, int option) {
  const auto port_of = [](int fd, auto name) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    if (name(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 || address.sin_family != AF_INET) return uint16_t{0};
    return ntohs(address.sin_port);
  };
  for (int fd = 3; fd < 4096; ++fd) {
    if (port_of(fd, ::getsockname) != from || port_of(fd, ::getpeername) != to) continue;
    int value = 0;
    socklen_t size = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
  }
  return -1;
}

TEST(RealNetwork, AcceptedConnectionsHaveTheListenersBuffers) {
  const auto buffers_of_accepted = [](SocketBuffers buffers, int& send, int& receive) {
    RealNode node({.shards = 1, .buffers = buffers});
    World& world = node.worlds()[0];
    const auto body = [&]() -> Task<> {
      auto listener = world.network.listen({"127.0.0.1", 0});
      CO_ASSERT(listener);
      auto client = co_await world.network.connect((*listener)->address(), std::chrono::seconds(30));
      CO_ASSERT(client);
      auto accepted = co_await (*listener)->accept();
      CO_ASSERT(accepted);
      const auto server = world.network.attach(std::move(*accepted));
      send = option_of((*listener)->address().port, (*client)->local().port, SO_SNDBUF);
      receive = option_of((*listener)->address().port, (*client)->local().port, SO_RCVBUF);
    };
    node.run_until_done(body());
  };
  int send = 0, receive = 0;
  buffers_of_accepted({.send = 20'000, .receive = 30'000}, send, receive);
  EXPECT_EQ(send, 40'000);  // The system doubles it for its own needs: socket(7).
  EXPECT_EQ(receive, 60'000);
  int own_send = 0, own_receive = 0;
  buffers_of_accepted({}, own_send, own_receive);
  EXPECT_GT(own_send, 0);
  EXPECT_NE(own_send, send);
  EXPECT_NE(own_receive, receive);
}

}  // namespace
}  // namespace samsa::io::real
