// KeyMap: from a record's key to the greatest offset seen for it, in bounded memory: what compaction decides by.
//
// Keys are held as 128-bit keyed hashes (SipHash), so that nobody who does not know the run's secret can make two keys collide; an entry
// takes 24 bytes. The table grows as needed up to the limit and counts as full at 90 %. Owner: one cleaning.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/ids.h"

namespace samsa::storage {

struct Hash128 {
  uint64_t high = 0;
  uint64_t low = 0;
  bool operator==(const Hash128&) const = default;
};
// SipHash-2-4 with a 128-bit result.
Hash128 sip_hash(Bytes bytes, Hash128 secret);

class KeyMap {
 public:
  KeyMap(size_t limit_bytes, Hash128 secret);
  // Notes the key at the offset (ascending calls). False where the map is full: nothing was changed.
  bool put(Bytes key, Offset offset);
  // The greatest offset noted for the key; -1 where there is none.
  [[nodiscard]] Offset get(Bytes key) const;
  [[nodiscard]] size_t size() const { return size_; }
  // Everything up to here was offered; -1 at first.
  Offset end_offset = -1;

 private:
  struct Slot {
    Hash128 key;
    Offset offset;  // -1: empty.
  };
  [[nodiscard]] size_t find(const Hash128& key) const;
  void grow();

  Hash128 secret_;
  size_t most_slots_;
  size_t slots_ = 0;
  size_t size_ = 0;
  std::unique_ptr<Slot[]> table_;
};

}  // namespace samsa::storage
