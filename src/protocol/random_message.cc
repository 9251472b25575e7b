#include "protocol/random_message.h"

namespace samsa::protocol {
namespace {
constexpr uint64_t kMostElements = 3;
constexpr int kDeepest = 4;  // From here on arrays have one element at most.

void* at_offset(void* base, size_t offset) { return static_cast<char*>(base) + offset; }
}  // namespace

// splitmix64
uint64_t RandomMessage::next() {
  uint64_t z = state_ += 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

void RandomMessage::fill(const MessageTable& table, void* message, int16_t version) {
  version_ = version;
  flexible_ = version >= table.first_flexible;
  fill_struct(table.fields, message, 0);
}

int64_t RandomMessage::number(const FieldTable& field) {
  switch (below(6)) {
    case 0:
      return field.number;
    case 1:
      return static_cast<int64_t>(below(5)) - 2;
    case 2:
      return INT64_MIN;
    case 3:
      return INT64_MAX;
    default:
      return static_cast<int64_t>(next());
  }
}

// UTF-8 of one to three bytes a character, now and then long enough for a compact length of two bytes.
Text RandomMessage::text() {
  static constexpr std::string_view kPieces[] = {"a", "topic", "-7", "Z.", "\xc3\xa4", "\xe2\x82\xac", "_", "0"};
  std::string made;
  const uint64_t pieces = below(20) == 0 ? 150 : below(4);
  for (uint64_t i = 0; i < pieces; ++i) made += kPieces[below(std::size(kPieces))];
  return Text(made);
}

Blob RandomMessage::blob() {
  Buffer bytes(below(20) == 0 ? 200 : below(5));
  for (auto& byte : bytes) byte = static_cast<uint8_t>(next());
  return Blob(std::move(bytes));
}

void RandomMessage::fill_value(const FieldTable& field, void* to, int depth) {
  switch (field.kind) {
    case Kind::kBool:
      *static_cast<bool*>(to) = below(2) == 1;
      break;
    case Kind::kInt8:
      *static_cast<int8_t*>(to) = static_cast<int8_t>(number(field));
      break;
    case Kind::kInt16:
    case Kind::kUint16:
      *static_cast<int16_t*>(to) = static_cast<int16_t>(number(field));
      break;
    case Kind::kInt32:
    case Kind::kUint32:
      *static_cast<int32_t*>(to) = static_cast<int32_t>(number(field));
      break;
    case Kind::kInt64:
      *static_cast<int64_t*>(to) = number(field);
      break;
    case Kind::kFloat64:
      *static_cast<double*>(to) = static_cast<double>(number(field)) / 16;
      break;
    case Kind::kUuid:
      *static_cast<Uuid*>(to) = below(3) == 0 ? kZeroUuid : Uuid{next(), next()};
      break;
    case Kind::kString:
      *static_cast<Text*>(to) = text();
      break;
    case Kind::kBytes:
      *static_cast<Blob*>(to) = blob();
      break;
    case Kind::kRecords:
      *static_cast<Records*>(to) = Records::of(blob());
      break;
    case Kind::kStruct:
      fill_struct(*field.type, to, depth + 1);
      break;
  }
}

void RandomMessage::fill_field(const FieldTable& field, void* to, int depth) {
  const bool null = field.nullable_in(version_) && below(3) == 0;
  if (field.kind == Kind::kRecords && null) return;
  if (field.optional) {
    if (null) return field.optional->reset(to);
    to = field.optional->emplace(to);
  }
  if (!field.array) return fill_value(field, to, depth);
  const uint64_t count = below(depth >= kDeepest ? 2 : kMostElements + 1);
  char* element = static_cast<char*>(field.array->resize(to, count));
  for (uint64_t i = 0; i < count; ++i) fill_value(field, element + i * field.array->element_size, depth);
}

void RandomMessage::fill_struct(const StructTable& table, void* to, int depth) {
  for (const auto& field : table.fields) {
    if (!field.in(version_)) continue;
    const bool keep_default = field.tag >= 0 && below(3) == 0;
    if (!keep_default) fill_field(field, at_offset(to, field.offset), depth);
  }
  if (!flexible_ || below(8) != 0) return;
  auto& unknown = *static_cast<UnknownTags*>(at_offset(to, table.unknown_tags_offset));
  for (uint64_t tag = 90 + below(50), n = below(3); n > 0; --n, tag += 1 + below(100)) {
    unknown.push_back({static_cast<uint32_t>(tag), blob()});
  }
}

}  // namespace samsa::protocol
