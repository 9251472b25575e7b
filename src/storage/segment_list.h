// SegmentList: the segments of a log in ascending base offset; the last is the active one. Never empty once the log is open.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/assert.h"
#include "storage/segment.h"

namespace samsa::storage {

class SegmentList {
 public:
  // Set: what stood from this offset on was cut, and that is not on disk yet. Nothing is appended meanwhile: a crash could bring the old records
  // back behind new ones.
  std::optional<Offset> unsynced_cut;

  [[nodiscard]] bool empty() const { return segments_.empty(); }
  [[nodiscard]] size_t size() const { return segments_.size(); }
  [[nodiscard]] const std::shared_ptr<Segment>& at(size_t index) const { return segments_[index]; }
  [[nodiscard]] Segment& active() const { return *segments_.back(); }
  [[nodiscard]] const std::shared_ptr<Segment>& active_shared() const { return segments_.back(); }
  [[nodiscard]] Segment& first() const { return *segments_.front(); }
  [[nodiscard]] std::span<const std::shared_ptr<Segment>> all() const { return segments_; }

  void add(std::shared_ptr<Segment> segment) {
    SAMSA_ASSERT(segments_.empty() || segments_.back()->base_offset() < segment->base_offset());
    segments_.push_back(std::move(segment));
  }
  // Index of the segment with the greatest base <= offset; 0 where all are above.
  [[nodiscard]] size_t index_of(Offset offset) const {
    auto above = std::ranges::upper_bound(segments_, offset, {}, [](const auto& s) { return s->base_offset(); });
    return above == segments_.begin() ? 0 : static_cast<size_t>(above - segments_.begin()) - 1;
  }
  // Takes out [from, to).
  std::vector<std::shared_ptr<Segment>> take(size_t from, size_t to) {
    std::vector<std::shared_ptr<Segment>> taken(segments_.begin() + static_cast<ptrdiff_t>(from), segments_.begin() + static_cast<ptrdiff_t>(to));
    segments_.erase(segments_.begin() + static_cast<ptrdiff_t>(from), segments_.begin() + static_cast<ptrdiff_t>(to));
    return taken;
  }
  // Puts one segment where [from, to) were (compaction).
  void replace(size_t from, size_t to, std::shared_ptr<Segment> with) {
    take(from, to);
    segments_.insert(segments_.begin() + static_cast<ptrdiff_t>(from), std::move(with));
  }
  [[nodiscard]] uint64_t bytes() const {
    uint64_t total = 0;
    for (const auto& segment : segments_) total += segment->size();
    return total;
  }

 private:
  std::vector<std::shared_ptr<Segment>> segments_;
};

}  // namespace samsa::storage
