#include "protocol/codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/varint.h"
#include "protocol/field_default.h"
#include "protocol/schema.h"

namespace samsa::protocol {
namespace {

// Kafka's strings are counted by an i16 and it holds the compact ones to the same bound.
constexpr uint64_t kMaxTextBytes = 32767;
// Elements of an array that are made before the first of them was read.
constexpr uint64_t kFirstElements = 256;

template <class T>
T& as(void* at) {
  return *static_cast<T*>(at);
}
template <class T>
const T& as(const void* at) {
  return *static_cast<const T*>(at);
}
void* at_offset(void* base, size_t offset) { return static_cast<char*>(base) + offset; }
const void* at_offset(const void* base, size_t offset) { return static_cast<const char*>(base) + offset; }

// Bytes of a kind of fixed size on the wire; 0: not fixed.
constexpr size_t fixed_size(Kind kind) {
  switch (kind) {
    case Kind::kBool:
    case Kind::kInt8:
      return 1;
    case Kind::kInt16:
    case Kind::kUint16:
      return 2;
    case Kind::kInt32:
    case Kind::kUint32:
      return 4;
    case Kind::kInt64:
    case Kind::kFloat64:
      return 8;
    case Kind::kUuid:
      return 16;
    default:
      return 0;
  }
}

// --- Decoding. A step answers false after it has said what is wrong; the first word stands.

class Decoder {
 public:
  Decoder(Bytes bytes, int16_t version, bool flexible)
      : at_(bytes.data()), end_(at_ + bytes.size()), version_(version), flexible_(flexible) {}

  bool read_struct(const StructTable& table, void* to);
  [[nodiscard]] const uint8_t* position() const { return at_; }
  [[nodiscard]] const char* problem() const { return problem_; }
  [[nodiscard]] const char* field() const { return field_ ? field_->name : "tagged fields"; }

 private:
  struct Length {
    uint64_t value = 0;
    bool null = false;
  };

  bool fail(const char* problem) {
    if (!problem_) problem_ = problem;
    return false;
  }
  [[nodiscard]] size_t left() const { return static_cast<size_t>(end_ - at_); }
  bool need(uint64_t count) { return left() >= count || fail("ends too early"); }

  bool read_uvarint(uint64_t& value);
  bool read_length(const FieldTable& field, size_t classic_size, Length& length);
  bool read_field(const FieldTable& field, void* to);
  bool read_array(const FieldTable& field, void* to);
  bool read_text(const FieldTable& field, void* to);
  bool read_blob(const FieldTable& field, void* to);
  bool read_records(const FieldTable& field, void* to);
  bool read_single_struct(const FieldTable& field, void* to);
  void read_fixed(Kind kind, void* to);
  bool read_element(const FieldTable& field, void* to);
  bool read_tags(const StructTable& table, void* to);
  bool read_tag(const StructTable& table, void* to, uint32_t tag, uint64_t size);
  bool set_null(const FieldTable& field, void* to);

  const uint8_t* at_;
  const uint8_t* end_;
  int16_t version_;
  bool flexible_;
  const char* problem_ = nullptr;
  const FieldTable* field_ = nullptr;
};

bool Decoder::read_uvarint(uint64_t& value) {
  if (at_ < end_ && *at_ < 0x80) [[likely]] {
    value = *at_++;
    return true;
  }
  const auto read = read_uvarint32({at_, left()});
  if (read.size == 0) return fail("broken varint");
  at_ += read.size;
  value = read.value;
  return true;
}

// The count in front of a string, bytes or an array: compact, or an i16 or i32 whose negative values are null.
bool Decoder::read_length(const FieldTable& field, size_t classic_size, Length& length) {
  if (flexible_ && !field.classic) {
    uint64_t value = 0;
    if (!read_uvarint(value)) return false;
    length = {value - 1, value == 0};
    return true;
  }
  if (!need(classic_size)) return false;
  const int64_t value = classic_size == 2 ? load_be<int16_t>(at_) : load_be<int32_t>(at_);
  at_ += classic_size;
  length = {static_cast<uint64_t>(value), value < 0};
  return true;
}

bool Decoder::set_null(const FieldTable& field, void* to) {
  if (!field.nullable_in(version_)) return fail("null where a value must be");
  if (field.optional) field.optional->reset(to);
  return true;
}

void Decoder::read_fixed(Kind kind, void* to) {
  switch (kind) {
    case Kind::kBool:
      as<bool>(to) = *at_ != 0;
      break;
    case Kind::kInt8:
      as<int8_t>(to) = static_cast<int8_t>(*at_);
      break;
    case Kind::kInt16:
    case Kind::kUint16:
      as<int16_t>(to) = load_be<int16_t>(at_);
      break;
    case Kind::kInt32:
    case Kind::kUint32:
      as<int32_t>(to) = load_be<int32_t>(at_);
      break;
    case Kind::kInt64:
    case Kind::kFloat64:
      as<int64_t>(to) = load_be<int64_t>(at_);
      break;
    case Kind::kUuid:
      as<Uuid>(to) = {load_be<uint64_t>(at_), load_be<uint64_t>(at_ + 8)};
      break;
    default:
      break;
  }
  at_ += fixed_size(kind);
}

bool Decoder::read_text(const FieldTable& field, void* to) {
  Length length;
  if (!read_length(field, 2, length)) return false;
  if (length.null) return set_null(field, to);
  if (length.value > kMaxTextBytes) return fail("string too long");
  if (!need(length.value)) return false;
  auto& text = as<Text>(field.optional && !field.array ? field.optional->emplace(to) : to);
  text = Text::view_of(as_text({at_, length.value}));
  at_ += length.value;
  return true;
}

bool Decoder::read_blob(const FieldTable& field, void* to) {
  Length length;
  if (!read_length(field, 4, length)) return false;
  if (length.null) return set_null(field, to);
  if (!need(length.value)) return false;
  as<Blob>(field.optional && !field.array ? field.optional->emplace(to) : to) = Blob::view_of({at_, length.value});
  at_ += length.value;
  return true;
}

bool Decoder::read_records(const FieldTable& field, void* to) {
  Length length;
  if (!read_length(field, 4, length)) return false;
  auto& records = as<Records>(to);
  if (length.null) {
    records = {};
    return set_null(field, to);
  }
  if (!need(length.value)) return false;
  records.null = false;
  records.memory = Blob::view_of({at_, length.value});
  at_ += length.value;
  return true;
}

// A struct that may be null has a mark in front: -1 for null, but 0 where it is tagged.
bool Decoder::read_single_struct(const FieldTable& field, void* to) {
  if (field.nullable_in(version_)) {
    if (!need(1)) return false;
    const auto mark = static_cast<int8_t>(*at_++);
    if (mark < 0 || (mark == 0 && field.tag >= 0)) return set_null(field, to);
  }
  return read_struct(*field.type, field.optional ? field.optional->emplace(to) : to);
}

bool Decoder::read_element(const FieldTable& field, void* to) {
  switch (field.kind) {
    case Kind::kString:
      return read_text(field, to);
    case Kind::kBytes:
      return read_blob(field, to);
    case Kind::kRecords:
      return read_records(field, to);
    case Kind::kStruct:
      return read_struct(*field.type, to);
    default:
      if (!need(fixed_size(field.kind))) return false;
      read_fixed(field.kind, to);
      return true;
  }
}

bool Decoder::read_array(const FieldTable& field, void* to) {
  Length length;
  if (!read_length(field, 4, length)) return false;
  if (length.null) return set_null(field, to);
  const size_t fixed = fixed_size(field.kind);
  size_t least = fixed ? fixed : field.kind == Kind::kStruct ? field.type->least_size : 1;
  if (least == 0) least = 1;
  if (length.value > left() / least) return fail("more elements than bytes");
  void* array = field.optional ? field.optional->emplace(to) : to;
  const size_t step = field.array->element_size;
  if (fixed) {
    char* element = static_cast<char*>(field.array->resize(array, length.value));
    for (uint64_t i = 0; i < length.value; ++i, element += step) read_fixed(field.kind, element);
    return true;
  }
  // An element of an array is never null.
  FieldTable plain = field;
  plain.null_from = INT16_MAX;
  plain.null_to = -1;
  // Memory is taken in steps, so that a broken array costs no more than twice what was really read of it.
  uint64_t ready = std::min<uint64_t>(length.value, kFirstElements);
  char* elements = static_cast<char*>(field.array->resize(array, ready));
  for (uint64_t i = 0; i < length.value; ++i) {
    if (i == ready) {
      ready = std::min<uint64_t>(length.value, ready * 2);
      elements = static_cast<char*>(field.array->resize(array, ready));
    }
    if (!read_element(plain, elements + i * step)) return false;
  }
  return true;
}

bool Decoder::read_field(const FieldTable& field, void* to) {
  bool done;
  if (field.array) {
    done = read_array(field, to);
  } else if (field.kind == Kind::kStruct) {
    done = read_single_struct(field, to);
  } else {
    done = read_element(field, to);
  }
  if (!done && !field_) field_ = &field;
  return done;
}

bool Decoder::read_tag(const StructTable& table, void* to, uint32_t tag, uint64_t size) {
  for (const auto& field : table.fields) {
    if (field.tag != static_cast<int32_t>(tag) || !field.in(version_)) continue;
    const uint8_t* after = at_ + size;
    const uint8_t* end = end_;
    end_ = after;
    if (!read_field(field, at_offset(to, field.offset))) return false;
    end_ = end;
    return at_ == after || fail("tagged field with bytes left over");
  }
  as<UnknownTags>(at_offset(to, table.unknown_tags_offset)).push_back({tag, Blob::view_of({at_, size})});
  at_ += size;
  return true;
}

bool Decoder::read_tags(const StructTable& table, void* to) {
  uint64_t count = 0;
  if (!read_uvarint(count)) return false;
  int64_t last = -1;
  for (; count > 0; --count) {
    uint64_t tag = 0;
    uint64_t size = 0;
    if (!read_uvarint(tag) || !read_uvarint(size)) return false;
    if (static_cast<int64_t>(tag) <= last) return fail("tags not in ascending order");
    last = static_cast<int64_t>(tag);
    if (!need(size) || !read_tag(table, to, static_cast<uint32_t>(tag), size)) return false;
  }
  return true;
}

bool Decoder::read_struct(const StructTable& table, void* to) {
  for (const auto& field : table.fields) {
    if (!field.in(version_) || (flexible_ && field.tag >= 0)) continue;
    if (!read_field(field, at_offset(to, field.offset))) return false;
  }
  return !flexible_ || read_tags(table, to);
}

// --- Encoding

class Writer {
 public:
  Writer(Encoder& to, int16_t version, bool flexible) : to_(to), version_(version), flexible_(flexible) {}
  bool write_struct(const StructTable& table, const void* from);
  [[nodiscard]] ErrorCode code() const { return code_; }
  [[nodiscard]] const char* problem() const { return problem_; }
  [[nodiscard]] const char* field() const { return field_ ? field_->name : "tagged fields"; }

 private:
  bool fail(ErrorCode code, const char* problem, const FieldTable* field) {
    code_ = code;
    problem_ = problem;
    field_ = field;
    return false;
  }
  void write_length(const FieldTable& field, size_t classic_size, uint64_t length);
  bool write_null(const FieldTable& field, size_t classic_size);
  bool write_field(const FieldTable& field, const void* from);
  bool write_array(const FieldTable& field, const void* array);
  bool write_element(const FieldTable& field, const void* from);
  void write_fixed(Kind kind, const void* from, uint8_t* to);
  bool write_tags(const StructTable& table, const void* from);
  bool write_tag(const FieldTable& field, const void* from);

  Encoder& to_;
  int16_t version_;
  bool flexible_;
  ErrorCode code_ = ErrorCode::kNone;
  const char* problem_ = nullptr;
  const FieldTable* field_ = nullptr;
};

void Writer::write_length(const FieldTable& field, size_t classic_size, uint64_t length) {
  if (flexible_ && !field.classic) {
    to_.put_uvarint(length + 1);
  } else if (classic_size == 2) {
    to_.put(static_cast<int16_t>(length));
  } else {
    to_.put(static_cast<int32_t>(length));
  }
}

bool Writer::write_null(const FieldTable& field, size_t classic_size) {
  if (!field.nullable_in(version_)) return fail(ErrorCode::kInvalidRequest, "null where a value must be", &field);
  if (field.kind == Kind::kStruct && !field.array) {
    to_.put<int8_t>(field.tag >= 0 ? 0 : -1);
  } else {
    write_length(field, classic_size, UINT64_MAX);  // -1, or compact 0.
  }
  return true;
}

void Writer::write_fixed(Kind kind, const void* from, uint8_t* to) {
  switch (fixed_size(kind)) {
    case 1:
      *to = as<uint8_t>(from);
      break;
    case 2:
      store_be(to, as<uint16_t>(from));
      break;
    case 4:
      store_be(to, as<uint32_t>(from));
      break;
    case 8:
      store_be(to, as<uint64_t>(from));
      break;
    default:
      store_be(to, as<Uuid>(from).high);
      store_be(to + 8, as<Uuid>(from).low);
  }
}

bool Writer::write_element(const FieldTable& field, const void* from) {
  switch (field.kind) {
    case Kind::kString: {
      const auto text = as<Text>(from).view();
      if (text.size() > kMaxTextBytes) return fail(ErrorCode::kInvalidRequest, "string too long", &field);
      write_length(field, 2, text.size());
      to_.put_bytes(as_bytes(text));
      return true;
    }
    case Kind::kBytes:
      write_length(field, 4, as<Blob>(from).size());
      to_.put_bytes(as<Blob>(from).view());
      return true;
    case Kind::kRecords:
      if (as<Records>(from).null) return write_null(field, 4);
      write_length(field, 4, as<Records>(from).size());
      to_.put_records(as<Records>(from));
      return true;
    case Kind::kStruct:
      return write_struct(*field.type, from);
    default:
      write_fixed(field.kind, from, to_.grow(fixed_size(field.kind)));
      return true;
  }
}

bool Writer::write_array(const FieldTable& field, const void* array) {
  const size_t count = field.array->size(array);
  write_length(field, 4, count);
  const char* element = static_cast<const char*>(field.array->data(array));
  const size_t step = field.array->element_size;
  if (const size_t fixed = fixed_size(field.kind)) {
    uint8_t* to = to_.grow(fixed * count);
    for (size_t i = 0; i < count; ++i, element += step, to += fixed) write_fixed(field.kind, element, to);
    return true;
  }
  for (size_t i = 0; i < count; ++i, element += step) {
    if (!write_element(field, element)) return false;
  }
  return true;
}

bool Writer::write_field(const FieldTable& field, const void* from) {
  if (field.optional) {
    from = field.optional->get(from);
    if (!from) return write_null(field, field.kind == Kind::kString && !field.array ? 2 : 4);
  }
  if (field.array) return write_array(field, from);
  if (field.kind == Kind::kStruct && field.nullable_in(version_)) to_.put<int8_t>(1);
  return write_element(field, from);
}

bool Writer::write_tag(const FieldTable& field, const void* from) {
  to_.put_uvarint(static_cast<uint64_t>(field.tag));
  const size_t at = to_.position();
  if (!write_field(field, from)) return false;
  to_.insert_uvarint(at, to_.position() - at);
  return true;
}

// Known and unknown tags in one ascending row.
bool Writer::write_tags(const StructTable& table, const void* from) {
  const auto& unknown = as<UnknownTags>(at_offset(from, table.unknown_tags_offset));
  const auto is_written = [&](const FieldTable& field) {
    return field.tag >= 0 && field.in(version_) && !is_default(field, at_offset(from, field.offset));
  };
  uint64_t count = unknown.size();
  for (const auto& field : table.fields) count += is_written(field);
  to_.put_uvarint(count);
  if (count == 0) return true;
  size_t next = 0;
  const auto write_unknown = [&] {
    to_.put_uvarint(unknown[next].tag);
    to_.put_uvarint(unknown[next].bytes.size());
    to_.put_bytes(unknown[next].bytes.view());
    ++next;
  };
  for (const auto& field : table.fields) {
    if (!is_written(field)) continue;
    while (next < unknown.size() && unknown[next].tag < static_cast<uint32_t>(field.tag)) write_unknown();
    if (next < unknown.size() && unknown[next].tag == static_cast<uint32_t>(field.tag)) {
      return fail(ErrorCode::kInvalidRequest, "the same tag known and unknown", &field);
    }
    if (!write_tag(field, at_offset(from, field.offset))) return false;
  }
  while (next < unknown.size()) write_unknown();
  return true;
}

bool Writer::write_struct(const StructTable& table, const void* from) {
  for (const auto& field : table.fields) {
    const void* value = at_offset(from, field.offset);
    if (!field.in(version_)) {
      if (!field.ignorable && !is_default(field, value)) return fail(ErrorCode::kUnsupportedVersion, "not in this version", &field);
      continue;
    }
    if (field.tag >= 0 && flexible_) continue;
    if (!write_field(field, value)) return false;
  }
  if (flexible_) return write_tags(table, from);
  if (as<UnknownTags>(at_offset(from, table.unknown_tags_offset)).empty()) return true;
  return fail(ErrorCode::kUnsupportedVersion, "not in this version", nullptr);
}

std::unexpected<Error> fail_version(const MessageTable& table, int16_t version) {
  return fail(ErrorCode::kUnsupportedVersion, fmt::format("{} has no version {}", table.name(), version));
}

}  // namespace

Result<size_t> decode_message(const MessageTable& table, void* message, Bytes bytes, int16_t version) {
  if (version < table.min_version || version > table.max_version) return fail_version(table, version);
  Decoder decoder(bytes, version, version >= table.first_flexible);
  if (!decoder.read_struct(table.fields, message)) {
    const auto at = decoder.position() - bytes.data();
    return fail(ErrorCode::kInvalidRequest,
                fmt::format("{} version {}, {} at byte {}: {}", table.name(), version, decoder.field(), at, decoder.problem()));
  }
  return static_cast<size_t>(decoder.position() - bytes.data());
}

Result<void> encode_message(const MessageTable& table, const void* message, int16_t version, Encoder& to) {
  if (version < table.min_version || version > table.max_version) return fail_version(table, version);
  Writer writer(to, version, version >= table.first_flexible);
  if (!writer.write_struct(table.fields, message)) {
    return fail(writer.code(), fmt::format("{} version {}, {}: {}", table.name(), version, writer.field(), writer.problem()));
  }
  return {};
}

std::unexpected<Error> fail_trailing(const MessageTable& table, size_t count) {
  return fail(ErrorCode::kInvalidRequest, fmt::format("{}: {} bytes left over", table.name(), count));
}

void put_record_prefix(Encoder& to, int16_t number) { to.put(number); }

Result<int16_t> record_prefix(Bytes record) {
  if (record.size() < 2) return fail(ErrorCode::kInvalidRequest, "record shorter than its version");
  return load_be<int16_t>(record.data());
}

}  // namespace samsa::protocol
