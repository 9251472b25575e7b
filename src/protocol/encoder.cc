#include <cstring>

#include "base/varint.h"
#include "io/network.h"
#include "protocol/codec.h"

namespace samsa::protocol {
namespace {
// From here on owned records' memory goes out as a chunk of its own instead of being copied.
constexpr size_t kCopyAtMost = 4096;
}  // namespace

void Encoder::enlarge() {
  size_t wanted = memory_.size() < 128 ? 256 : memory_.size() * 2;
  if (wanted < memory_.capacity()) wanted = memory_.capacity();
  memory_.resize(wanted < used_ ? used_ : wanted);
}

void Encoder::put_uvarint(uint64_t value) {
  if (value < 0x80) {
    *grow(1) = static_cast<uint8_t>(value);
    return;
  }
  uint8_t scratch[kMaxVarint64Bytes];
  const size_t n = write_uvarint(scratch, value);
  std::memcpy(grow(n), scratch, n);
}

void Encoder::put_bytes(Bytes bytes) {
  if (!bytes.empty()) std::memcpy(grow(bytes.size()), bytes.data(), bytes.size());
}

void Encoder::put_records(const Records& records) {
  if (records.slices.empty() && (records.memory.size() <= kCopyAtMost || !records.memory.owns())) {
    put_bytes(records.memory.view());
    return;
  }
  outside_ += records.size();
  pieces_.push_back({used_, records});
}

size_t Encoder::begin_length() {
  const size_t mark = used_;
  grow(4);
  return mark;
}

void Encoder::end_length(size_t mark) {
  uint64_t length = used_ - mark - 4;
  for (const auto& piece : pieces_) {
    if (piece.at > mark) length += piece.records.size();
  }
  patch(mark, static_cast<int32_t>(length));
}

void Encoder::insert_uvarint(size_t at, uint64_t value) {
  SAMSA_ASSERT(pieces_.empty() || pieces_.back().at <= at);
  const size_t n = uvarint_size(value);
  grow(n);
  std::memmove(memory_.data() + at + n, memory_.data() + at, used_ - n - at);
  write_uvarint(memory_.data() + at, value);
}

void Encoder::truncate(size_t at) {
  while (!pieces_.empty() && pieces_.back().at > at) {
    outside_ -= pieces_.back().records.size();
    pieces_.pop_back();
  }
  used_ = at;
}

std::vector<io::Chunk> Encoder::chunks() const {
  std::vector<io::Chunk> chunks;
  append_chunks(chunks);
  return chunks;
}

void Encoder::append_chunks(std::vector<io::Chunk>& chunks) const {
  size_t at = 0;
  for (const auto& piece : pieces_) {
    if (piece.at > at) chunks.push_back({.memory = Bytes(memory_.data() + at, piece.at - at)});
    at = piece.at;
    if (piece.records.slices.empty()) chunks.push_back({.memory = piece.records.memory.view()});
    for (const auto& slice : piece.records.slices) chunks.push_back({.slice = &slice});
  }
  if (used_ > at) chunks.push_back({.memory = Bytes(memory_.data() + at, used_ - at)});
}

Buffer Encoder::take() {
  Buffer whole;
  if (pieces_.empty()) {
    memory_.resize(used_);
    whole = std::move(memory_);
  } else {
    for (const auto& chunk : chunks()) {
      SAMSA_ASSERT(chunk.slice == nullptr);
      append(whole, chunk.memory);
    }
  }
  *this = Encoder();
  return whole;
}

}  // namespace samsa::protocol
