// ErrorPlaces: where the error codes of an API's answer stand, worked out once from the message's schema, so that counting them for
// RequestMetrics needs no code per API.
#pragma once

#include <cstdint>
#include <vector>

#include "protocol/schema.h"

namespace samsa::server {

class ErrorPlaces {
 public:
  explicit ErrorPlaces(const protocol::StructTable& message);

  // Calls f(int16_t code) for every error code that the answer carries in this version.
  template <class F>
  void for_each(const void* message, int16_t version, F&& f) const {
    walk(root_, static_cast<const uint8_t*>(message), version, f);
  }

 private:
  struct Code {
    uint32_t offset;
    int16_t from, to;
  };
  struct Node {
    const protocol::FieldTable* field = nullptr;  // A struct, or an array of them, that this node stands for; null: the message.
    std::vector<Code> codes;
    std::vector<Node> children;
  };
  static Node read(const protocol::StructTable& table);

  template <class F>
  static void walk(const Node& node, const uint8_t* at, int16_t version, F& f) {
    for (const Code& code : node.codes) {
      if (version >= code.from && version <= code.to) f(*reinterpret_cast<const int16_t*>(at + code.offset));
    }
    for (const Node& child : node.children) {
      const protocol::FieldTable* field = child.field;
      if (!field->in(version)) continue;
      const void* value = at + field->offset;
      if (field->optional != nullptr) value = field->optional->get(value);
      if (value == nullptr) continue;
      if (field->array == nullptr) {
        walk(child, static_cast<const uint8_t*>(value), version, f);
        continue;
      }
      const size_t count = field->array->size(value);
      const auto* element = static_cast<const uint8_t*>(field->array->data(value));
      for (size_t i = 0; i < count; ++i, element += field->array->element_size) walk(child, element, version, f);
    }
  }

  Node root_;
};

}  // namespace samsa::server
