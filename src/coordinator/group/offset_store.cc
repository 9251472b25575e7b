#include "coordinator/group/offset_store.h"

namespace samsa::coordinator {

void OffsetStore::change(std::string_view group, std::string_view topic, PartitionIndex partition, std::optional<CommittedOffset> value,
                         Offset at) {
  auto owner = groups_.find(group);
  if (owner == groups_.end()) {
    if (!value) return;
    owner = groups_.emplace(std::string(group), GroupOffsets{}).first;
  }
  auto entry = owner->second.find(KeyLess::View(topic, partition));
  if (entry == owner->second.end()) {
    if (!value) return;
    entry = owner->second.emplace(TopicPartition{std::string(topic), partition}, Version{}).first;
  } else {
    if (entry->second.value) --count_;
    auto older = std::make_unique<Version>(std::move(entry->second));
    entry->second = Version{};
    entry->second.older = std::move(older);
  }
  if (value) ++count_;
  entry->second.at = at;
  entry->second.value = std::move(value);
  dirty_.push_back({at, owner, entry});
}

void OffsetStore::put(std::string_view group, std::string_view topic, PartitionIndex partition, CommittedOffset value, Offset at) {
  change(group, topic, partition, std::move(value), at);
}

void OffsetStore::erase(std::string_view group, std::string_view topic, PartitionIndex partition, Offset at) {
  change(group, topic, partition, std::nullopt, at);
  const auto open = open_by_group_.find(group);
  if (open == open_by_group_.end()) return;
  for (const int64_t producer : open->second) {
    Offsets& offsets = pending_.at(producer).find(group)->second;
    if (const auto found = offsets.find(KeyLess::View(topic, partition)); found != offsets.end()) offsets.erase(found);
  }
}

void OffsetStore::put_pending(int64_t producer_id, std::string_view group, std::string_view topic, PartitionIndex partition,
                              CommittedOffset value) {
  pending_[producer_id][std::string(group)].insert_or_assign({std::string(topic), partition}, std::move(value));
  open_by_group_[std::string(group)].insert(producer_id);
}

void OffsetStore::end_transaction(int64_t producer_id, bool commit, Offset at) {
  auto node = pending_.extract(producer_id);
  if (node.empty()) return;
  for (auto& [group, offsets] : node.mapped()) {
    const auto open = open_by_group_.find(group);
    open->second.erase(producer_id);
    if (open->second.empty()) open_by_group_.erase(open);
    if (!commit) continue;
    for (auto& [tp, value] : offsets) {
      const auto* present = latest(group, tp.topic, tp.partition);
      if (!present || present->record_offset < value.record_offset) put(group, tp.topic, tp.partition, std::move(value), at);
    }
  }
}

void OffsetStore::trim(Offset high_watermark) {
  while (!dirty_.empty() && dirty_.front().at < high_watermark) {
    const Dirty dirty = dirty_.front();
    dirty_.pop_front();
    Version& latest = dirty.entry->second;
    Version* newest_committed = &latest;
    while (newest_committed->at >= high_watermark) newest_committed = newest_committed->older.get();
    newest_committed->older.reset();
    // The last change of an entry is the last to point to it.
    if (latest.at == dirty.at && !latest.value) {
      dirty.group->second.erase(dirty.entry);
      if (dirty.group->second.empty()) groups_.erase(dirty.group);
    }
  }
}

const OffsetStore::Version* OffsetStore::find(std::string_view group, std::string_view topic, PartitionIndex partition) const {
  const auto owner = groups_.find(group);
  if (owner == groups_.end()) return nullptr;
  const auto entry = owner->second.find(KeyLess::View(topic, partition));
  return entry == owner->second.end() ? nullptr : &entry->second;
}

const CommittedOffset* OffsetStore::latest(std::string_view group, std::string_view topic, PartitionIndex partition) const {
  return committed(group, topic, partition, INT64_MAX);
}

const CommittedOffset* OffsetStore::committed(std::string_view group, std::string_view topic, PartitionIndex partition,
                                              Offset high_watermark) const {
  const Version* version = find(group, topic, partition);
  return version ? visible(*version, high_watermark) : nullptr;
}

bool OffsetStore::has_offsets(std::string_view group) const {
  bool any = false;
  for_each(group, INT64_MAX, [&](const TopicPartition&, const CommittedOffset&) { any = true; });
  return any;
}

bool OffsetStore::has_pending(std::string_view group, std::string_view topic, PartitionIndex partition) const {
  const auto open = open_by_group_.find(group);
  if (open == open_by_group_.end()) return false;
  for (const int64_t producer : open->second) {
    const Offsets& offsets = pending_.at(producer).find(group)->second;
    if (offsets.find(KeyLess::View(topic, partition)) != offsets.end()) return true;
  }
  return false;
}

}  // namespace samsa::coordinator
