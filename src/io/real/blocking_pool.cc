#include "io/real/blocking_pool.h"

#include <cerrno>
#include <csignal>

#include <sched.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

namespace samsa::io::real {
namespace {

// As ordinary threads, and of those the later ones: whoever prefers this process to others, or runs it in real time, means its shards.
void rank_below_shards() {
  constexpr int kLess = 5;
  const sched_param ordinary{};
  const int policy = ::sched_getscheduler(0);
  if (policy == SCHED_FIFO || policy == SCHED_RR) (void)::sched_setscheduler(0, SCHED_OTHER, &ordinary);
  (void)::setpriority(PRIO_PROCESS, 0, ::getpriority(PRIO_PROCESS, 0) + kLess);  // Of this thread, with Linux.
}

}  // namespace

BlockingPool::BlockingPool(size_t threads) : limit_(threads), announced_(::eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC)) {
  SAMSA_ASSERT(announced_ >= 0, "no descriptor left for a pool");
}

BlockingPool::~BlockingPool() {
  shut_down();
  ::close(announced_);
}

void BlockingPool::submit(Job& job) {
  SAMSA_ASSERT(!ended_, "work for a pool that has been shut down");
  Job* newest = submitted_.load(std::memory_order_relaxed);
  do {
    job.next_job = newest;
  } while (!submitted_.compare_exchange_weak(newest, &job));
  if (++unfinished_ > started_ && started_ < limit_) start_thread();
  announce();
}

void BlockingPool::start_thread() {
  const std::lock_guard lock(starting_);
  if (threads_.size() >= limit_) return;
  // Signals are the main thread's.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  threads_.emplace_back([this] { work(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  started_ = threads_.size();
}

void BlockingPool::announce() const {
  const uint64_t one = 1;
  while (::write(announced_, &one, sizeof one) < 0) SAMSA_ASSERT(errno == EINTR);
}

// One announcement, one job; null when the pool ends.
BlockingPool::Job* BlockingPool::next() {
  uint64_t one = 0;
  while (::read(announced_, &one, sizeof one) < 0) SAMSA_ASSERT(errno == EINTR);
  const std::lock_guard lock(taking_);
  if (first_ == nullptr) {
    for (Job* job = submitted_.exchange(nullptr); job != nullptr;) {
      Job* const older = job->next_job;
      job->next_job = first_;
      first_ = job;
      job = older;
    }
  }
  Job* const job = first_;
  if (job != nullptr) first_ = job->next_job;
  return job;
}

void BlockingPool::work() {
  rank_below_shards();
  while (Job* job = next()) {
    job->execute(*job);
    --unfinished_;
    job->loop->post_remote(static_cast<RemoteItem&>(*job));  // The job may be gone from here on.
  }
}

void BlockingPool::shut_down() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(starting_);
    ended_ = true;
    threads.swap(threads_);
  }
  // Behind the announcements of all jobs.
  for (size_t i = 0; i < threads.size(); ++i) announce();
  for (auto& thread : threads) thread.join();
}

}  // namespace samsa::io::real
