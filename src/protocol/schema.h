// The schema tables of messages: what the generator makes out of the .api definitions and protocol/codec.cc interprets.
//
// One FieldTable per field, in wire order with the tagged fields last by ascending tag; one StructTable per struct. Vectors,
// optionals and whole messages are reached through type-erased operations, so that the codec is compiled once and not per message.
// Tables are constants; any thread. Format: docs/formats/api-definitions.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "protocol/types.h"

namespace samsa::protocol {

enum class Kind : uint8_t {
  kBool,
  kInt8,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
  kInt64,
  kFloat64,
  kUuid,
  kString,
  kBytes,
  kRecords,
  kStruct,
};

// std::vector<T> behind a pointer.
struct ArrayOps {
  size_t (*size)(const void* array);
  const void* (*data)(const void* array);
  void* (*resize)(void* array, size_t count);  // New elements have their defaults; returns the data.
  size_t element_size;                         // Bytes in memory.
};
template <class V>
inline constexpr ArrayOps kArrayOps{
    [](const void* array) { return static_cast<const V*>(array)->size(); },
    [](const void* array) -> const void* { return static_cast<const V*>(array)->data(); },
    [](void* array, size_t count) -> void* {
      static_cast<V*>(array)->resize(count);
      return static_cast<V*>(array)->data();
    },
    sizeof(typename V::value_type),
};

// std::optional<T> behind a pointer.
struct OptionalOps {
  const void* (*get)(const void* optional);  // Null where it holds nothing.
  void* (*emplace)(void* optional);          // A fresh default value.
  void (*reset)(void* optional);
};
template <class T>
inline constexpr OptionalOps kOptionalOps{
    [](const void* optional) -> const void* {
      const auto& held = *static_cast<const std::optional<T>*>(optional);
      return held ? &*held : nullptr;
    },
    [](void* optional) -> void* { return &static_cast<std::optional<T>*>(optional)->emplace(); },
    [](void* optional) { static_cast<std::optional<T>*>(optional)->reset(); },
};

// A whole message behind a pointer, for those who walk all of them (tests, tools).
struct ObjectOps {
  void* (*create)();
  void (*destroy)(void* object);
};
template <class T>
inline constexpr ObjectOps kObjectOps{
    []() -> void* { return new T(); },
    [](void* object) { delete static_cast<T*>(object); },
};

struct StructTable;

struct FieldTable {
  const char* name;
  uint32_t offset;                              // Bytes into the struct.
  Kind kind;                                    // Of the value, or of the elements.
  int16_t from, to;                             // Versions that have it.
  int16_t null_from = INT16_MAX, null_to = -1;  // Versions in which it may be null.
  int16_t tag = -1;                             // -1: not tagged. Tagged in every version that has it.
  bool ignorable = false;                       // A value may be dropped silently where the version lacks the field.
  bool classic = false;                         // Never compact, as the header's client id.
  bool null_by_default = false;
  int64_t number = 0;                     // Default of a number or bool.
  const StructTable* type = nullptr;      // kStruct
  const ArrayOps* array = nullptr;        // Where it is an array.
  const OptionalOps* optional = nullptr;  // Where it is a std::optional. Records carry their null themselves.

  [[nodiscard]] bool in(int16_t version) const { return version >= from && version <= to; }
  [[nodiscard]] bool nullable_in(int16_t version) const { return version >= null_from && version <= null_to; }
};

struct StructTable {
  const char* name;
  std::span<const FieldTable> fields;
  size_t size;                 // Bytes in memory.
  size_t unknown_tags_offset;  // Bytes into the struct.
  size_t least_size;           // Bytes on the wire in any version at least.
};

enum class MessageKind : uint8_t { kRequest, kResponse, kHeader, kData, kKey, kValue, kMetadata, kRemote };

struct MessageTable {
  const StructTable& fields;
  MessageKind kind;
  int16_t key;  // API key, or the record's type; -1: none.
  int16_t min_version, max_version;
  int16_t first_flexible;  // INT16_MAX: never.
  const ObjectOps* object;

  [[nodiscard]] const char* name() const { return fields.name; }
};

// Every message there is, in no particular order.
std::vector<const MessageTable*> all_messages();

}  // namespace samsa::protocol
