// For tests: a loop whose time stands still until it is told, a log in memory, and a group coordinator on both.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "coordinator/group/coordinator.h"
#include "coordinator/group/machine.h"
#include "io/sync.h"
#include "protocol/codec.h"
#include "protocol/record_batch.h"

namespace samsa::coordinator::testing {

using namespace std::chrono_literals;

class ManualLoop final : public io::Loop {
 public:
  static constexpr TimestampMs kStartMs = 1'700'000'000'000;

  explicit ManualLoop(uint64_t seed = 1) : random_(seed) {}
  ~ManualLoop() override { stop(); }
  // Destroys what is still suspended; first thing in the destructor of who uses the loop.
  void stop() {
    begin_teardown();
    destroy_roots();
    ready_.clear();
    for (io::RemoteItem* item : std::exchange(items_, {})) item->run(*item, true);
  }
  void post(std::coroutine_handle<> handle) override {
    if (!tearing_down()) ready_.push_back(handle);
  }
  using io::Loop::post_remote;
  void post_remote(io::RemoteItem& item) override { items_.push_back(&item); }
  void add_timer(io::Timer& timer) override {
    if (tearing_down()) return;
    timer.heap_index = 0;
    timer.sequence = ++sequence_;
    timers_.emplace(std::pair(timer.deadline, timer.sequence), &timer);
  }
  void cancel_timer(io::Timer& timer) override {
    timers_.erase({timer.deadline, timer.sequence});
    timer.heap_index = SIZE_MAX;
  }
  [[nodiscard]] io::MonoTime now() const override { return now_; }
  [[nodiscard]] TimestampMs wall_ms() const override { return kStartMs + now_.ns / 1'000'000; }
  [[nodiscard]] io::MonoTime now_precise() const override { return now_; }
  io::Random& random() override { return random_; }
  [[nodiscard]] int shard() const override { return 0; }

  // Runs what is ready now, timers of this moment included.
  void run() {
    while (true) {
      if (!ready_.empty()) {
        const auto handle = ready_.front();
        ready_.pop_front();
        handle.resume();
      } else if (!items_.empty()) {
        io::RemoteItem* item = items_.front();
        items_.pop_front();
        item->run(*item, false);
      } else if (!timers_.empty() && timers_.begin()->first.first <= now_) {
        fire_next();
      } else {
        return;
      }
    }
  }
  void advance(std::chrono::milliseconds by) {
    const io::MonoTime until = io::after(now_, by);
    run();
    while (!timers_.empty() && timers_.begin()->first.first <= until) {
      now_ = timers_.begin()->first.first;
      run();
    }
    now_ = until;
  }
  [[nodiscard]] size_t timer_count() const { return timers_.size(); }

 private:
  void fire_next() {
    io::Timer& timer = *timers_.begin()->second;
    timers_.erase(timers_.begin());
    timer.heap_index = SIZE_MAX;
    timer.fire(timer);
  }
  std::deque<std::coroutine_handle<>> ready_;
  std::deque<io::RemoteItem*> items_;
  std::map<std::pair<io::MonoTime, uint64_t>, io::Timer*> timers_;
  io::MonoTime now_{1'000'000'000};
  uint64_t sequence_ = 0;
  io::Random random_;
};

// A partition in memory. By default what is appended is committed at once.
class FakeLog final : public CoordinatorLog {
 public:
  explicit FakeLog(io::Loop& loop) : loop_(loop) {}

  io::Task<Result<Appended>> append(Buffer batch) override {
    if (slow_append_) co_await io::yield(loop_);
    if (fail_next_) co_return fail(*std::exchange(fail_next_, std::nullopt));
    auto view = protocol::BatchView::parse(batch);
    if (!view || !view->crc_matches()) co_return fail(ErrorCode::kCorruptMessage);
    const Offset base = end_;
    end_ += view->last_offset_delta() + 1;
    protocol::set_base_offset(batch, base);
    batches_.push_back(std::move(batch));
    if (auto_commit_) set_high_watermark(end_);
    co_return Appended{base, end_ - 1};
  }
  io::Task<Result<void>> wait_committed(Offset last, io::MonoTime deadline) override {
    while (high_watermark_ <= last) {
      if (lost_) co_return fail(ErrorCode::kNotLeaderOrFollower);
      if (!co_await moved_.wait_until(loop_, deadline) && high_watermark_ <= last) co_return fail(ErrorCode::kRequestTimedOut);
    }
    co_return Result<void>{};
  }
  io::Task<Result<Buffer>> read(Offset from, size_t max_bytes) override {
    Buffer out;
    co_await io::yield(loop_);
    for (const auto& batch : batches_) {
      if (protocol::BatchView::parse(batch)->last_offset() < from) continue;
      if (!out.empty() && out.size() + batch.size() > max_bytes) break;
      samsa::append(out, batch);
    }
    co_return out;
  }
  [[nodiscard]] Offset start_offset() const override { return 0; }
  [[nodiscard]] Offset end_offset() const override { return end_; }
  [[nodiscard]] Offset high_watermark() const override { return high_watermark_; }

  void hold_commits() { auto_commit_ = false; }
  void commit_all() {
    auto_commit_ = true;
    set_high_watermark(end_);
  }
  void set_high_watermark(Offset offset) {
    high_watermark_ = offset;
    moved_.notify_all();
  }
  void fail_next(ErrorCode code) { fail_next_ = code; }
  void succeed() { fail_next_.reset(); }
  void slow_append() { slow_append_ = true; }
  void lose_leadership() {
    lost_ = true;
    moved_.notify_all();
  }
  void append_raw(Buffer batch) {
    auto view = protocol::BatchView::parse(batch);
    protocol::set_base_offset(batch, end_);
    end_ += view->last_offset_delta() + 1;
    batches_.push_back(std::move(batch));
    high_watermark_ = end_;
  }
  // A second log with the same bytes, as the next leader has it.
  std::shared_ptr<FakeLog> copy() const {
    auto other = std::make_shared<FakeLog>(loop_);
    other->batches_ = batches_;
    other->end_ = other->high_watermark_ = end_;
    return other;
  }
  [[nodiscard]] const std::vector<Buffer>& batches() const { return batches_; }
  // All records, in order.
  [[nodiscard]] std::vector<CoordinatorRecord> records() const {
    std::vector<CoordinatorRecord> result;
    protocol::Scratch scratch;
    for (const auto& batch : batches_) {
      auto reader = protocol::RecordReader::open(*protocol::BatchView::parse(batch), scratch);
      protocol::Record record;
      while (*reader->next(record)) {
        CoordinatorRecord& copy = result.emplace_back();
        copy.key.assign(record.key->begin(), record.key->end());
        if (record.value) copy.value.emplace(record.value->begin(), record.value->end());
      }
    }
    return result;
  }

 private:
  io::Loop& loop_;
  std::vector<Buffer> batches_;
  Offset end_ = 0;
  Offset high_watermark_ = 0;
  bool auto_commit_ = true;
  bool slow_append_ = false;
  bool lost_ = false;
  std::optional<ErrorCode> fail_next_;
  io::Signal moved_;
};

// Everything is allowed and exists, except what a test says.
class FakeScope final : public RequestScope {
 public:
  std::set<std::string, std::less<>> denied_groups, denied_topics, missing_topics;
  std::map<std::string, Uuid, std::less<>> ids;

  [[nodiscard]] bool group_allowed(std::string_view group) const override { return !denied_groups.contains(group); }
  [[nodiscard]] bool topic_allowed(std::string_view topic) const override { return !denied_topics.contains(topic); }
  [[nodiscard]] std::optional<Uuid> topic_id(std::string_view name) const override {
    const auto found = ids.find(name);
    return found == ids.end() ? std::nullopt : std::optional(found->second);
  }
  [[nodiscard]] std::optional<std::string> topic_name(const Uuid& id) const override {
    for (const auto& [name, known] : ids) {
      if (known == id) return name;
    }
    return std::nullopt;
  }
  [[nodiscard]] bool partition_exists(std::string_view topic, PartitionIndex partition) const override {
    return partition < 100 && !missing_topics.contains(topic);
  }
  [[nodiscard]] int32_t group_operations(std::string_view) const override { return 328; }
};

// The answer of a call that may still be parked.
template <class T>
class Pending {
 public:
  [[nodiscard]] bool done() const { return value_->has_value(); }
  T& operator*() const { return value_->value(); }
  T* operator->() const { return &value_->value(); }
  [[nodiscard]] ErrorCode error() const { return error_from_wire(value_->value().error_code); }
  std::shared_ptr<std::optional<T>> value_ = std::make_shared<std::optional<T>>();
};

// One broker with one partition of __consumer_offsets.
class Bench {
 public:
  explicit Bench(GroupConfig config = {}) : groups(loop, config), log(std::make_shared<FakeLog>(loop)) {
    groups.set_partition_count(1);
    lead(1);
  }
  ~Bench() { loop.stop(); }
  void lead(LeaderEpoch epoch) {
    io::spawn(loop, ignore(groups.become_leader(0, epoch, log)));
    loop.run();
  }
  // The next leader: a new coordinator on a copy of the log.
  void fail_over(LeaderEpoch epoch) {
    groups.resign(0);
    log = log->copy();
    lead(epoch);
  }

  template <class Request, class Response>
  Pending<Response> call(io::Task<Response> (GroupCoordinator::*method)(RequestInfo, const Request&), int16_t version, Request request) {
    Pending<Response> pending;
    io::spawn(loop, drive(groups, method, version, client_id, scope, std::move(request), pending));
    loop.run();
    return pending;
  }

  // ---- Shorthands ----
  struct Join {
    std::string group = "g";
    std::string member;
    std::optional<std::string> instance;
    int32_t session_ms = 10'000;
    int32_t rebalance_ms = 60'000;
    std::string type = "consumer";
    std::vector<std::pair<std::string, std::string>> protocols = {{"range", "meta"}};
    int16_t version = 5;
  };
  static protocol::JoinGroupRequest request(const Join& join) {
    protocol::JoinGroupRequest r;
    r.group_id = join.group;
    r.member_id = join.member;
    if (join.instance) r.group_instance_id = protocol::Text(*join.instance);
    r.session_timeout_ms = join.session_ms;
    r.rebalance_timeout_ms = join.rebalance_ms;
    r.protocol_type = join.type;
    for (const auto& [name, metadata] : join.protocols) {
      auto& to = r.protocols.emplace_back();
      to.name = name;
      to.metadata = protocol::Blob::copy_of(as_bytes(metadata));
    }
    return r;
  }
  Pending<protocol::JoinGroupResponse> join(const Join& join) { return call(&GroupCoordinator::join_group, join.version, request(join)); }
  struct Sync {
    std::string group = "g";
    std::string member;
    int32_t generation = 1;
    std::optional<std::string> instance;
    std::vector<std::pair<std::string, std::string>> assignments;
    std::optional<std::string> type, protocol;
    int16_t version = 3;
  };
  Pending<protocol::SyncGroupResponse> sync(const Sync& sync) {
    protocol::SyncGroupRequest r;
    r.group_id = sync.group;
    r.member_id = sync.member;
    r.generation_id = sync.generation;
    if (sync.instance) r.group_instance_id = protocol::Text(*sync.instance);
    if (sync.type) r.protocol_type = protocol::Text(*sync.type);
    if (sync.protocol) r.protocol_name = protocol::Text(*sync.protocol);
    for (const auto& [member, assignment] : sync.assignments) {
      auto& to = r.assignments.emplace_back();
      to.member_id = member;
      to.assignment = protocol::Blob::copy_of(as_bytes(assignment));
    }
    return call(&GroupCoordinator::sync_group, sync.version, std::move(r));
  }
  Pending<protocol::HeartbeatResponse> start_heartbeat(const std::string& member, int32_t generation,
                                                       std::optional<std::string> instance = {}, const std::string& group = "g") {
    protocol::HeartbeatRequest r;
    r.group_id = group;
    r.member_id = member;
    r.generation_id = generation;
    if (instance) r.group_instance_id = protocol::Text(*instance);
    return call(&GroupCoordinator::heartbeat, 4, std::move(r));
  }
  ErrorCode heartbeat(const std::string& member, int32_t generation, std::optional<std::string> instance = {},
                      const std::string& group = "g") {
    return start_heartbeat(member, generation, std::move(instance), group).error();
  }
  Pending<protocol::LeaveGroupResponse> leave(std::vector<std::pair<std::string, std::optional<std::string>>> members,
                                              std::string group = "g") {
    protocol::LeaveGroupRequest r;
    r.group_id = group;
    for (const auto& [member, instance] : members) {
      auto& to = r.members.emplace_back();
      to.member_id = member;
      if (instance) to.group_instance_id = protocol::Text(*instance);
    }
    return call(&GroupCoordinator::leave_group, 4, std::move(r));
  }
  struct Commit {
    std::string group = "g";
    std::string member;
    int32_t generation = -1;
    std::optional<std::string> instance;
    std::string topic = "t";
    PartitionIndex partition = 0;
    Offset offset = 0;
    std::string metadata;
    int64_t retention_ms = -1;
    int16_t version = 8;
    Uuid topic_id;
  };
  Pending<protocol::OffsetCommitResponse> start_commit(const Commit& commit) {
    protocol::OffsetCommitRequest r;
    r.group_id = commit.group;
    r.member_id = commit.member;
    r.generation_id_or_member_epoch = commit.generation;
    if (commit.instance) r.group_instance_id = protocol::Text(*commit.instance);
    r.retention_time_ms = commit.retention_ms;
    auto& topic = r.topics.emplace_back();
    topic.name = commit.topic;
    topic.topic_id = commit.topic_id;
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = commit.partition;
    partition.committed_offset = commit.offset;
    partition.committed_metadata = protocol::Text(commit.metadata);
    return call(&GroupCoordinator::offset_commit, commit.version, std::move(r));
  }
  ErrorCode commit(const Commit& commit) {
    auto pending = start_commit(commit);
    return error_from_wire(pending->topics.at(0).partitions.at(0).error_code);
  }
  Pending<protocol::OffsetFetchResponse> start_fetch(std::string topic, PartitionIndex partition, bool require_stable = false,
                                                     std::string group = "g") {
    protocol::OffsetFetchRequest r;
    r.require_stable = require_stable;
    auto& asked = r.groups.emplace_back();
    asked.group_id = group;
    asked.topics.emplace();
    auto& to = asked.topics->emplace_back();
    to.name = topic;
    to.partition_indexes = {partition};
    return call(&GroupCoordinator::offset_fetch, 8, std::move(r));
  }
  // The committed offset of g; -1: none.
  Offset fetch(std::string topic, PartitionIndex partition = 0, std::string group = "g") {
    auto pending = start_fetch(std::move(topic), partition, false, std::move(group));
    return pending->groups.at(0).topics.at(0).partitions.at(0).committed_offset;
  }
  // A stable group of this many members; their ids, the leader's first.
  std::vector<std::string> stable_group(size_t members, std::string protocol_metadata = "meta", std::string group = "g");
  const ClassicGroup* group(std::string_view id = "g") { return groups.machine_for_test(0).find(id); }
  std::string state(std::string_view id = "g") { return group(id) ? std::string(state_name(group(id)->state())) : "none"; }

  ManualLoop loop;
  FakeScope scope;
  std::string client_id = "client";
  GroupCoordinator groups;
  std::shared_ptr<FakeLog> log;

 private:
  static io::Task<> ignore(io::Task<Result<void>> task) { co_await std::move(task); }
  template <class Request, class Response>
  static io::Task<> drive(GroupCoordinator& groups, io::Task<Response> (GroupCoordinator::*method)(RequestInfo, const Request&),
                          int16_t version, std::string client, const FakeScope& scope, Request request, Pending<Response> pending) {
    *pending.value_ = co_await (groups.*method)(RequestInfo{version, client, "/127.0.0.1", scope}, request);
  }
};

inline std::vector<std::string> Bench::stable_group(size_t members, std::string metadata, std::string group) {
  std::vector<Pending<protocol::JoinGroupResponse>> joins;
  for (size_t i = 0; i < members; ++i) joins.push_back(join({.group = group, .protocols = {{"range", metadata}}, .version = 3}));
  loop.advance(6s);  // The initial delay, extended once where more than one came.
  std::vector<std::string> ids;
  for (const auto& joined : joins) ids.push_back(joined->member_id.str());
  const std::string leader = joins.front()->leader.str();
  std::ranges::iter_swap(ids.begin(), std::ranges::find(ids, leader));
  Sync leading{.group = group, .member = leader, .generation = joins.front()->generation_id};
  for (const auto& id : ids) leading.assignments.emplace_back(id, "for " + id);
  for (const auto& id : ids) {
    if (id != leader) sync({.group = group, .member = id, .generation = leading.generation});
  }
  sync(leading);
  return ids;
}

}  // namespace samsa::coordinator::testing
