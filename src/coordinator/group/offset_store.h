// OffsetStore: the committed offsets of all groups of one partition, in versions.
//
// Every change carries the offset of the record that made it. Writers look at the latest version, OffsetFetch at the newest one below
// the high watermark; trim() forgets versions that nobody can see any more.
// Offsets of open transactions wait apart, per producer, until the transaction's marker.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/uuid.h"

namespace samsa::coordinator {

struct CommittedOffset {
  Offset offset = 0;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  std::string metadata;
  TimestampMs commit_timestamp = kNoTimestamp;
  std::optional<TimestampMs> expire_timestamp;  // OffsetCommit v2 to v4 may state it.
  Uuid topic_id;                                // Zero: committed by name.
  Offset record_offset = 0;                     // Of the commit's record; decides between a transaction's and a plain commit.
  friend bool operator==(const CommittedOffset&, const CommittedOffset&) = default;
};

class OffsetStore {
 public:
  struct KeyLess {
    using is_transparent = void;
    using View = std::pair<std::string_view, PartitionIndex>;
    static View view(const TopicPartition& tp) { return {tp.topic, tp.partition}; }
    static View view(const View& v) { return v; }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return view(a) < view(b);
    }
  };
  template <class V>
  using ByPartition = std::map<TopicPartition, V, KeyLess>;
  using Offsets = ByPartition<CommittedOffset>;

  // Changes, by the record at offset `at`; offsets only grow.
  void put(std::string_view group, std::string_view topic, PartitionIndex partition, CommittedOffset value, Offset at);
  // Also drops the partition's pending transactional offsets.
  void erase(std::string_view group, std::string_view topic, PartitionIndex partition, Offset at);
  void put_pending(int64_t producer_id, std::string_view group, std::string_view topic, PartitionIndex partition, CommittedOffset value);
  // The marker at offset `at`. A pending offset counts only where its record is newer than the one there.
  void end_transaction(int64_t producer_id, bool commit, Offset at);
  // Everything below is committed.
  void trim(Offset high_watermark);

  // nullptr: none. The pointers live until the next change.
  [[nodiscard]] const CommittedOffset* latest(std::string_view group, std::string_view topic, PartitionIndex partition) const;
  [[nodiscard]] const CommittedOffset* committed(std::string_view group, std::string_view topic, PartitionIndex partition,
                                                 Offset high_watermark) const;
  // All of a group in order of topic and partition: visit(const TopicPartition&, const CommittedOffset&). high_watermark INT64_MAX: the
  // latest.
  template <class F>
  void for_each(std::string_view group, Offset high_watermark, F visit) const {
    const auto found = groups_.find(group);
    if (found == groups_.end()) return;
    for (const auto& [tp, version] : found->second) {
      if (const auto* value = visible(version, high_watermark)) visit(tp, *value);
    }
  }
  // Names of the groups that have offsets, or had until lately.
  template <class F>
  void for_each_group(F visit) const {
    for (const auto& [group, offsets] : groups_) visit(group);
  }
  // How many partitions have an offset, over all groups.
  [[nodiscard]] size_t count() const { return count_; }
  [[nodiscard]] bool has_offsets(std::string_view group) const;
  [[nodiscard]] bool has_pending(std::string_view group, std::string_view topic, PartitionIndex partition) const;
  [[nodiscard]] bool has_open_transaction(std::string_view group) const { return open_by_group_.find(group) != open_by_group_.end(); }
  template <class F>
  void for_each_pending(std::string_view group, F visit) const {
    const auto open = open_by_group_.find(group);
    if (open == open_by_group_.end()) return;
    for (const int64_t producer : open->second) {
      for (const auto& [tp, value] : pending_.at(producer).find(group)->second) visit(tp);
    }
  }
  template <class F>
  void for_each_pending_group(F visit) const {
    for (const auto& [group, producers] : open_by_group_) visit(group);
  }

 private:
  struct Version {
    Offset at = 0;
    std::optional<CommittedOffset> value;  // None: deleted.
    std::unique_ptr<Version> older;
  };
  using GroupOffsets = ByPartition<Version>;
  using Groups = std::map<std::string, GroupOffsets, std::less<>>;
  struct Dirty {
    Offset at;
    Groups::iterator group;
    GroupOffsets::iterator entry;
  };

  static const CommittedOffset* visible(const Version& version, Offset high_watermark) {
    const Version* v = &version;
    while (v && v->at >= high_watermark) v = v->older.get();
    return v && v->value ? &*v->value : nullptr;
  }
  const Version* find(std::string_view group, std::string_view topic, PartitionIndex partition) const;
  void change(std::string_view group, std::string_view topic, PartitionIndex partition, std::optional<CommittedOffset> value, Offset at);

  Groups groups_;
  size_t count_ = 0;
  std::deque<Dirty> dirty_;  // Changes that may still have older versions behind them, by offset.
  using Pending = std::map<std::string, Offsets, std::less<>>;
  std::map<int64_t, Pending> pending_;  // By producer id, then group.
  std::map<std::string, std::set<int64_t>, std::less<>> open_by_group_;
};

}  // namespace samsa::coordinator
