// Connection: one connection to one broker or controller. Negotiates versions with ApiVersions first, as every Kafka client does,
// then sends requests; several may be under way, answers come in order (a broker serves a connection's requests one by one).
//
// Belongs to one shard. A request that gets no answer within its time closes the connection, as Java's client does; everything
// that waits on it then fails with NETWORK_EXCEPTION. Whoever holds the pointer may close() any time.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "base/result.h"
#include "client/exchanges.h"
#include "io/sync.h"
#include "io/world.h"
#include "protocol/codec.h"
#include "protocol/headers.h"

namespace samsa::client {

struct ConnectionConfig {
  std::string client_id = "samsa";
  std::string software_name = "samsa";
  std::string software_version = "0.1.0";
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds request_timeout{30'000};
};

// An answer and the frame that its Text and Blob fields view.
template <class M>
class Reply {
 public:
  Reply() = default;
  Reply(std::shared_ptr<const void> frame, M message) : frame_(std::move(frame)), message_(std::move(message)) {}
  const M* operator->() const { return &message_; }
  const M& operator*() const { return message_; }
  M& mutable_message() { return message_; }

 private:
  std::shared_ptr<const void> frame_;
  M message_;
};

class Connection {
 public:
  // Connects and negotiates versions. NETWORK_EXCEPTION when the peer cannot be reached or does not speak Kafka.
  static io::Task<Result<std::shared_ptr<Connection>>> open(io::World world, io::Address address, ConnectionConfig config);
  ~Connection();
  Connection(const Connection&) = delete;

  // Sends the request in the highest version that both sides know (at most `max_version`) and waits for its answer, at most the
  // request timeout and `extra_wait` on top. UNSUPPORTED_VERSION when no version is common to both.
  template <class Request>
  io::Task<Result<Reply<ResponseOf<Request>>>> call(const Request& request, int16_t max_version = INT16_MAX,
                                                    std::chrono::milliseconds extra_wait = {}) {
    CO_TRY_ASSIGN(const int16_t version, version_of<Request>(max_version));
    const protocol::RequestHeader header = next_header(Request::kApiKey, version);
    protocol::Encoder encoded;
    CO_TRY(protocol::encode_request_frame(header, request, encoded));
    CO_TRY_ASSIGN(const Frame frame, co_await exchange(header, encoded, extra_wait));
    CO_TRY_ASSIGN(ResponseOf<Request> message, protocol::decode<ResponseOf<Request>>(frame.body(), version));
    co_return Reply<ResponseOf<Request>>(frame.bytes, std::move(message));
  }

  // Sends a request that gets no answer (produce with acks=0).
  template <class Request>
  io::Task<Result<void>> send_only(const Request& request) {
    CO_TRY_ASSIGN(const int16_t version, version_of<Request>());
    protocol::Encoder encoded;
    CO_TRY(protocol::encode_request_frame(next_header(Request::kApiKey, version), request, encoded));
    co_return co_await send(encoded, nullptr);
  }

  // The highest version of the request that both sides know; UNSUPPORTED_VERSION: none.
  template <class Request>
  [[nodiscard]] Result<int16_t> version_of(int16_t max_version = INT16_MAX) const {
    const int16_t version = version_for(Request::kApiKey, Request::kMinVersion, std::min(Request::kMaxVersion, max_version));
    if (version >= 0) return version;
    return fail(ErrorCode::kUnsupportedVersion, address_.to_string() + " does not serve " + std::string(Request::kName));
  }

  // What the peer said of itself.
  [[nodiscard]] const protocol::ApiVersionsResponse& api_versions() const { return *versions_; }
  [[nodiscard]] bool alive() const { return !closed_; }
  [[nodiscard]] const io::Address& address() const { return address_; }
  void close();

 private:
  struct Frame {
    std::shared_ptr<uint8_t[]> bytes;  // Not cleared before something is received into them.
    size_t size = 0;
    size_t body_at = 0;
    [[nodiscard]] Bytes content() const { return {bytes.get(), size}; }
    [[nodiscard]] Bytes body() const { return content().subspan(body_at); }
  };
  struct Waiting;

  Connection(io::World world, io::Address address, ConnectionConfig config, std::unique_ptr<io::Stream> stream);
  [[nodiscard]] int16_t version_for(int16_t api_key, int16_t min_version, int16_t max_version) const;
  io::Task<Result<void>> negotiate();
  protocol::RequestHeader next_header(int16_t api_key, int16_t version);
  io::Task<Result<Frame>> exchange(const protocol::RequestHeader& header, const protocol::Encoder& frame, std::chrono::milliseconds extra_wait);
  io::Task<Result<void>> send(const protocol::Encoder& frame, Waiting* waiting);
  static io::Task<> read_frames(std::shared_ptr<Connection> self);
  io::Task<Result<Frame>> read_frame();
  io::Task<Result<void>> fill_head();
  io::Task<Result<size_t>> read_some(MutableBytes into);
  void fail_all(const Error& error);

  io::World world_;
  io::Address address_;
  ConnectionConfig config_;
  std::unique_ptr<io::Stream> stream_;
  io::Mutex writing_;
  std::vector<Waiting*> waiting_;  // In the order of sending; answers come in this order.
  int32_t next_correlation_id_ = 1;
  // What was received of the frames to come: a small answer is here as a whole after one call. After a large one no more than a length is read, as the
  // next one is large as well, and goes where it stays.
  static constexpr size_t kHeadBytes = 2048, kLengthBytes = 4;
  std::array<uint8_t, kHeadBytes> head_;
  size_t head_begin_ = 0;  // What is there and not cut off yet: [head_begin_, head_end_).
  size_t head_end_ = 0;
  bool after_large_ = false;
  bool closed_ = false;
  Error closed_why_;
  Reply<protocol::ApiVersionsResponse> versions_;
};

}  // namespace samsa::client
