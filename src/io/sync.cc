#include "io/sync.h"

namespace samsa::io {

Signal::~Signal() {
  for (Waiter* waiter = head_; waiter;) {
    Waiter* next = waiter->next_;
    waiter->signal_ = nullptr;
    waiter->previous_ = waiter->next_ = nullptr;
    waiter = next;
  }
}

Signal::Waiter Signal::wait_until(Loop& loop, MonoTime deadline) { return {*this, loop, deadline}; }
Signal::Waiter Signal::wait(Loop& loop) { return {*this, loop, kNever}; }

void Signal::notify_one() {
  Waiter* waiter = head_;
  if (!waiter) return;
  unlink(*waiter);
  waiter->notified_ = true;
  if (waiter->linked()) waiter->loop_.cancel_timer(*waiter);
  waiter->loop_.post(waiter->handle_);
}

void Signal::notify_all() {
  // A waiter resumes through the loop, so none can come in between.
  while (head_) notify_one();
}

void Signal::unlink(Waiter& waiter) {
  (waiter.previous_ ? waiter.previous_->next_ : head_) = waiter.next_;
  (waiter.next_ ? waiter.next_->previous_ : tail_) = waiter.previous_;
  waiter.previous_ = waiter.next_ = nullptr;
  waiter.signal_ = nullptr;
}

Signal::Waiter::~Waiter() {
  if (linked()) loop_.cancel_timer(*this);
  if (signal_ && handle_) signal_->unlink(*this);
}

void Signal::Waiter::await_suspend(std::coroutine_handle<> handle) {
  handle_ = handle;
  previous_ = signal_->tail_;
  (previous_ ? previous_->next_ : signal_->head_) = this;
  signal_->tail_ = this;
  if (deadline == kNever) return;
  fire = [](Timer& timer) {
    auto& self = static_cast<Waiter&>(timer);
    if (self.signal_) self.signal_->unlink(self);
    self.handle_.resume();
  };
  loop_.add_timer(*this);
}

Task<Mutex::Held> Mutex::lock(Loop& loop) {
  if (locked_) {
    co_await free_.wait(loop);  // Whoever releases hands the lock over: it stays locked meanwhile.
  } else {
    locked_ = true;
  }
  co_return Held(this);
}

void Mutex::Held::release() {
  Mutex* mutex = std::exchange(mutex_, nullptr);
  if (!mutex) return;
  if (mutex->free_.has_waiters()) {
    mutex->free_.notify_one();
  } else {
    mutex->locked_ = false;
  }
}

TaskGroup::Member::Member(TaskGroup* group) : group(group), next(group->first_) {
  if (next) next->previous = this;
  group->first_ = this;
  ++group->running_;
}

TaskGroup::Member::~Member() {
  if (!group) return;
  (previous ? previous->next : group->first_) = next;
  if (next) next->previous = previous;
  if (--group->running_ == 0) group->ended_.notify_all();
}

TaskGroup::~TaskGroup() {
  SAMSA_ASSERT(running_ == 0 || loop_.tearing_down(), "tasks of the group still run");
  for (Member* member = first_; member; member = member->next) member->group = nullptr;
}

detail::Root TaskGroup::run(Loop& loop, TaskGroup* group, Task<> task) {
  const Member member(group);  // Counted at once; the task itself starts in a later step.
  co_await yield(loop);
  co_await std::move(task);
}

void TaskGroup::spawn(Task<> task) {
  if (!loop_.tearing_down()) run(loop_, this, std::move(task)).handle.resume();
}

Task<> TaskGroup::join() {
  while (running_ > 0) co_await ended_.wait(loop_);
}

}  // namespace samsa::io
