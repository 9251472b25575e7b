// Random messages for tests: every field that a version has, with an eye on the values where codecs err (defaults, null, empty,
// the ends of number ranges, tags that nobody knows). Pure: the same seed gives the same message. Any thread.
#pragma once

#include <cstdint>
#include <memory>

#include "protocol/schema.h"

namespace samsa::protocol {

class RandomMessage {
 public:
  explicit RandomMessage(uint64_t seed) : state_(seed) {}

  // Fills a fresh message, so that it can be encoded at `version`.
  void fill(const MessageTable& table, void* message, int16_t version);
  // Uniform in [0, bound); bound > 0.
  uint64_t below(uint64_t bound) { return next() % bound; }
  uint64_t next();

 private:
  void fill_struct(const StructTable& table, void* to, int depth);
  void fill_field(const FieldTable& field, void* to, int depth);
  void fill_value(const FieldTable& field, void* to, int depth);
  int64_t number(const FieldTable& field);
  Text text();
  Blob blob();

  uint64_t state_;
  int16_t version_ = 0;
  bool flexible_ = false;
};

// A message that is known by its table only.
struct AnyMessage {
  explicit AnyMessage(const MessageTable& its_table) : table(its_table), object(table.object->create()) {}
  ~AnyMessage() { table.object->destroy(object); }
  AnyMessage(const AnyMessage&) = delete;
  AnyMessage& operator=(const AnyMessage&) = delete;
  const MessageTable& table;
  void* object;
};

}  // namespace samsa::protocol
