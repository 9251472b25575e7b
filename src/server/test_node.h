// For tests: a node in a directory of its own on whatever world the test brings, and a client that speaks raw frames to it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "io/network.h"
#include "io/world.h"
#include "protocol/api/produce.h"
#include "protocol/headers.h"
#include "server/node.h"

namespace samsa::server {

// Settings of a single node on ports of the system's choice. `more` overrides.
inline NodeSettings test_settings(const std::string& directory, const config::Properties& more = {}) {
  auto properties = config::parse_properties(config::ServerConfig::embedded_properties());
  SAMSA_ASSERT(properties.has_value());
  (*properties)["listeners"] = "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0";
  (*properties)["log.dirs"] = directory;
  (*properties)["group.initial.rebalance.delay.ms"] = "0";
  (*properties)["offsets.topic.num.partitions"] = "4";
  (*properties)["samsa.metrics.listener"] = "";
  for (const auto& [name, value] : more) (*properties)[name] = value;
  auto config = config::ServerConfig::from(std::move(*properties));
  SAMSA_ASSERT(config.has_value());
  auto settings = NodeSettings::from(std::make_shared<const config::ServerConfig>(std::move(*config)));
  SAMSA_ASSERT(settings.has_value());
  settings->auto_format = true;
  return std::move(*settings);
}

// One connection; requests are answered one after the other.
class RawClient {
 public:
  static io::Task<Result<std::unique_ptr<RawClient>>> connect(io::World world, io::Address to) {
    CO_TRY_ASSIGN(auto stream, co_await world.network.connect(to, std::chrono::seconds(5)));
    co_return std::unique_ptr<RawClient>(new RawClient(std::move(stream)));
  }

  io::Task<Result<void>> send(Bytes bytes) {
    const io::Chunk chunk{.memory = bytes};
    co_return co_await stream_->write({&chunk, 1});
  }
  // Sends a whole frame of the request; the answer is left to receive().
  template <class Request>
  io::Task<Result<void>> send_request(const Request& request, int16_t version) {
    protocol::RequestHeader header{Request::kApiKey, version, ++correlation_, "raw-client"};
    protocol::Encoder encoder;
    CO_TRY(protocol::encode_request_frame(header, request, encoder));
    co_return co_await stream_->write(encoder.chunks());
  }
  // The next frame, without its length; NETWORK_EXCEPTION at the end of the stream.
  io::Task<Result<Buffer>> receive() {
    Buffer head(4);
    CO_TRY(co_await fill(head));
    Buffer body(static_cast<size_t>(load_be<int32_t>(head.data())));
    CO_TRY(co_await fill(body));
    co_return body;
  }
  // The answer to the request with that correlation id counted from 1 on this connection. Views `frame`.
  template <class Request>
  static Result<typename Request::Response> parse(Bytes frame, int16_t version, int32_t correlation) {
    int32_t found = 0;
    TRY_ASSIGN(const size_t size, protocol::decode_response_header(frame, Request::kApiKey, version, found));
    if (found != correlation) return fail(ErrorCode::kCorruptMessage, "another correlation id");
    return protocol::decode<typename Request::Response>(frame.subspan(size), version);
  }
  template <class Request>
  io::Task<Result<typename Request::Response>> call(const Request& request, int16_t version) {
    CO_TRY(co_await send_request(request, version));
    CO_TRY_ASSIGN(last_, co_await receive());
    co_return parse<Request>(last_, version, correlation_);
  }
  [[nodiscard]] int32_t correlation() const { return correlation_; }
  void close() { stream_->close(); }

 private:
  explicit RawClient(std::unique_ptr<io::Stream> stream) : stream_(std::move(stream)) {}
  io::Task<Result<void>> fill(Buffer& into) {
    for (size_t at = 0; at < into.size();) {
      CO_TRY_ASSIGN(const size_t got, co_await stream_->read_some(MutableBytes(into).subspan(at)));
      if (got == 0) co_return fail(ErrorCode::kNetworkException, "closed");
      at += got;
    }
    co_return Result<void>{};
  }
  std::unique_ptr<io::Stream> stream_;
  Buffer last_;
  int32_t correlation_ = 0;
};

// One batch, or what stands for one, to one partition.
inline protocol::ProduceRequest produce_request(const std::string& topic, int partition, Buffer records, int16_t acks = -1, int32_t timeout_ms = 5000) {
  protocol::ProduceRequest request;
  request.acks = acks;
  request.timeout_ms = timeout_ms;
  auto& data = request.topic_data.emplace_back();
  data.name = topic;
  auto& part = data.partition_data.emplace_back();
  part.index = partition;
  part.records = protocol::Records::of(protocol::Blob(std::move(records)));
  return request;
}

}  // namespace samsa::server
