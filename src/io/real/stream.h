// RealStream: one connected socket on its shard's loop. See real/network.h.
#pragma once

#include <memory>
#include <utility>

#include <sys/uio.h>

#include "io/network.h"
#include "io/real/blocking_pool.h"
#include "io/real/loop.h"

namespace samsa::io::real {

class AcceptedSocket final : public AcceptedStream {
 public:
  // Takes the descriptor over.
  AcceptedSocket(int fd, Address peer) : fd_(fd), peer_(std::move(peer)) {}
  AcceptedSocket(const AcceptedSocket&) = delete;
  ~AcceptedSocket() override;
  int release() { return std::exchange(fd_, -1); }
  [[nodiscard]] Address peer() const override { return peer_; }

 private:
  int fd_;
  const Address peer_;
};

class RealStream final : public Stream {
 public:
  // Takes the descriptor over.
  RealStream(EpollLoop& loop, BlockingPool& pool, int fd, Address peer);

  // Waits until a connect that is under way has an outcome; false when the deadline came first.
  Task<bool> connected(MonoTime deadline);

  Task<Result<size_t>> read_some(MutableBytes into) override;
  [[nodiscard]] bool may_read() const override { return watch_.readable || !watch_.is_open(); }
  Task<Result<void>> write(std::span<const Chunk> chunks) override;
  void close() override { loop_.close_watch(watch_); }
  std::unique_ptr<AcceptedStream> detach() override;
  [[nodiscard]] const Address& peer() const override { return peer_; }
  [[nodiscard]] Address local() const override;

 private:
  // How far a write has come.
  struct Cursor {
    std::span<const Chunk> chunks;
    uint64_t offset = 0;        // Bytes of chunks[0] that have been sent.
    uint64_t cached_until = 0;  // Bytes of chunks[0] that were seen in the page cache, or read into it.
    bool goes_on = false;       // What precedes cached_until was seen there a moment ago.
    [[nodiscard]] uint64_t left() const { return (chunks[0].slice ? chunks[0].slice->length : chunks[0].memory.size()) - offset; }
    void advance(uint64_t bytes);
  };
  enum class Step { kSent, kWouldBlock, kCold, kFailed };
  // How many bytes or calls a direction has moved in this round of the loop.
  struct Budget {
    uint64_t round = 0;
    uint64_t bytes = 0;
    uint64_t since_wait = 0;  // Bytes since it last had to wait.
    uint32_t calls = 0;
  };
  void resume_when_readable(std::coroutine_handle<> reader) override;
  [[nodiscard]] bool spent(Budget& budget) const;
  // Before a wait: who moved much since the last one is woken behind the others.
  static Priority priority_after(Budget& budget);
  void count_written(uint64_t bytes) {
    writes_.bytes += bytes;
    writes_.since_wait += bytes;
    ++writes_.calls;
  }
  Step send_step(Cursor& cursor, Error& error);
  static bool look_ahead(Cursor& cursor);
  Step send_file(Cursor& cursor, Error& error);
  Step send_gathered(Cursor& cursor, Error& error);
  Step send_pieces(Cursor& cursor, std::span<iovec> pieces, bool more, Error& error);
  static bool gather_slice(const FileSlice& slice, uint64_t offset, MutableBytes into, bool warmed, Result<size_t>& read);
  [[nodiscard]] Error sendfile_error(const FileSlice& slice, uint64_t offset, int error) const;
  // Reads the next part of the slice at the cursor on the pool, so that it is in the page cache.
  Task<Result<void>> warm(Cursor& cursor);
  [[nodiscard]] Error closed() const;

  EpollLoop& loop_;
  BlockingPool& pool_;
  Watch watch_;
  const Address peer_;
  Budget reads_;
  Budget writes_;
};

}  // namespace samsa::io::real
