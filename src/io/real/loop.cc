#include "io/real/loop.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <utility>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/work.h"

namespace samsa::io::real {
namespace {

constexpr int kEventsPerPoll = 256;
constexpr int kTimersPerTurn = 4096;
constexpr int kRoundsPerTurn = 4;
constexpr int64_t kTurnNs = 200'000;  // A turn that has taken so long polls before its next round.
constexpr Duration kBackgroundPatience = std::chrono::milliseconds(5);  // Then background work runs beside other work.
constexpr Duration kCompany = std::chrono::milliseconds(500);
constexpr size_t kQueueSlack = 256;   // Taken items that a queue keeps before it moves the others up.

int64_t read_clock(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

}  // namespace

thread_local constinit const EpollLoop* EpollLoop::running_loop_ = nullptr;

Watch::~Watch() {
  SAMSA_ASSERT((!reader_ && !writer_) || loop_->tearing_down(), "a stream is destroyed while it is read or written");
  reader_ = writer_ = nullptr;
  if (is_open()) loop_->close_watch(*this);
}

void Watch::wake_reader() {
  if (reader_) loop_->post_behind(std::exchange(reader_, nullptr), reader_priority);
}

void Watch::wake_writer() {
  if (writer_) loop_->post_behind(std::exchange(writer_, nullptr), writer_priority);
}

EpollLoop::EpollLoop(int shard, uint64_t seed) : shard_(shard), random_(seed) {
  // A peer that went away is an error of the write, never a signal.
  static const bool ignored = std::signal(SIGPIPE, SIG_IGN) != SIG_ERR;
  SAMSA_ASSERT(ignored);
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  SAMSA_ASSERT(epoll_fd_ >= 0, "no descriptors left for a loop");
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  SAMSA_ASSERT(fd >= 0, "no descriptors left for a loop");
  open_watch(wake_watch_, fd);
  now_ = now_precise();
}

EpollLoop::~EpollLoop() {
  start_teardown();
  finish_teardown();
  close_watch(wake_watch_);
  ::close(epoll_fd_);
}

void EpollLoop::run() {
  now_ = now_precise();
  running_loop_ = this;
  while (!stopped_.load(std::memory_order_relaxed)) {
    const int timeout_ms = poll_timeout_ms();
    const int64_t before_ns = timeout_ms == 0 ? 0 : now_precise().ns;
    poll(timeout_ms);
    now_ = now_precise();
    if (timeout_ms != 0) idle_ns_ += now_.ns - before_ns;
    const int64_t turn_end = now_.ns + kTurnNs;
    run_timers();
    if (remote_.load(std::memory_order_relaxed)) run_remote(false);
    for (int i = 0; i < kRoundsPerTurn && !ready_.empty(); ++i) {
      if (i > 0) now_ = now_precise();
      if (now_.ns > turn_end) break;
      run_round();
    }
    if (!bulk_.empty()) run_one(bulk_);
    if (background_.empty()) {
      background_ran_ = now_;
    } else if ((ready_.empty() && bulk_.empty()) || now_ - background_ran_ >= kBackgroundPatience) {
      run_one(background_);
      background_ran_ = now_precise();
    }
  }
  running_loop_ = nullptr;
}

void EpollLoop::stop() {
  stopped_.store(true);
  wake();
}

void EpollLoop::start_teardown() {
  begin_teardown();
  ready_.clear();
  bulk_.clear();
  background_.clear();
  timers_.clear();
  run_remote(true);  // Before the frames that the items may live in are destroyed.
}

void EpollLoop::finish_teardown() { destroy_roots(); }

void EpollLoop::run_timers() {
  for (int i = 0; i < kTimersPerTurn; ++i) {
    Timer* timer = timers_.pop_due(now_);
    if (!timer) return;
    timer->fire(*timer);
  }
}

void EpollLoop::run_round() {
  ++round_;
  running_.swap(ready_);
  for (const auto handle : running_) handle.resume();
  running_.clear();
}

void EpollLoop::run_one(Queue& queue) {
  ++round_;
  queue.take().resume();
}

std::coroutine_handle<> EpollLoop::Queue::take() {
  const auto handle = items[at++];
  if (at == items.size()) {
    clear();
  } else if (at >= kQueueSlack) {
    items.erase(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(at));
    at = 0;
  }
  return handle;
}

void EpollLoop::Queue::clear() {
  items.clear();
  at = 0;
}

// Milliseconds until the next timer, rounded up; 0 when there is something to do, -1 to sleep until an event.
int EpollLoop::poll_timeout_ms() {
  if (has_work() || remote_.load(std::memory_order_relaxed)) return 0;
  const MonoTime earliest = timers_.earliest();
  int64_t wait_ms = -1;
  if (earliest != kNever) {
    const int64_t ns = earliest.ns - now_precise().ns;
    if (ns <= 0) return 0;
    wait_ms = std::min<int64_t>((ns + 999'999) / 1'000'000, 3'600'000);
  }
  // Who posts after this sees that the loop sleeps and wakes it; who posted before is seen here.
  sleeping_.store(true);
  if (remote_.load() || stopped_.load()) wait_ms = 0;
  return static_cast<int>(wait_ms);
}

void EpollLoop::poll(int timeout_ms) {
  epoll_event events[kEventsPerPoll];
  this_work.count(SystemCall::kPoll);
  const int count = epoll_wait(epoll_fd_, events, kEventsPerPoll, timeout_ms);
  sleeping_.store(false, std::memory_order_relaxed);
  // Nothing is resumed here, so no watch of these events can go away in between.
  for (int i = 0; i < count; ++i) {
    auto& watch = *static_cast<Watch*>(events[i].data.ptr);
    const uint32_t what = events[i].events;
    if (what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) watch.hung_up = true;
    if (what & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
      watch.readable = true;
      watch.wake_reader();
    }
    if (what & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
      watch.writable = true;
      watch.wake_writer();
    }
  }
}

void EpollLoop::post_remote(RemoteItem& item) {
  if (tearing_down()) return item.run(item, true);  // Set only once no other thread posts any more.
  if (running_loop_ != this) ++this_work.hops;
  // Not by a thread of the disk, which only brings back what this loop asked for.
  if (running_loop_ && running_loop_ != this && !asked_by_shard_.load(std::memory_order_relaxed)) asked_by_shard_.store(true, std::memory_order_relaxed);
  RemoteItem* head = remote_.load(std::memory_order_relaxed);
  do {
    item.next = head;
  } while (!remote_.compare_exchange_weak(head, &item));
  if (sleeping_.load() && sleeping_.exchange(false)) wake();
}

bool EpollLoop::has_company() {
  if (asked_by_shard_.load(std::memory_order_relaxed)) {
    asked_by_shard_.store(false, std::memory_order_relaxed);
    company_ = now_;
  }
  return now_ - company_ < kCompany;
}

void EpollLoop::wake() {
  const uint64_t one = 1;
  this_work.count(SystemCall::kWake);
  // The descriptor is edge-triggered and never read: every write is an edge. It could only fail at 2^64 - 1.
  if (::write(wake_watch_.fd(), &one, sizeof one) < 0) SAMSA_ASSERT(errno == EAGAIN);
}

void EpollLoop::run_remote(bool dropped) {
  RemoteItem* latest = remote_.exchange(nullptr);
  RemoteItem* oldest = nullptr;
  while (latest) {
    RemoteItem* next = latest->next;
    latest->next = oldest;
    oldest = latest;
    latest = next;
  }
  while (oldest) {
    RemoteItem* item = oldest;
    oldest = item->next;  // Before it runs: it may be gone or on its way back afterwards.
    item->run(*item, dropped);
  }
}

TimestampMs EpollLoop::wall_ms() const { return read_clock(CLOCK_REALTIME) / 1'000'000; }
MonoTime EpollLoop::now_precise() const { return {read_clock(CLOCK_MONOTONIC)}; }

void EpollLoop::open_watch(Watch& watch, int fd) {
  SAMSA_ASSERT(!watch.is_open());
  watch.loop_ = this;
  watch.fd_ = fd;
  watch.readable = watch.writable = true;
  watch.hung_up = false;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &watch;
  SAMSA_ASSERT(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0, "the system cannot watch another descriptor");
}

void EpollLoop::close_watch(Watch& watch) {
  if (!watch.is_open()) return;
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, watch.fd_, nullptr);
  ::close(watch.fd_);
  watch.fd_ = -1;
  watch.wake_reader();
  watch.wake_writer();
}

int EpollLoop::release_watch(Watch& watch) {
  SAMSA_ASSERT(watch.is_open() && !watch.reader_ && !watch.writer_, "a stream that is read or written stays on its loop");
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, watch.fd_, nullptr);
  return std::exchange(watch.fd_, -1);
}

WakeAt::WakeAt(EpollLoop& loop, Watch& watch, MonoTime time) : loop_(loop), watch_(watch) {
  deadline = time;
  fire = [](Timer& timer) { static_cast<WakeAt&>(timer).watch_.wake_writer(); };
  if (deadline != kNever) loop_.add_timer(*this);
}

WakeAt::~WakeAt() {
  if (linked()) loop_.cancel_timer(*this);
}

}  // namespace samsa::io::real
