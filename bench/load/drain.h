// Drain: a consumer's connection that costs next to nothing. Of an answer to Fetch the heads of partitions and batches are read; the
// records between them are dropped by the system where they arrived (MSG_TRUNC of tcp(7)), so that a load of it shows what a broker can
// send and not what a client can take. One request is under way at a time. Any trouble ends the program: a load generator has nobody to
// tell.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include <sched.h>
#include <sys/socket.h>

#include "base/varint.h"
#include "io/real/loop.h"
#include "io/real/stream.h"
#include "io/world.h"
#include "protocol/api/api_versions.h"
#include "protocol/codec.h"
#include "protocol/headers.h"
#include "protocol/record_batch.h"

namespace samsa {

[[noreturn]] inline void die(const std::string& why) {
  std::fprintf(stderr, "wireload: %s\n", why.c_str());
  std::exit(1);
}

class Drain {
 public:
  // What an answer says of a partition.
  struct Partition {
    int32_t index = 0;
    int16_t error_code = 0;
  };

  // `alone`: there are no other drains.
  static io::Task<std::unique_ptr<Drain>> open(io::World world, io::Address address, bool alone) {
    auto stream = co_await world.network.connect(address, std::chrono::seconds(10));
    if (!stream) die("cannot connect: " + stream.error().text());
    auto socket = (*stream)->detach();
    if (!socket) die("cannot connect: the connection was closed");
    auto drain = std::unique_ptr<Drain>(
        new Drain(static_cast<io::real::EpollLoop&>(world.loop), static_cast<io::real::AcceptedSocket&>(*socket).release(), alone));
    // As every client begins. Its answer says that the connection was accepted: a broker's queue of those that are not yet is short.
    drain->send(protocol::ApiVersionsRequest(), 0);
    co_await drain->next_frame();
    co_await drain->pass(drain->left_);
    co_return drain;
  }
  ~Drain() { loop_.close_watch(watch_); }
  Drain(const Drain&) = delete;

  // A request is small beside a socket's buffer.
  template <class Request>
  void send(const Request& request, int16_t version) {
    protocol::RequestHeader header;
    header.api_key = Request::kApiKey;
    header.api_version = version;
    header.correlation_id = ++correlation_id_;
    header.client_id = protocol::Text::view_of("wireload");
    protocol::Encoder frame;
    if (!protocol::encode_request_frame(header, request, frame)) die("a request cannot be encoded");
    const Buffer bytes = frame.take();
    if (::send(watch_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
      die("a request of " + std::to_string(bytes.size()) + " bytes could not be sent at once");
  }

  // Reads one answer to Fetch of version 13 or later; gives its error code. `on_batch(partition, header)` is called for each whole batch,
  // `on_partition(partition)` for each partition before.
  template <class OnPartition, class OnBatch>
  io::Task<int16_t> read_fetch(OnPartition on_partition, OnBatch on_batch) {
    co_await next_frame();
    Head head = co_await look();
    head.skip(4);  // The length.
    if (head.number<int32_t>() != correlation_id_) die("an answer to another request");
    head.tags();
    head.skip(4);  // How long the answer was throttled.
    const auto error_code = head.number<int16_t>();
    head.skip(4);  // The session.
    uint64_t topics = head.count();
    co_await pass(head.used());
    for (; topics > 0; --topics) {
      head = co_await look();
      head.skip(16);  // The topic's id.
      uint64_t partitions = head.count();
      co_await pass(head.used());
      for (; partitions > 0; --partitions) {
        head = co_await look();
        const Partition partition = {head.number<int32_t>(), head.number<int16_t>()};
        on_partition(partition);
        head.skip(24);  // The high watermark, the last stable offset, the start of the log.
        if (head.count() != 0) die("an answer with aborted transactions");
        head.skip(4);  // The replica to ask instead.
        uint64_t records = head.count();
        co_await pass(head.used());
        while (records >= protocol::kBatchHeaderSize) {
          head = co_await look();
          const protocol::BatchHeader batch(head.bytes(protocol::kBatchHeaderSize).data());
          const auto size = static_cast<uint64_t>(batch.size());
          if (batch.magic() != 2 || size < protocol::kBatchHeaderSize) die("an answer with a broken batch");
          if (size > records) break;  // Cut off at the end of the answer.
          on_batch(partition, batch);
          co_await pass(size);
          records -= size;
        }
        co_await pass(records);
        head = co_await look();
        head.tags();
        co_await pass(head.used());
      }
      head = co_await look();
      head.tags();
      co_await pass(head.used());
    }
    co_await pass(left_);  // Tagged fields.
    co_return error_code;
  }

 private:
  // A few fields at the front of what is to come.
  class Head {
   public:
    explicit Head(Bytes all) : all_(all) {}
    template <class T>
    T number() {
      return load_be<T>(bytes(sizeof(T)).data());
    }
    void skip(size_t size) { bytes(size); }
    uint64_t uvarint() {
      const auto read = read_uvarint32(all_.subspan(used_));
      if (read.size == 0) die("an answer that ends too early");
      used_ += read.size;
      return read.value;
    }
    // Of an array, or the length of records; 0 for null.
    uint64_t count() { return std::max<uint64_t>(1, uvarint()) - 1; }
    void tags() {
      for (uint64_t tags = uvarint(); tags > 0; --tags) {
        uvarint();
        skip(uvarint());
      }
    }
    Bytes bytes(size_t size) {
      if (size > all_.size() - used_) die("an answer that ends too early, or with fields that are too large");
      used_ += size;
      return all_.subspan(used_ - size, size);
    }
    [[nodiscard]] size_t used() const { return used_; }

   private:
    Bytes all_;
    size_t used_ = 0;
  };

  Drain(io::real::EpollLoop& loop, int fd, bool alone) : alone_(alone), loop_(loop) { loop_.open_watch(watch_, fd); }

  io::Task<> next_frame() {
    left_ = sizeof(int32_t);
    Head head = co_await look();
    left_ += static_cast<size_t>(head.number<int32_t>());
  }

  // The front of what is to come: all that is left of the answer, or as much as the fields of a partition and a batch may need. What
  // arrived is of this answer, as there is no other request.
  io::Task<Head> look() {
    const size_t wanted = std::min(left_, ahead_.size());
    if (have_ < wanted && at_ > 0) {
      std::memmove(ahead_.data(), ahead_.data() + at_, have_);
      at_ = 0;
    }
    while (have_ < wanted) have_ += co_await receive(ahead_.data() + have_, ahead_.size() - have_, 0);
    co_return Head(Bytes(ahead_.data() + at_, have_));
  }

  io::Task<> pass(size_t bytes) {
    if (bytes > left_) die("an answer that is longer than it says");
    left_ -= bytes;
    const size_t seen = std::min(bytes, have_);
    at_ += seen;
    have_ -= seen;
    for (bytes -= seen; bytes > 0;) bytes -= co_await receive(nullptr, bytes, MSG_TRUNC);
  }

  // Who reads so quickly would sleep between any two pieces, and a broker on the same machine pay for each waking: an interrupt to an idle
  // processor. So it stays awake for as long as pieces come, and lets others go first. Where there are several drains one of them nearly always
  // has something to read; when none has, the processor is left to the broker, which may have threads that wait for one.
  io::Task<> arrival() {
    if (alone_) {
      for (const io::MonoTime until = loop_.now_precise() + kAwake; !watch_.readable && loop_.now_precise() < until;) {
        ::sched_yield();
        co_await io::yield(loop_);
      }
    }
    co_await io::real::ReadyAwaiter(watch_, io::real::ReadyAwaiter::For::kRead);
  }

  io::Task<size_t> receive(uint8_t* into, size_t size, int flags) {
    while (true) {
      if (!watch_.readable) co_await arrival();
      const ssize_t n = ::recv(watch_.fd(), into, size, flags);
      if (n == 0) die("the broker closed a connection");
      if (n > 0 && static_cast<size_t>(n) < size && !watch_.hung_up) watch_.readable = false;
      if (n > 0) co_return static_cast<size_t>(n);
      if (errno != EAGAIN && errno != EINTR) die(std::string("cannot read: ") + std::strerror(errno));
      if (errno == EAGAIN) watch_.readable = false;
    }
  }

  static constexpr std::chrono::microseconds kAwake{50};

  const bool alone_;
  io::real::EpollLoop& loop_;
  io::real::Watch watch_;
  int32_t correlation_id_ = 0;  // Of the request under way.
  size_t left_ = 0;             // Of the answer.
  std::array<uint8_t, 256> ahead_;
  size_t at_ = 0;  // What of it is seen but not passed: [at_, at_ + have_).
  size_t have_ = 0;
};

}  // namespace samsa
