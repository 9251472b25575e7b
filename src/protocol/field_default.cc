#include "protocol/field_default.h"

namespace samsa::protocol {
namespace {

template <class T>
const T& as(const void* at) {
  return *static_cast<const T*>(at);
}

bool struct_is_default(const StructTable& table, const void* value) {
  for (const auto& field : table.fields) {
    if (!is_default(field, static_cast<const char*>(value) + field.offset)) return false;
  }
  return as<UnknownTags>(static_cast<const char*>(value) + table.unknown_tags_offset).empty();
}

}  // namespace

bool is_default(const FieldTable& field, const void* value) {
  if (field.optional) {
    value = field.optional->get(value);
    if (field.null_by_default || !value) return field.null_by_default && !value;
  }
  if (field.array) return field.array->size(value) == 0;
  switch (field.kind) {
    case Kind::kBool:
      return as<bool>(value) == (field.number != 0);
    case Kind::kInt8:
      return as<int8_t>(value) == field.number;
    case Kind::kInt16:
      return as<int16_t>(value) == field.number;
    case Kind::kUint16:
      return as<uint16_t>(value) == field.number;
    case Kind::kInt32:
      return as<int32_t>(value) == field.number;
    case Kind::kUint32:
      return as<uint32_t>(value) == field.number;
    case Kind::kInt64:
      return as<int64_t>(value) == field.number;
    case Kind::kFloat64:
      return as<double>(value) == static_cast<double>(field.number);
    case Kind::kUuid:
      return as<Uuid>(value).is_zero();
    case Kind::kString:
      return as<Text>(value).empty();
    case Kind::kBytes:
      return as<Blob>(value).empty();
    case Kind::kRecords:
      return as<Records>(value).null;
    case Kind::kStruct:
      return struct_is_default(*field.type, value);
  }
  return true;
}

}  // namespace samsa::protocol
