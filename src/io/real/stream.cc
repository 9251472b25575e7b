#include "io/real/stream.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/real/disk.h"
#include "io/real/socket.h"
#include "io/work.h"

namespace samsa::io::real {
namespace {

constexpr uint64_t kBytesPerRound = 256 * 1024;  // Asked before a call, which may send kMostSent more.
constexpr uint32_t kCallsPerRound = 8;
constexpr uint64_t kBulkBytes = 64 * 1024;  // Moved between two waits: more makes a stream bulk work (Priority, io/loop.h).
constexpr uint64_t kSendfileFrom = 16 * 1024;  // Shorter slices are cheaper to read and send with what stands around them.
constexpr uint64_t kMostSent = 512 * 1024;     // By one sendfile; a socket with the usual buffer (socket.send.buffer.bytes) takes about half of it.
constexpr uint64_t kWakeBefore = 256 * 1024;   // A slice that is so large is worth a packet that comes before it.
constexpr size_t kGatherBytes = 64 * 1024;     // Of slices that are read for one sendmsg.
constexpr size_t kGatherPieces = 64;
constexpr uint64_t kWarmBytes = 128 * 1024;  // The system's read-ahead: what a probe of one byte vouches for.
constexpr uint64_t kKnownBytes = 1024 * 1024;  // Asked for at once, where the system can say it.
constexpr uint64_t kColdBytes = 1024 * 1024;  // What is read from the disk at a time.
constexpr uint64_t kColdStride = 64 * 1024;

// Where short slices are read before they are sent. Used within one call only, so one per thread does.
uint8_t* gather_buffer() {
  static thread_local std::unique_ptr<uint8_t[]> buffer(new uint8_t[kGatherBytes]);
  return buffer.get();
}

const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);  // At the start: later there may be no descriptor left.

// Has the system read the part as it reads any file in order, in large pages and ahead of the reader, and waits for it; nothing is copied.
// Returns how much of it is there: less where the system cannot, or the disk fails.
uint64_t read_through(int file, uint64_t at, uint64_t length) {
  auto position = static_cast<off_t>(at);
  uint64_t there = 0;
  while (file >= 0 && there < length) {
    const ssize_t n = ::sendfile(nowhere, file, &position, length - there);
    if (n <= 0) break;
    there += static_cast<uint64_t>(n);
  }
  return there;
}

// Whether the socket takes no more for now; then an edge tells when it does. Cheaper than a sendfile that sends nothing.
bool is_full(int socket) {
  pollfd asked{socket, POLLOUT, 0};
  this_work.count(SystemCall::kPoll);
  return ::poll(&asked, 1, 0) == 0;
}

// A log that is cut while a slice of it is sent: no fault of the disk (is_device_error).
Error slice_too_short(const FileSlice& slice) {
  return {ErrorCode::kKafkaStorageError, slice.file->path() + ": ends before what was to be sent of it"};
}

}  // namespace

AcceptedSocket::~AcceptedSocket() {
  if (fd_ >= 0) ::close(fd_);
}

RealStream::RealStream(EpollLoop& loop, BlockingPool& pool, int fd, Address peer) : loop_(loop), pool_(pool), peer_(std::move(peer)) {
  loop_.open_watch(watch_, fd);
  watch_.readable = false;  // The first poll says what has arrived: most often nothing yet, and who is to read need not try.
}

Task<bool> RealStream::connected(MonoTime deadline) {
  watch_.writable = false;
  const WakeAt wake_at(loop_, watch_, deadline);
  co_await ReadyAwaiter(watch_, ReadyAwaiter::For::kWrite);
  co_return watch_.writable || !watch_.is_open();
}

Address RealStream::local() const {
  SocketAddress local;
  local.size = sizeof local.storage;
  ::getsockname(watch_.fd(), reinterpret_cast<sockaddr*>(&local.storage), &local.size);
  return local.to_address();
}

std::unique_ptr<AcceptedStream> RealStream::detach() {
  if (!watch_.is_open()) return nullptr;
  return std::make_unique<AcceptedSocket>(loop_.release_watch(watch_), peer_);
}

Error RealStream::closed() const { return {ErrorCode::kNetworkException, "the connection with " + peer_.to_string() + " is closed"}; }

bool RealStream::spent(Budget& budget) const {
  if (budget.round == loop_.round()) return budget.bytes >= kBytesPerRound || budget.calls >= kCallsPerRound;
  budget.round = loop_.round();
  budget.bytes = budget.calls = 0;
  return false;
}

Priority RealStream::priority_after(Budget& budget) {
  const Priority priority = budget.since_wait >= kBulkBytes ? Priority::kBulk : Priority::kNow;
  budget.since_wait = 0;
  return priority;
}

Task<Result<size_t>> RealStream::read_some(MutableBytes into) {
  SAMSA_ASSERT(!into.empty(), "no room to read into would look like the end of the stream");
  while (watch_.is_open()) {
    if (!watch_.readable) {
      watch_.reader_priority = priority_after(reads_);
      co_await ReadyAwaiter(watch_, ReadyAwaiter::For::kRead);
      continue;
    }
    if (spent(reads_)) {
      co_await yield(loop_, Priority::kBulk);
      continue;
    }
    this_work.count(SystemCall::kReceive);
    const ssize_t n = ::recv(watch_.fd(), into.data(), into.size(), 0);
    if (n >= 0) {
      const auto read = static_cast<size_t>(n);
      // A short read has emptied the socket; what comes later is a new edge.
      if (read < into.size() && !watch_.hung_up) watch_.readable = false;
      loop_.note_reader(watch_);
      reads_.bytes += read;
      reads_.since_wait += read;
      ++reads_.calls;
      co_return read;
    }
    if (errno == EAGAIN) {
      watch_.readable = false;
    } else if (errno != EINTR) {
      co_return fail(network_error("read from", peer_.to_string(), errno));
    }
  }
  co_return fail(closed());
}

void RealStream::resume_when_readable(std::coroutine_handle<> reader) {
  watch_.reader_priority = priority_after(reads_);
  ReadyAwaiter(watch_, ReadyAwaiter::For::kRead).await_suspend(reader);
}

Task<Result<void>> RealStream::write(std::span<const Chunk> chunks) {
  Cursor cursor{chunks};
  cursor.advance(0);
  Error error;
  while (!cursor.chunks.empty()) {
    if (!watch_.is_open()) co_return fail(closed());
    if (!watch_.writable) {
      watch_.writer_priority = priority_after(writes_);
      co_await ReadyAwaiter(watch_, ReadyAwaiter::For::kWrite);
      continue;
    }
    if (spent(writes_)) {
      co_await yield(loop_, Priority::kBulk);
      continue;
    }
    switch (send_step(cursor, error)) {
      case Step::kSent:
        break;
      case Step::kWouldBlock:
        watch_.writable = false;
        break;
      case Step::kCold:
        if (auto warmed = co_await warm(cursor); !warmed) co_return warmed;
        break;
      case Step::kFailed:
        co_return fail(std::move(error));
    }
  }
  co_return {};
}

void RealStream::Cursor::advance(uint64_t bytes) {
  while (!chunks.empty()) {
    const uint64_t step = std::min(bytes, left());
    offset += step;
    bytes -= step;
    if (left() > 0) return;
    chunks = chunks.subspan(1);
    offset = cached_until = 0;
    goes_on = false;
  }
}

RealStream::Step RealStream::send_step(Cursor& cursor, Error& error) {
  const Chunk& front = cursor.chunks[0];
  const bool whole_file = front.slice && cursor.left() >= kSendfileFrom && front.slice->file->native_handle() >= 0;
  return whole_file ? send_file(cursor, error) : send_gathered(cursor, error);
}

// Whether the next bytes of the slice are in the page cache. The system is asked for the next megabyte at once. Where it cannot say, or not all of that
// is there, and for what lies behind it, pieces are looked for one at a time, before all that is known of has been sent: a piece's last byte vouches
// for it where the piece before was there.
bool RealStream::look_ahead(Cursor& cursor) {
  const FileSlice& slice = *cursor.chunks[0].slice;
  const int file = slice.file->native_handle();
  const auto is_missing = [&](uint64_t offset) { return is_cached(file, slice.offset + offset) == Cached::kNo; };
  uint64_t& until = cursor.cached_until;
  if (until <= cursor.offset) {
    const uint64_t all = std::min(cursor.offset + kKnownBytes, slice.length);
    if (are_cached(file, slice.offset + cursor.offset, all - cursor.offset) && !is_missing(all - 1)) {
      until = all;
      cursor.goes_on = true;
      return true;
    }
    if (!cursor.goes_on && is_missing(cursor.offset)) return false;
    until = cursor.offset;
  }
  if (until - cursor.offset >= kWarmBytes || until == slice.length) return true;
  const uint64_t end = std::min(until + kWarmBytes, slice.length);
  if (is_missing(end - 1)) return until > cursor.offset;
  until = end;
  cursor.goes_on = true;
  return true;
}

RealStream::Step RealStream::send_file(Cursor& cursor, Error& error) {
  const FileSlice& slice = *cursor.chunks[0].slice;
  const int file = slice.file->native_handle();
  if (!look_ahead(cursor)) return Step::kCold;
  auto at = static_cast<off_t>(slice.offset + cursor.offset);
  const uint64_t length = std::min(cursor.cached_until - cursor.offset, kMostSent);
  this_work.count(SystemCall::kSendFile);
  const ssize_t n = ::sendfile(watch_.fd(), file, &at, length);
  if (n > 0) {
    count_written(static_cast<uint64_t>(n));
    cursor.advance(static_cast<uint64_t>(n));
    return static_cast<uint64_t>(n) < length && is_full(watch_.fd()) ? Step::kWouldBlock : Step::kSent;
  }
  if (n < 0 && errno == EAGAIN) return Step::kWouldBlock;
  if (n < 0 && errno == EINTR) return Step::kSent;
  error = n == 0 ? slice_too_short(slice) : sendfile_error(slice, cursor.offset, errno);
  return Step::kFailed;
}

// The call does not say which side failed: the file is asked.
Error RealStream::sendfile_error(const FileSlice& slice, uint64_t offset, int error) const {
  uint8_t byte[1];
  const bool of_the_peer = error == EPIPE || error == ECONNRESET || error == ETIMEDOUT;
  auto read = of_the_peer ? Result<size_t>(1) : slice.file->read_at(byte, slice.offset + offset);
  return read ? network_error("send to", peer_.to_string(), error) : std::move(read).error();
}

// Reads what of the slice fits, without waiting for the disk unless `warmed`. False: it must be warmed first.
bool RealStream::gather_slice(const FileSlice& slice, uint64_t offset, MutableBytes into, bool warmed, Result<size_t>& read) {
  const int file = slice.file->native_handle();
  if (file >= 0 && !warmed) {
    const iovec piece{into.data(), into.size()};
    this_work.count(SystemCall::kRead);
    const ssize_t n = ::preadv2(file, &piece, 1, static_cast<off_t>(slice.offset + offset), RWF_NOWAIT);
    if (n == static_cast<ssize_t>(into.size())) {
      read = into.size();
      return true;
    }
    if (n > 0 || (n < 0 && errno == EAGAIN)) return false;
  }
  read = slice.file->read_at(into, slice.offset + offset);
  return true;
}

RealStream::Step RealStream::send_gathered(Cursor& cursor, Error& error) {
  iovec pieces[kGatherPieces];
  size_t count = 0;
  size_t gathered = 0;
  bool more = false;  // Whether the rest follows in another call.
  Cursor look = cursor;
  while (!look.chunks.empty() && !more) {
    const Chunk& chunk = look.chunks[0];
    if (!chunk.slice) {
      pieces[count++] = {const_cast<uint8_t*>(chunk.memory.data() + look.offset), look.left()};
      look.advance(look.left());
    } else {
      const bool by_sendfile = look.left() >= kSendfileFrom && chunk.slice->file->native_handle() >= 0;
      const size_t part = std::min<uint64_t>(look.left(), kGatherBytes - gathered);
      if (by_sendfile || part == 0) {
        more = true;
        break;
      }
      uint8_t* to = gather_buffer() + gathered;
      this_work.copied_bytes += part;
      Result<size_t> read = size_t{0};
      if (!gather_slice(*chunk.slice, look.offset, {to, part}, look.offset < look.cached_until, read)) {
        if (count == 0) return Step::kCold;
        more = true;
        break;
      }
      if (!read || *read != part) {
        error = read ? slice_too_short(*chunk.slice) : std::move(read).error();
        return Step::kFailed;
      }
      pieces[count++] = {to, part};
      gathered += part;
      look.advance(part);
    }
    more = count == kGatherPieces && !look.chunks.empty();
  }
  // What precedes a large slice wakes the receiver, who is there when the slice comes; what precedes a short one goes in one packet with it.
  if (more && look.chunks[0].slice && look.offset == 0 && look.left() >= kWakeBefore) more = false;
  return send_pieces(cursor, {pieces, count}, more, error);
}

RealStream::Step RealStream::send_pieces(Cursor& cursor, std::span<iovec> pieces, bool more, Error& error) {
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  this_work.count(SystemCall::kSend);
  const ssize_t n = ::sendmsg(watch_.fd(), &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
  if (n >= 0) {
    count_written(static_cast<uint64_t>(n));
    cursor.advance(static_cast<uint64_t>(n));
    return Step::kSent;
  }
  if (errno == EAGAIN) return Step::kWouldBlock;
  if (errno == EINTR) return Step::kSent;
  error = network_error("send to", peer_.to_string(), errno);
  return Step::kFailed;
}

Task<Result<void>> RealStream::warm(Cursor& cursor) {
  const FileSlice& slice = *cursor.chunks[0].slice;
  const uint64_t at = slice.offset + cursor.offset;
  const uint64_t length = std::min(cursor.left(), kColdBytes);
  cursor.cached_until = cursor.offset + length;
  cursor.goes_on = false;
  co_return co_await pool_.run(loop_, [&slice, at, length]() -> Result<void> {
    uint8_t byte[1];
    for (uint64_t offset = read_through(slice.file->native_handle(), at, length); offset < length; offset += kColdStride) {
      TRY(slice.file->read_at(byte, at + offset));
    }
    TRY(slice.file->read_at(byte, at + length - 1));
    return {};
  });
}

}  // namespace samsa::io::real
