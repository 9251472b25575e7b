// The client's end of a connection: how it cuts what comes into answers.
#include "client/connection.h"

#include <gtest/gtest.h>

#include "io/sim/world.h"
#include "protocol/api/metadata.h"

namespace samsa::client {
namespace {

using namespace std::chrono_literals;

constexpr uint16_t kPort = 9092;

std::string content(size_t number, size_t bytes) { return std::string(bytes, static_cast<char>('a' + number % 26)); }

Buffer to_bytes(const protocol::Encoder& frame) {
  Buffer bytes;
  for (const auto& chunk : frame.chunks()) append(bytes, chunk.memory);
  return bytes;
}

template <class Request>
Buffer answer_frame(const protocol::RequestHeader& header, const typename Request::Response& response) {
  protocol::Encoder out;
  EXPECT_TRUE(protocol::encode_response_frame(header, response, out));
  return to_bytes(out);
}

// A peer that answers nothing before it has all the requests, and then all of them in pieces of so many bytes.
class Peer {
 public:
  Peer(io::World world, std::vector<size_t> sizes, size_t piece) : world_(world), sizes_(std::move(sizes)), piece_(piece) {}

  io::Task<> serve() {
    auto listener = world_.network.listen({"", kPort});
    EXPECT_TRUE(listener);
    auto accepted = co_await (*listener)->accept();
    EXPECT_TRUE(accepted);
    stream_ = world_.network.attach(std::move(*accepted));
    co_await answer_versions();
    Buffer answers;
    for (size_t number = 0; number < sizes_.size(); ++number) {
      const auto header = co_await next_request();
      protocol::MetadataResponse response;
      const std::string text = content(number, sizes_[number]);
      response.cluster_id = protocol::Text::view_of(text);
      append(answers, answer_frame<protocol::MetadataRequest>(header, response));
    }
    for (size_t at = 0; at < answers.size(); at += piece_) {
      co_await send(Bytes(answers).subspan(at, std::min(piece_, answers.size() - at)));
      if (answers.size() / piece_ < 10'000) co_await io::sleep_for(world_.loop, 100ms);  // Each comes by itself.
    }
  }

 private:
  io::Task<> answer_versions() {
    const auto header = co_await next_request();
    protocol::ApiVersionsResponse response;
    auto& metadata = response.api_keys.emplace_back();
    metadata.api_key = protocol::MetadataRequest::kApiKey;
    metadata.min_version = metadata.max_version = 5;
    const Buffer frame = answer_frame<protocol::ApiVersionsRequest>(header, response);
    co_await send(frame);
  }
  io::Task<> send(Bytes bytes) {
    const io::Chunk chunk{.memory = bytes};
    EXPECT_TRUE(co_await stream_->write({&chunk, 1}));
  }
  io::Task<protocol::RequestHeader> next_request() {
    Buffer length(4);
    co_await fill(length);
    frame_.resize(load_be<uint32_t>(length.data()));
    co_await fill(frame_);
    protocol::RequestHeader header;
    EXPECT_TRUE(protocol::decode_request_header(frame_, header));
    co_return header;
  }
  io::Task<> fill(MutableBytes into) {
    while (!into.empty()) {
      const auto n = co_await stream_->read_some(into);
      EXPECT_TRUE(n && *n > 0);
      into = into.subspan(*n);
    }
  }

  io::World world_;
  std::vector<size_t> sizes_;
  const size_t piece_;
  std::unique_ptr<io::Stream> stream_;
  Buffer frame_;
};

io::Task<> ask(Connection& connection, size_t number, size_t bytes, size_t& right) {
  const auto reply = co_await connection.call(protocol::MetadataRequest{});
  EXPECT_TRUE(reply) << (reply ? "" : reply.error().message);
  if (reply && (*reply)->cluster_id && (*reply)->cluster_id->view() == content(number, bytes)) ++right;
}

// With what comes before it, an answer to Metadata with so long an id takes 26 bytes more; the client takes 2,048 at first.
const std::vector<std::vector<size_t>> kAnswers{
    {1, 20, 2000, 2048, 30'000, 3, 5, 30'000, 30'000, 2017, 2018, 2019, 2020, 2021, 2022, 2023, 2024, 0, 2047, 7},
    {2021, 7}, {2022, 7}, {2023, 7}, {1, 1992, 7}, {1, 1993, 7}, {1, 1994, 7}, {1, 1995, 7}, {1, 1996, 7}, {30'000}};

class Pieces : public testing::TestWithParam<size_t> {};

size_t right_answers(const std::vector<size_t>& sizes, size_t piece) {
  io::sim::SimWorld sim(1);
  auto& here = sim.add_node("here");
  auto& there = sim.add_node("there");
  const io::World world = here.worlds()[0];
  Peer peer(there.worlds()[0], sizes, piece);
  io::spawn(there.worlds()[0].loop, peer.serve());
  size_t right = 0;
  EXPECT_TRUE(sim.run_task(world.loop, [](io::World world, const std::vector<size_t>& sizes, size_t& right) -> io::Task<> {
    ConnectionConfig patient;
    patient.request_timeout = std::chrono::hours(1);
    auto connection = co_await Connection::open(world, {"there", kPort}, patient);
    EXPECT_TRUE(connection);
    if (!connection) co_return;
    for (size_t number = 0; number < sizes.size(); ++number) io::spawn(world.loop, ask(**connection, number, sizes[number], right));
    while ((*connection)->alive() && right < sizes.size()) co_await io::sleep_for(world.loop, 10ms);
  }(world, sizes, right), std::chrono::hours(1)));
  return right;
}

// Small and large answers behind each other, as many as the peer has: none takes what is another's.
TEST_P(Pieces, AreCutIntoAnswers) {
  for (const auto& sizes : kAnswers) EXPECT_EQ(right_answers(sizes, GetParam()), sizes.size()) << sizes.front();
}

// What a stranger sends who is asked for the versions, before it closes; and the client's words for it.
struct Words {
  Buffer said;
  const char* error;
};

class Stranger : public testing::TestWithParam<Words> {};

TEST_P(Stranger, IsAnErrorOfTheNetwork) {
  io::sim::SimWorld sim(1);
  auto& here = sim.add_node("here");
  auto& there = sim.add_node("there");
  const io::World world = here.worlds()[0];
  io::spawn(there.worlds()[0].loop, [](io::World world, Buffer words) -> io::Task<> {
    auto listener = world.network.listen({"", kPort});
    EXPECT_TRUE(listener);
    auto accepted = co_await (*listener)->accept();
    EXPECT_TRUE(accepted);
    auto stream = world.network.attach(std::move(*accepted));
    const io::Chunk chunk{.memory = words};
    EXPECT_TRUE(co_await stream->write({&chunk, 1}));
    co_await io::sleep_for(world.loop, 1s);
  }(there.worlds()[0], GetParam().said));
  Error error;
  ASSERT_TRUE(sim.run_task(world.loop, [](io::World world, Error& error) -> io::Task<> {
    const auto connection = co_await Connection::open(world, {"there", kPort}, {});
    EXPECT_FALSE(connection);
    if (!connection) error = connection.error();
  }(world, error), 10s));  // Less than the request timeout: nobody waits for it.
  EXPECT_EQ(error.code, ErrorCode::kNetworkException) << error.message;
  EXPECT_NE(error.message.find(GetParam().error), std::string::npos) << error.message;
}

INSTANTIATE_TEST_SUITE_P(Connection, Stranger,
                         testing::Values(Words{{}, "closed the connection"}, Words{{0, 0}, "closed the connection"},
                                         Words{{0, 0, 0, 3, 1, 2, 3}, "not a Kafka broker"}, Words{{0x80, 0, 0, 0}, "not a Kafka broker"},
                                         Words{{0x20, 0, 0, 1}, "not a Kafka broker"}, Words{{0, 0, 0, 8, 0, 0, 0}, "closed the connection"},
                                         Words{{0, 0, 0, 8, 0, 0, 0, 99, 0, 0, 0, 0}, "out of order"},
                                         Words{{0, 1, 0, 0, 7, 7, 7}, "closed the connection"}));
INSTANTIATE_TEST_SUITE_P(Connection, Pieces, testing::Values(1, 3, 4, 5, 100, 2047, 2048, 2049, 2052, 40'000, 1'000'000));

}  // namespace
}  // namespace samsa::client
