#include "server/connection.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"
#include "protocol/api/fetch.h"
#include "server/node.h"
#include "server/shard.h"

namespace samsa::server {

namespace {

// An answer could not be sent. Where that is the fault of the disk that one of its slices lies on (of a log of this or of another shard), its log
// directory goes offline: here, and by LogManager::on_offline everywhere.
void take_offline_if_unreadable(storage::LogManager& logs, std::span<const io::Chunk> answer, const Error& why) {
  if (!io::is_device_error(why)) return;
  for (const io::Chunk& chunk : answer) {
    if (chunk.slice == nullptr || why.message.find(" " + chunk.slice->file->path() + ": ") == std::string::npos) continue;
    const std::string holder = io::parent_path(io::parent_path(chunk.slice->file->path()));
    const auto& directories = logs.directories();
    for (size_t i = 0; i < directories.size(); ++i) {
      // By way of a child's name, since log.dirs may end in a slash.
      if (io::parent_path(io::join_path(directories[i], "x")) == holder) logs.take_offline(static_cast<int>(i), why);
    }
  }
}

}  // namespace

Connection::Connection(Shard& shard, std::unique_ptr<io::Stream> stream, ConnectionInfo info)
    : shard_(shard),
      stream_(std::move(stream)),
      info_(std::move(info)),
      metrics_(shard.metrics().listener(info_.listener->name)),
      reader_(*stream_, shard.blocks(), shard.settings().socket_request_max_bytes),
      running_(shard.loop()),
      last_activity_(shard.loop().now()) {
  metrics_.created.add();
}

Connection::Connection(Shard& shard, std::unique_ptr<io::Stream> stream, Baggage baggage)
    : shard_(shard),
      stream_(std::move(stream)),
      info_(std::move(baggage.info)),
      metrics_(shard.metrics().listener(info_.listener->name)),
      reader_(*stream_, shard.blocks(), shard.settings().socket_request_max_bytes),
      running_(shard.loop()),
      home_(baggage.home),
      last_activity_(shard.loop().now()) {
  ++metrics_.moved_here;
  reader_.begin_with(baggage.received);
  if (baggage.fetch_session != nullptr) shard.fetch_sessions().put(std::move(baggage.fetch_session));
}

Connection::Baggage Connection::pack() {
  SAMSA_ASSERT(moves_to_ >= 0 && !std::exchange(closed_, true));
  --metrics_.moved_here;
  auto session = info_.fetch_session == 0 ? nullptr : shard_.fetch_sessions().take(info_.fetch_session);
  return {stream_->detach(), std::move(info_), reader_.take_rest(), home_, std::move(session)};
}

Connection::~Connection() { SAMSA_ASSERT(exchanges_.empty() || shard_.loop().tearing_down()); }

void Connection::close() {
  if (closed_) return;
  closed_ = true;
  metrics_.closed.add();
  stream_->close();
  changed_.notify_all();
}

void Connection::close_if_idle(io::MonoTime before) {
  if (const uint64_t received = reader_.received(); received != seen_received_) {
    seen_received_ = received;
    last_activity_ = shard_.loop().now();
  }
  if (closed_ || last_activity_ >= before) return;
  metrics_.expired.add();
  close();
}

void Connection::give_up(std::string_view why) {
  if (!closed_ && shard_.may_complain()) SAMSA_LOG_WARN("closing the connection of {} on {}: {}", info_.peer.to_string(), info_.listener->name, why);
}

// An idle connection stands in this frame alone. What it calls is not inlined, or the frames of that would be a part of this one.
io::Task<> Connection::run(std::unique_ptr<Connection> self) {
  Connection& own = *self;
  while (!own.closed_ && own.moves_to_ < 0) {
    if (own.reader_.at_boundary()) co_await own.reader_.arrival();
    if (own.closed_ || !co_await own.serve_next()) break;
    if (own.turn_.take_over()) co_await io::yield(own.shard_.loop(), io::Priority::kBulk);
    if (const int wish = own.home_.wish(); wish >= 0 && !own.closed_ && !own.muted()) co_await own.ask_to_move(wish);
  }
  // What is under way still runs to its end; its answers go out if the peer only stopped sending sense.
  co_await own.running_.join();
  if (own.closed_) own.moves_to_ = -1;
  if (own.moves_to_ < 0) own.close();
  while (!own.exchanges_.empty()) own.exchanges_.pop();
  own.shard_.has_served(std::move(self));
}

[[gnu::noinline]] io::Task<> Connection::ask_to_move(int wish) {
  home_.settle();
  Shard& there = shard_.node().shard(wish);
  auto ask = [&there, here = shard_.connection_count()]() -> io::Task<bool> { co_return there.take_room_for_another(here); };
  if (co_await io::call_on(shard_.loop(), there.loop(), ask)) moves_to_ = wish;
}

Connection::Exchange& Connection::Exchanges::push(std::unique_ptr<Exchange> exchange) {
  auto& end = first_ ? last_->next : first_;
  end = std::move(exchange);
  last_ = end.get();
  ++count_;
  return *last_;
}

void Connection::Exchanges::pop() {
  first_ = std::move(first_->next);
  --count_;
}

// Reads, starts or runs one request. False when the connection is to end.
[[gnu::noinline]] io::Task<bool> Connection::serve_next() {
  if (muted()) co_await pause();
  auto frame = co_await reader_.next();
  if (!frame) {
    if (frame.error().code == ErrorCode::kInvalidRequest || !reader_.at_boundary()) {
      give_up(frame.error().text());
    }
    co_return false;
  }
  last_activity_ = shard_.loop().now();
  turn_.count(last_activity_, frame->content.size());
  metrics_.requests.add();
  metrics_.bytes_in.add(frame->content.size() + 4);
  auto exchange = open_exchange(std::move(*frame));
  if (!exchange) co_return false;
  if (muted()) co_await pause();  // A Produce that was under way while this one was read may have asked for it.
  const bool pipelined = exchange->api->pipelined;
  while (!closed_ && !exchanges_.empty() && (!pipelined || !exchanges_.back().api->pipelined || exchanges_.size() >= kMaxInFlight)) {
    co_await changed_.wait(shard_.loop());
  }
  if (closed_) co_return false;
  Exchange& started = exchanges_.push(std::move(exchange));
  if (pipelined) {
    running_.spawn(run_exchange(started));
  } else {
    co_await run_exchange(started);
  }
  co_return !closed_;
}

std::unique_ptr<Connection::Exchange> Connection::open_exchange(Frame frame) {
  protocol::RequestHeader header;
  const auto header_size = protocol::decode_request_header(frame.content, header);
  if (!header_size) {
    give_up(header_size.error().text());
    return nullptr;
  }
  const Served* api = find_served(header.api_key);
  if (api == nullptr || !is_served(*api, header.api_version, info_.listener->controller)) {
    give_up(fmt::format("api key {} version {} is not served here", header.api_key, header.api_version));
    return nullptr;
  }
  const Bytes body = Bytes(frame.content).subspan(*header_size);
  const size_t frame_bytes = frame.content.size();
  return std::unique_ptr<Exchange>(new Exchange{
      RequestContext{.shard = shard_, .connection = info_, .header = std::move(header), .frame = std::move(frame.block),
                     .received = shard_.loop().now()},
      body, api, protocol::Encoder(), false, {}, frame_bytes, nullptr});
}

io::Task<> Connection::run_exchange(Exchange& exchange) {
  exchange.times.started = shard_.loop().now_precise();
  co_await exchange.api->serve(exchange.context, exchange.body, exchange.answer);
  exchange.times.finished = shard_.loop().now_precise();
  exchange.done = true;
  if (exchange.context.throttle_ms > 0) {
    const auto until = io::after(shard_.loop().now(), std::chrono::milliseconds(exchange.context.throttle_ms));
    if (until > muted_until_) muted_until_ = until;
  }
  if (writing_) co_return;
  // Of a client that pipelines more is under way or on its way in: their answers leave together, a round later.
  if (exchange.api->pipelined && (exchanges_.size() > 1 || !reader_.at_boundary())) {
    writing_ = true;
    co_await io::yield(shard_.loop());
  }
  co_await write_answers();
}

// Writes the answers that are due, as many as are ready in one go. One writer at a time.
io::Task<> Connection::write_answers() {
  writing_ = true;
  ChunkLists::Borrowed borrowed(shard_.chunk_lists());
  std::vector<io::Chunk>& chunks = *borrowed;
  io::MonoTime clock{};  // As last read here.
  while (!closed_ && !exchanges_.empty() && exchanges_.front().done) {
    chunks.clear();
    size_t ready = 0;
    io::MonoTime write_started = clock;
    uint64_t bytes = 0;
    bool end = false;
    bool away = false;
    for (Exchange* next = &exchanges_.front(); next != nullptr && next->done && !end; next = next->next.get()) {
      Exchange& exchange = *next;
      ++ready;
      write_started = std::max(clock, exchange.times.finished);
      end = exchange.context.close_connection;
      if (end || exchange.context.no_response) continue;
      away = away || exchange.context.ends_connection;
      metrics_.responses.add();
      exchange.answer.append_chunks(chunks);
      bytes += exchange.answer.size();
    }
    clock = write_started;
    if (!chunks.empty()) {
      if (!co_await write_in_parts(chunks)) close();
      metrics_.bytes_out.add(bytes);
      clock = shard_.loop().now_precise();
    }
    if (end || (away && ready == exchanges_.size())) close();  // What is under way is answered first.
    for (; ready > 0; --ready) {
      record(exchanges_.front(), write_started, clock);
      exchanges_.pop();
    }
    changed_.notify_all();
  }
  if (closed_) {
    // Requests that are still running keep their exchanges; what is done has nobody to go to.
    while (!exchanges_.empty() && exchanges_.front().done) exchanges_.pop();
    changed_.notify_all();
  }
  writing_ = false;
}

void Connection::record(Exchange& exchange, io::MonoTime write_started, io::MonoTime written) {
  RequestContext& context = exchange.context;
  RequestTimes& times = exchange.times;
  times.received = context.received;
  times.write_started = std::max(write_started, times.finished);
  times.written = written;
  times.waited = context.waited;
  auto slot = static_cast<size_t>(context.header.api_key);
  if (slot == protocol::FetchRequest::kApiKey) slot = context.from_follower ? ShardMetrics::kFetchFollower : ShardMetrics::kFetchConsumer;
  home_.note(context.place, shard_.index());
  RequestMetrics& metrics = shard_.metrics().requests(slot);
  metrics.count_version(context.version());
  metrics.record(times, exchange.frame_bytes, context.throttle_ms);
}

// A large answer goes out part by part, so that close_if_idle sees whether the peer takes any of it.
io::Task<bool> Connection::write_in_parts(std::span<const io::Chunk> chunks) {
  constexpr uint64_t kPart = 4 << 20;
  io::FileSlice cut[2];  // A part begins and ends at most within one chunk each.
  ChunkLists::Borrowed borrowed(shard_.chunk_lists());
  std::vector<io::Chunk>& part = *borrowed;
  uint64_t offset = 0;  // Of the first chunk that is left.
  while (!chunks.empty()) {
    part.clear();
    size_t cuts = 0;
    uint64_t room = kPart;
    while (!chunks.empty() && room > 0) {
      const io::Chunk& chunk = chunks.front();
      const uint64_t left = (chunk.slice != nullptr ? chunk.slice->length : chunk.memory.size()) - offset;
      const uint64_t take = std::min(left, room);
      if (chunk.slice == nullptr) {
        part.push_back({.memory = chunk.memory.subspan(offset, take)});
      } else if (offset == 0 && take == left) {
        part.push_back(chunk);
      } else {
        io::FileSlice& slice = cut[cuts++];
        slice = {chunk.slice->file, chunk.slice->offset + offset, take};
        part.push_back({.slice = &slice});
      }
      room -= take;
      offset = take == left ? 0 : offset + take;
      if (take == left) chunks = chunks.subspan(1);
    }
    last_activity_ = shard_.loop().now();
    if (const auto written = co_await stream_->write(part); !written) {
      if (!shard_.stopping()) take_offline_if_unreadable(shard_.logs(), part, written.error());
      co_return false;
    }
  }
  last_activity_ = shard_.loop().now();
  co_return true;
}

bool Connection::muted() const { return muted_until_ > shard_.loop().now(); }

io::Task<> Connection::pause() {
  while (!closed_ && muted()) co_await changed_.wait_until(shard_.loop(), muted_until_);
}

}  // namespace samsa::server
