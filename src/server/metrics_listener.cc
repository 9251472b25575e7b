#include "server/metrics_listener.h"

#include <array>

#include "base/log.h"

namespace samsa::server {

namespace {
constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::string_view kPlainType = "text/plain; charset=utf-8";
}  // namespace

// One connection. Its timer closes it when it takes too long over a request or an answer.
struct MetricsListener::Client : io::Timer {
  Client(MetricsListener& owner, std::unique_ptr<io::Stream> with) : loop(owner.world_.loop), stream(std::move(with)), owner(owner) {
    fire = [](io::Timer& timer) { static_cast<Client&>(timer).stream->close(); };
    at = owner.clients_.insert(owner.clients_.end(), this);
  }
  Client(const Client&) = delete;
  ~Client() {
    if (linked()) loop.cancel_timer(*this);
    owner.clients_.erase(at);
  }
  void be_patient() {
    if (linked()) loop.cancel_timer(*this);
    deadline = loop.now() + kPatience;
    loop.add_timer(*this);
  }
  io::Loop& loop;
  std::unique_ptr<io::Stream> stream;
  MetricsListener& owner;
  std::list<Client*>::iterator at;
};

MetricsListener::MetricsListener(io::World world, std::unique_ptr<io::Listener> listener, Page page)
    : world_(world), listener_(std::move(listener)), page_(std::move(page)), tasks_(world.loop) {}

MetricsListener::~MetricsListener() = default;

void MetricsListener::start() { tasks_.spawn(accept_all()); }

io::Task<> MetricsListener::stop() {
  stopping_ = true;
  listener_->close();
  for (Client* client : clients_) client->stream->close();
  co_await tasks_.join();
}

io::Task<> MetricsListener::accept_all() {
  while (!stopping_) {
    auto accepted = co_await listener_->accept();
    if (stopping_) break;
    if (!accepted) {
      SAMSA_LOG_ERROR("cannot accept a connection on the metrics port: {}", accepted.error().text());
      co_await io::sleep_for(world_.loop, std::chrono::milliseconds(100));
    } else if (clients_.size() < kMaxClients) {
      tasks_.spawn(serve(std::move(*accepted)));
    }
  }
}

io::Task<> MetricsListener::serve(std::unique_ptr<io::AcceptedStream> accepted) {
  Client client(*this, world_.network.attach(std::move(accepted)));
  if (!stopping_) co_await talk(client);
  client.stream->close();
}

io::Task<> MetricsListener::talk(Client& client) {
  std::array<uint8_t, 2048> piece;
  std::string arrived;
  HttpRequest request;
  while (!stopping_) {
    size_t used = 0;
    const HttpRead read = read_http_request(arrived, request, used);
    if (read == HttpRead::kBad) {
      co_await send(client, 400, "not a request that is understood here\n", false, true);
      co_return;
    }
    if (read == HttpRead::kDone) {
      arrived.erase(0, used);
      client.be_patient();
      if (!co_await answer(client, request)) co_return;
      continue;
    }
    if (arrived.empty()) client.be_patient();
    const auto got = co_await client.stream->read_some(piece);
    if (!got || *got == 0) co_return;
    arrived.append(reinterpret_cast<const char*>(piece.data()), *got);
  }
}

// Whether the connection goes on.
io::Task<bool> MetricsListener::answer(Client& client, const HttpRequest& request) {
  const bool head = request.method == "HEAD";
  if (!head && request.method != "GET") {
    co_return co_await send(client, 405, "only GET\n", request.keep_alive, true, "Allow: GET, HEAD\r\n");
  }
  if (request.path() != "/metrics") co_return co_await send(client, 404, "metrics are at /metrics\n", request.keep_alive, !head);
  const std::string page = co_await page_();
  co_return co_await send(client, 200, page, request.keep_alive, !head);
}

io::Task<bool> MetricsListener::send(Client& client, int status, std::string_view body, bool keep_alive, bool with_body, std::string_view more) {
  client.be_patient();
  const std::string head = http_head(status, status == 200 ? kMetricsType : kPlainType, body.size(), keep_alive, more);
  const auto bytes = [](std::string_view text) { return Bytes(reinterpret_cast<const uint8_t*>(text.data()), text.size()); };
  const std::array<io::Chunk, 2> chunks{io::Chunk{.memory = bytes(head)}, io::Chunk{.memory = bytes(body)}};
  const auto written = co_await client.stream->write(std::span(chunks).first(with_body && !body.empty() ? 2 : 1));
  co_return written.has_value() && keep_alive;
}

}  // namespace samsa::server
