#include "storage/key_map.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace samsa::storage {
namespace {

constexpr size_t kFirstSlots = 1024;

struct SipState {
  uint64_t v0, v1, v2, v3;
  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void take(uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
  uint64_t finish() {
    for (int i = 0; i < 4; ++i) round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace

Hash128 sip_hash(Bytes bytes, Hash128 secret) {
  SipState state{secret.high ^ 0x736f6d6570736575ULL, secret.low ^ 0x646f72616e646f6dULL ^ 0xee, secret.high ^ 0x6c7967656e657261ULL,
                 secret.low ^ 0x7465646279746573ULL};
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data() + at, 8);
    state.take(word);
  }
  uint64_t last = static_cast<uint64_t>(bytes.size()) << 56;
  for (size_t i = 0; at + i < bytes.size(); ++i) last |= static_cast<uint64_t>(bytes[at + i]) << (8 * i);
  state.take(last);
  state.v2 ^= 0xee;
  const uint64_t first = state.finish();
  state.v1 ^= 0xdd;
  return {first, state.finish()};
}

KeyMap::KeyMap(size_t limit_bytes, Hash128 secret) : secret_(secret), most_slots_(std::max<size_t>(limit_bytes / sizeof(Slot), 16)) { grow(); }

size_t KeyMap::find(const Hash128& key) const {
  size_t at = static_cast<size_t>((static_cast<unsigned __int128>(key.low) * slots_) >> 64);
  while (table_[at].offset >= 0 && table_[at].key != key) at = at + 1 == slots_ ? 0 : at + 1;
  return at;
}

void KeyMap::grow() {
  const size_t old_slots = slots_;
  auto old = std::move(table_);
  slots_ = std::min(most_slots_, std::max(kFirstSlots, slots_ * 2));
  table_ = std::make_unique_for_overwrite<Slot[]>(slots_);
  for (size_t i = 0; i < slots_; ++i) table_[i].offset = -1;
  for (size_t i = 0; i < old_slots; ++i) {
    if (old[i].offset >= 0) table_[find(old[i].key)] = old[i];
  }
}

bool KeyMap::put(Bytes key, Offset offset) {
  const Hash128 hash = sip_hash(key, secret_);
  size_t at = find(hash);
  if (table_[at].offset >= 0) {
    table_[at].offset = std::max(table_[at].offset, offset);
    return true;
  }
  if (size_ + 1 > slots_ / 10 * 9) {
    if (slots_ == most_slots_) return false;
    grow();
    at = find(hash);
  }
  table_[at] = {hash, offset};
  ++size_;
  return true;
}

Offset KeyMap::get(Bytes key) const { return table_[find(sip_hash(key, secret_))].offset; }

}  // namespace samsa::storage
