// JSON files that tools are given: parsed into a tree of our own, with the complaints that Kafka's tools make of what is not there or of
// another type. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace samsa::tool {

class JsonInput {
 public:
  enum class Kind { kNull, kBool, kInteger, kOther, kText, kArray, kObject };

  // INVALID_REQUEST where it is no JSON.
  static Result<JsonInput> parse(std::string_view json);

  // Each fails with INVALID_REQUEST: "Expected JSON object, received [1]", "No such field exists: `topic`", "Expected `Integer` value, received "x"".
  [[nodiscard]] Result<const JsonInput*> object() const;  // This, if it is an object.
  [[nodiscard]] Result<const std::vector<JsonInput>*> array() const;
  [[nodiscard]] Result<const JsonInput*> field(std::string_view name) const;
  [[nodiscard]] Result<std::string> text() const;
  [[nodiscard]] Result<int32_t> int32() const;
  [[nodiscard]] Result<int64_t> int64() const;
  [[nodiscard]] Result<std::vector<int32_t>> int32s() const;
  [[nodiscard]] Result<std::vector<std::string>> texts() const;
  // Of an object; the last one of that name; nullptr: it has none.
  [[nodiscard]] const JsonInput* find(std::string_view name) const;

 private:
  friend struct JsonInputReader;
  // As Jackson writes it.
  [[nodiscard]] std::string to_string() const;

  Kind kind_ = Kind::kNull;
  bool bool_ = false;
  int64_t integer_ = 0;
  std::string text_;  // Of kText; of kOther what it looks like.
  std::vector<JsonInput> items_;
  std::vector<std::pair<std::string, JsonInput>> fields_;
};

}  // namespace samsa::tool
