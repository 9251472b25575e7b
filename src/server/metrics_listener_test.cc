// The metrics port of a whole node, asked over HTTP, on the real world and on the simulated one.
#include "server/metrics_listener.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "io/real/world.h"
#include "io/sim/world.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/fetch.h"
#include "protocol/api/produce.h"
#include "protocol/record_batch.h"
#include "server/test_node.h"

namespace samsa::server {
namespace {

using namespace std::chrono_literals;

struct RealHarness {
  io::real::RealNode real{{.shards = 2}};
  std::string path = ::testing::TempDir() + "samsa-metrics-" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
  RealHarness() { std::filesystem::remove_all(path); }
  ~RealHarness() { std::filesystem::remove_all(path); }
  io::Worlds& worlds() { return real.worlds(); }
  void run(io::Task<> task) { real.run_until_done(std::move(task)); }
};

struct SimHarness {
  io::sim::SimWorld sim{11};
  io::sim::SimNode& node{sim.add_node("node", 2)};
  std::string path = "/data";
  io::Worlds& worlds() { return node.worlds(); }
  void run(io::Task<> task) { ASSERT_TRUE(sim.run_task(worlds()[0].loop, std::move(task), 600s)) << sim.trace().recent(60); }
};

// Sends bytes and gives what comes back: up to the end of the stream, or one whole answer with a Content-Length.
class Http {
 public:
  static io::Task<std::unique_ptr<Http>> connect(io::World world, io::Address to) {
    auto stream = co_await world.network.connect(to, 5s);
    EXPECT_TRUE(stream);
    co_return std::unique_ptr<Http>(new Http(std::move(*stream)));
  }
  ~Http() { stream_->close(); }

  io::Task<std::string> ask(std::string request) {
    co_await send(request);
    co_return co_await answer();
  }
  io::Task<> send(std::string text) {
    const io::Chunk chunk{.memory = as_bytes(text)};
    (void)co_await stream_->write({&chunk, 1});
  }
  // Empty: the connection has ended.
  io::Task<std::string> answer() {
    for (;;) {
      const size_t end = arrived_.find("\r\n\r\n");
      if (end != std::string::npos) {
        const size_t at = arrived_.find("Content-Length: ");
        EXPECT_LT(at, end);
        const size_t whole = end + 4 + std::stoul(arrived_.substr(at + 16));
        if (arrived_.size() >= whole) {
          std::string answer = arrived_.substr(0, whole);
          arrived_.erase(0, whole);
          co_return answer;
        }
      }
      Buffer piece(65536);
      const auto got = co_await stream_->read_some(piece);
      if (!got || *got == 0) co_return std::exchange(arrived_, {});
      arrived_.append(reinterpret_cast<const char*>(piece.data()), *got);
    }
  }

 private:
  explicit Http(std::unique_ptr<io::Stream> stream) : stream_(std::move(stream)) {}
  std::unique_ptr<io::Stream> stream_;
  std::string arrived_;
};

const std::string kGet = "GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n";

template <class Harness>
class MetricsPort : public ::testing::Test {
 protected:
  // Runs `scene(node, world)` against a started node and stops it.
  template <class F>
  void play(F scene) {
    auto whole = [&]() -> io::Task<> {
      io::World world = harness_.worlds()[0];
      Node node(harness_.worlds(), test_settings(harness_.path, {{"samsa.metrics.listener", "127.0.0.1:0"}}),
                [](Error error) { ADD_FAILURE() << error.text(); });
      const auto started = co_await node.start();
      EXPECT_TRUE(started) << started.error().text();
      EXPECT_TRUE(node.metrics_bound());
      if (started && node.metrics_bound()) co_await scene(node, world);
      co_await node.stop();
    };
    harness_.run(whole());
  }
  Harness harness_;
};

using Harnesses = ::testing::Types<RealHarness, SimHarness>;
TYPED_TEST_SUITE(MetricsPort, Harnesses);

io::Task<> create_and_use(Node& node, io::World world, int records) {
  auto client = co_await RawClient::connect(world, {"127.0.0.1", node.bound()[0].port});
  protocol::CreateTopicsRequest create;
  auto& topic = create.topics.emplace_back();
  topic.name = "events";
  topic.num_partitions = 2;
  topic.replication_factor = 1;
  create.timeout_ms = 10000;
  EXPECT_TRUE(co_await (*client)->call(create, 7));
  protocol::RecordBatchBuilder builder;
  for (int i = 0; i < records; ++i) builder.append(1700000000000, std::nullopt, as_bytes("0123456789"));
  auto built = builder.build();
  EXPECT_TRUE(co_await (*client)->call(produce_request("events", 1, std::move(*built)), 9));
  protocol::FetchRequest fetch;
  fetch.max_bytes = 1 << 20;
  fetch.session_epoch = -1;
  auto& wanted = fetch.topics.emplace_back();
  wanted.topic = "events";
  auto& where = wanted.partitions.emplace_back();
  where.partition = 1;
  where.partition_max_bytes = 1 << 20;
  EXPECT_TRUE(co_await (*client)->call(fetch, 12));
  (*client)->close();
}

TYPED_TEST(MetricsPort, ShowsWhatTheNodeDid) {
  auto scene = [](Node& node, io::World world) -> io::Task<> {
    co_await create_and_use(node, world, 7);
    auto http = co_await Http::connect(world, *node.metrics_bound());
    const std::string page = co_await http->ask(kGet);
    EXPECT_TRUE(page.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n")) << page.substr(0, 200);
    for (const char* line : {
             "kafka_server_brokertopicmetrics_messagesin_total{topic=\"events\"} 7",
             "kafka_server_brokertopicmetrics_messagesin_total 7",
             "kafka_network_requestmetrics_requests_total{request=\"Produce\",version=\"9\"} 1",
             "kafka_network_requestmetrics_requests_total{request=\"FetchConsumer\",version=\"12\"} 1",
             "kafka_network_requestmetrics_errors_total{request=\"Produce\",error=\"NONE\"} 1",
             "kafka_network_requestmetrics_totaltimems_count{request=\"Fetch\"} 1",
             "kafka_log_log_logendoffset{topic=\"events\",partition=\"1\"} 7",
             "kafka_log_log_logendoffset{topic=\"events\",partition=\"0\"} 0",
             "kafka_server_replicamanager_partitioncount 2",
             "kafka_server_replicamanager_leadercount 2",
             "kafka_server_replicamanager_underreplicatedpartitions 0",
             "kafka_controller_kafkacontroller_activecontrollercount 1",
             "kafka_controller_kafkacontroller_globalpartitioncount 2",
         }) {
      EXPECT_NE(page.find(std::string("\n") + line + "\n"), std::string::npos) << line;
    }
    const std::string bytes = "\nkafka_server_brokertopicmetrics_bytesin_total{topic=\"events\"} ";
    const std::string sent = "\nkafka_server_brokertopicmetrics_bytesout_total{topic=\"events\"} ";
    EXPECT_NE(page.find(bytes), std::string::npos);
    EXPECT_NE(page.find(sent), std::string::npos);
    EXPECT_EQ(std::stoi(page.substr(page.find(bytes) + bytes.size())), std::stoi(page.substr(page.find(sent) + sent.size())));
    const std::string again = co_await http->ask(kGet);  // On the same connection.
    EXPECT_TRUE(again.starts_with("HTTP/1.1 200 OK\r\n"));
  };
  this->play(scene);
}

TYPED_TEST(MetricsPort, RefusesWhatItDoesNotServe) {
  auto scene = [](Node& node, io::World world) -> io::Task<> {
    auto http = co_await Http::connect(world, *node.metrics_bound());
    EXPECT_TRUE((co_await http->ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).starts_with("HTTP/1.1 404 "));
    EXPECT_TRUE((co_await http->ask("DELETE /metrics HTTP/1.1\r\nHost: a\r\n\r\n")).starts_with("HTTP/1.1 405 "));
    EXPECT_TRUE((co_await http->ask(kGet)).starts_with("HTTP/1.1 200 "));
    EXPECT_TRUE((co_await http->ask("nonsense\r\n\r\n")).starts_with("HTTP/1.1 400 "));
    EXPECT_EQ(co_await http->answer(), "");  // Closed.
    http = co_await Http::connect(world, *node.metrics_bound());
    EXPECT_TRUE((co_await http->ask("GET /" + std::string(9000, 'x'))).starts_with("HTTP/1.1 400 "));
  };
  this->play(scene);
}

TYPED_TEST(MetricsPort, AnswersPipelinedRequestsInOrder) {
  auto scene = [](Node& node, io::World world) -> io::Task<> {
    auto http = co_await Http::connect(world, *node.metrics_bound());
    co_await http->send(kGet + "GET /x HTTP/1.1\r\nHost: a\r\n\r\n" + "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE((co_await http->answer()).starts_with("HTTP/1.1 200 "));
    EXPECT_TRUE((co_await http->answer()).starts_with("HTTP/1.1 404 "));
    EXPECT_TRUE((co_await http->answer()).starts_with("HTTP/1.1 200 "));
    EXPECT_EQ(co_await http->answer(), "");
  };
  this->play(scene);
}

TEST(MetricsPortSim, LosesPatienceWithSlowClients) {
  SimHarness harness;
  auto whole = [&]() -> io::Task<> {
    io::World world = harness.worlds()[0];
    Node node(harness.worlds(), test_settings(harness.path, {{"samsa.metrics.listener", "127.0.0.1:0"}}), [](Error) {});
    EXPECT_TRUE(co_await node.start());
    std::vector<std::unique_ptr<Http>> idle;
    for (size_t i = 0; i < MetricsListener::kMaxClients; ++i) idle.push_back(co_await Http::connect(world, *node.metrics_bound()));
    co_await idle[0]->send("GET /metr");
    auto late = co_await Http::connect(world, *node.metrics_bound());
    EXPECT_EQ(co_await late->ask(kGet), "");  // No room.
    const auto began = world.loop.now();
    EXPECT_EQ(co_await idle[0]->answer(), "");
    EXPECT_NEAR(std::chrono::duration<double>(world.loop.now() - began).count(), 30, 2);
    late = co_await Http::connect(world, *node.metrics_bound());
    EXPECT_TRUE((co_await late->ask(kGet)).starts_with("HTTP/1.1 200 "));
    co_await node.stop();
  };
  harness.run(whole());
}

// A port that is taken: of the default setting a warning, of one that was given an error.
TEST(MetricsPortSim, TakenPort) {
  for (const bool given : {false, true}) {
    SimHarness harness;
    auto whole = [&]() -> io::Task<> {
      auto taken = harness.worlds()[0].network.listen({"127.0.0.1", 9404});
      EXPECT_TRUE(taken);
      NodeSettings settings = test_settings(harness.path, {{"samsa.metrics.listener", "127.0.0.1:9404"}});
      EXPECT_TRUE(settings.metrics_listener_given);
      settings.metrics_listener_given = given;
      Node node(harness.worlds(), std::move(settings), [](Error) {});
      const auto started = co_await node.start();
      EXPECT_EQ(started.has_value(), !given);
      if (!started) EXPECT_NE(started.error().text().find("samsa.metrics.listener: cannot listen on 127.0.0.1:9404"), std::string::npos);
      EXPECT_FALSE(node.metrics_bound());
      co_await node.stop();
    };
    harness.run(whole());
  }
}

TEST(MetricsSetting, IsAnAddressOrEmpty) {
  const auto read = [](const std::string& value) {
    auto properties = config::parse_properties(config::ServerConfig::embedded_properties());
    if (value != "default") (*properties)["samsa.metrics.listener"] = value;
    return NodeSettings::from(std::make_shared<const config::ServerConfig>(*config::ServerConfig::from(std::move(*properties))));
  };
  EXPECT_EQ(read("default")->metrics_listener, (io::Address{"127.0.0.1", 9404}));
  EXPECT_FALSE(read("default")->metrics_listener_given);
  EXPECT_FALSE(read("")->metrics_listener);
  EXPECT_EQ(read("[::1]:0")->metrics_listener, (io::Address{"::1", 0}));
  const auto wrong = read("somewhere");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().text().find("samsa.metrics.listener=somewhere: it is host:port"), std::string::npos) << wrong.error().text();
}

}  // namespace
}  // namespace samsa::server
