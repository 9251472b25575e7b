#include "client/connection.h"

#include <fmt/format.h>

#include <utility>

#include "io/work.h"

namespace samsa::client {
namespace {
// No answer of a sane broker is larger; a stranger's first four bytes often say so.
constexpr int32_t kMaxFrameBytes = 512 << 20;
}  // namespace

// One request under way; lives in the frame of who asked, and leaves the row with it (a loop that is torn down destroys frames).
struct Connection::Waiting {
  ~Waiting() {
    if (in) std::erase(in->waiting_, this);
  }
  int32_t correlation_id;
  int16_t api_key;
  int16_t version;
  io::Signal arrived;
  bool done = false;
  Result<Frame> frame = Frame{};
  Connection* in = nullptr;  // Whose row it stands in.
};

Connection::Connection(io::World world, io::Address address, ConnectionConfig config, std::unique_ptr<io::Stream> stream)
    : world_(world), address_(std::move(address)), config_(std::move(config)), stream_(std::move(stream)) {}

Connection::~Connection() { close(); }

io::Task<Result<std::shared_ptr<Connection>>> Connection::open(io::World world, io::Address address, ConnectionConfig config) {
  CO_TRY_ASSIGN(auto stream, co_await world.network.connect(address, config.connect_timeout));
  std::shared_ptr<Connection> connection(new Connection(world, std::move(address), std::move(config), std::move(stream)));
  io::spawn(world.loop, read_frames(connection));
  const auto negotiated = co_await connection->negotiate();
  if (!negotiated) {
    connection->close();
    co_return fail(negotiated.error());
  }
  co_return connection;
}

io::Task<Result<void>> Connection::negotiate() {
  protocol::ApiVersionsRequest request;
  request.client_software_name = config_.software_name;
  request.client_software_version = config_.software_version;
  for (const int16_t version : {int16_t{4}, int16_t{3}, int16_t{0}}) {
    const protocol::RequestHeader header = next_header(protocol::ApiVersionsRequest::kApiKey, version);
    protocol::Encoder encoded;
    CO_TRY(protocol::encode_request_frame(header, request, encoded));
    CO_TRY_ASSIGN(const Frame frame, co_await exchange(header, encoded, {}));
    // A peer that does not know the version answers in the schema of version 0 (KIP-511).
    const Bytes answer_bytes = frame.body();
    if (answer_bytes.size() >= 2 && load_be<int16_t>(answer_bytes.data()) == protocol::to_wire(ErrorCode::kUnsupportedVersion)) continue;
    CO_TRY_ASSIGN(auto answer, protocol::decode<protocol::ApiVersionsResponse>(answer_bytes, version));
    if (answer.error_code != 0) co_return fail(error_from_wire(answer.error_code), "ApiVersions was refused by " + address_.to_string());
    versions_ = {frame.bytes, std::move(answer)};
    co_return Result<void>{};
  }
  co_return fail(ErrorCode::kUnsupportedVersion, address_.to_string() + " serves no version of ApiVersions that is known here");
}

int16_t Connection::version_for(int16_t api_key, int16_t min_version, int16_t max_version) const {
  for (const auto& api : versions_->api_keys) {
    if (api.api_key != api_key) continue;
    const int16_t highest = std::min(max_version, api.max_version);
    return highest >= std::max(min_version, api.min_version) ? highest : int16_t{-1};
  }
  return -1;
}

protocol::RequestHeader Connection::next_header(int16_t api_key, int16_t version) {
  protocol::RequestHeader header;
  header.api_key = api_key;
  header.api_version = version;
  header.correlation_id = next_correlation_id_++;
  header.client_id = protocol::Text::view_of(config_.client_id);
  return header;
}

io::Task<Result<Connection::Frame>> Connection::exchange(const protocol::RequestHeader& header, const protocol::Encoder& frame,
                                                         std::chrono::milliseconds extra_wait) {
  const auto allowed = config_.request_timeout + extra_wait;
  const auto deadline = io::after(world_.loop.now(), allowed);
  Waiting waiting{header.correlation_id, header.api_key, header.api_version, {}, false, Frame{}};
  const auto sent = co_await send(frame, &waiting);
  if (!sent) co_return fail(sent.error());
  while (!waiting.done) {
    const bool notified = co_await waiting.arrived.wait_until(world_.loop, deadline);
    if (waiting.done || notified) continue;
    close();
    co_return fail(ErrorCode::kRequestTimedOut, fmt::format("{} did not answer within {} ms", address_.to_string(), allowed.count()));
  }
  co_return std::move(waiting.frame);
}

io::Task<Result<void>> Connection::send(const protocol::Encoder& frame, Waiting* waiting) {
  auto held = co_await writing_.lock(world_.loop);
  if (closed_) co_return fail(closed_why_);
  const auto chunks = frame.chunks();
  if (waiting) {
    waiting->in = this;
    waiting_.push_back(waiting);
  }
  const auto written = co_await stream_->write(chunks);
  if (written) co_return Result<void>{};
  fail_all(written.error());
  co_return fail(written.error());
}

io::Task<Result<size_t>> Connection::read_some(MutableBytes into) {
  CO_TRY_ASSIGN(const size_t n, co_await stream_->read_some(into));
  if (n == 0) co_return fail(ErrorCode::kNetworkException, address_.to_string() + " closed the connection");
  co_return n;
}

io::Task<Result<void>> Connection::fill_head() {
  const size_t have = head_end_ - head_begin_;
  if (head_begin_ > 0) {
    std::copy(head_.data() + head_begin_, head_.data() + head_end_, head_.data());
    io::this_work.copied_bytes += have;
    head_begin_ = 0;
    head_end_ = have;
  }
  const size_t room = after_large_ ? kLengthBytes - have : kHeadBytes - have;
  CO_TRY_ASSIGN(const size_t n, co_await read_some(MutableBytes(head_).subspan(have, room)));
  head_end_ += n;
  co_return Result<void>{};
}

io::Task<Result<Connection::Frame>> Connection::read_frame() {
  while (head_end_ - head_begin_ < kLengthBytes) CO_TRY(co_await fill_head());
  const auto announced = load_be<int32_t>(head_.data() + head_begin_);
  if (announced < 4 || announced > kMaxFrameBytes) {
    co_return fail(ErrorCode::kNetworkException, fmt::format("{} sent a frame of {} bytes: not a Kafka broker", address_.to_string(), announced));
  }
  head_begin_ += kLengthBytes;
  // Room for the next frame's length is offered too: a read that does not fill it has emptied the socket, and nobody has to ask again.
  const auto size = static_cast<size_t>(announced);
  Frame frame{std::make_shared_for_overwrite<uint8_t[]>(size + kLengthBytes), size};
  const MutableBytes into(frame.bytes.get(), size + kLengthBytes);
  size_t filled = std::min(size, head_end_ - head_begin_);
  std::ranges::copy(MutableBytes(head_).subspan(head_begin_, filled), into.data());
  io::this_work.copied_bytes += filled;
  head_begin_ += filled;
  after_large_ = size + kLengthBytes > kHeadBytes;
  if (filled == size) co_return frame;
  while (filled < size) {
    CO_TRY_ASSIGN(const size_t n, co_await read_some(into.subspan(filled)));
    filled += n;
  }
  head_begin_ = 0;
  head_end_ = filled - size;
  std::ranges::copy(into.subspan(size, head_end_), head_.data());
  co_return frame;
}

io::Task<> Connection::read_frames(std::shared_ptr<Connection> self) {
  while (!self->closed_) {
    auto frame = co_await self->read_frame();
    if (!frame) {
      self->fail_all(frame.error());
      co_return;
    }
    if (self->waiting_.empty()) continue;  // The one who asked gave up.
    Waiting& next = *self->waiting_.front();
    int32_t correlation_id = 0;
    const auto body_at = protocol::decode_response_header(frame->content(), next.api_key, next.version, correlation_id);
    if (!body_at || correlation_id != next.correlation_id) {
      self->fail_all({ErrorCode::kNetworkException, self->address_.to_string() + " answered out of order"});
      co_return;
    }
    self->waiting_.erase(self->waiting_.begin());
    next.in = nullptr;
    frame->body_at = *body_at;
    next.frame = std::move(*frame);
    next.done = true;
    next.arrived.notify_all();
  }
}

void Connection::fail_all(const Error& error) {
  if (!closed_) closed_why_ = error;
  closed_ = true;
  stream_->close();
  for (Waiting* waiting : std::exchange(waiting_, {})) {
    waiting->in = nullptr;
    waiting->frame = fail(error);
    waiting->done = true;
    waiting->arrived.notify_all();
  }
}

void Connection::close() {
  if (!closed_) fail_all({ErrorCode::kNetworkException, "the connection to " + address_.to_string() + " was closed"});
}

}  // namespace samsa::client
