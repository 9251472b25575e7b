#include "server/fetch_session.h"

#include <chrono>

namespace samsa::server {

namespace {
constexpr std::chrono::minutes kEvictionAge{2};
}

void FetchSession::put(const FetchPartition& partition) {
  const Key at = key(partition.topic, partition.topic_id, partition.partition);
  if (const auto found = partitions_.find(at); found != partitions_.end()) {
    FetchPartition& known = *found->second;
    known.fetch_offset = partition.fetch_offset;
    known.current_leader_epoch = partition.current_leader_epoch;
    known.last_fetched_epoch = partition.last_fetched_epoch;
    known.log_start_offset = partition.log_start_offset;
    known.max_bytes = partition.max_bytes;
    return;
  }
  order_.push_back(partition);
  partitions_[at] = std::prev(order_.end());
}

void FetchSession::forget(const std::string& topic, const Uuid& id, PartitionIndex partition) {
  const auto found = partitions_.find(key(topic, id, partition));
  if (found == partitions_.end()) return;
  order_.erase(found->second);
  partitions_.erase(found);
}

bool FetchSessions::make_room(bool privileged, size_t partition_count) {
  if (sessions_.size() < slots_) return true;
  const auto now = loop_.now();
  FetchSession* oldest = nullptr;      // By last use.
  FetchSession* replaceable = nullptr; // The smallest that this newcomer may replace.
  for (const auto& [id, session] : sessions_) {
    if (oldest == nullptr || session->last_used_ < oldest->last_used_) oldest = session.get();
    const bool may = (privileged && !session->privileged_) ||
                     (privileged == session->privileged_ && partition_count > session->size() && now - session->created_ > kEvictionAge);
    if (may && (replaceable == nullptr || session->size() < replaceable->size())) replaceable = session.get();
  }
  if (oldest != nullptr && now - oldest->last_used_ > kEvictionAge) {
    remove(oldest->id_);
    return true;
  }
  if (replaceable == nullptr) return false;
  remove(replaceable->id_);
  return true;
}

std::shared_ptr<FetchSession> FetchSessions::create(bool by_id, bool privileged, size_t partition_count) {
  if (!make_room(privileged, partition_count)) return nullptr;
  int32_t id = 0;
  do {
    const auto random = static_cast<int32_t>(loop_.random().below(INT32_MAX / static_cast<uint64_t>(shards_)));
    id = random * shards_ + loop_.shard();
  } while (id <= 0 || sessions_.contains(id));
  auto session = std::make_shared<FetchSession>(id, by_id, privileged);
  session->created_ = session->last_used_ = loop_.now();
  return sessions_[id] = std::move(session);
}

Result<std::shared_ptr<FetchSession>> FetchSessions::use(int32_t id, int32_t epoch, bool by_id) {
  const auto session = find(id);
  if (session == nullptr) return fail(ErrorCode::kFetchSessionIdNotFound);
  if (session->epoch_ != epoch || session->busy_) return fail(ErrorCode::kInvalidFetchSessionEpoch);
  if (session->by_id_ != by_id) return fail(ErrorCode::kFetchSessionTopicIdError);
  session->advance_epoch();
  session->last_used_ = loop_.now();
  return session;
}

std::shared_ptr<FetchSession> FetchSessions::find(int32_t id) const {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second;
}

std::shared_ptr<FetchSession> FetchSessions::take(int32_t id) {
  auto session = find(id);
  if (session != nullptr) remove(id);
  return session;
}

void FetchSessions::put(std::shared_ptr<FetchSession> session) {
  if (make_room(session->privileged_, session->size())) sessions_[session->id_] = std::move(session);
}

void FetchSessions::remove(int32_t id) { sessions_.erase(id); }

}  // namespace samsa::server
