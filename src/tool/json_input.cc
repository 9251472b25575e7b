#include "tool/json_input.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "tool/java_text.h"

namespace samsa::tool {

namespace dom = simdjson::dom;

struct JsonInputReader {
  static JsonInput convert(const dom::element& element) {
    JsonInput json;
    switch (element.type()) {
      case dom::element_type::ARRAY:
        json.kind_ = JsonInput::Kind::kArray;
        for (const auto& item : element.get_array().value_unsafe()) json.items_.push_back(convert(item));
        break;
      case dom::element_type::OBJECT:
        json.kind_ = JsonInput::Kind::kObject;
        for (const auto& [name, value] : element.get_object().value_unsafe()) json.fields_.emplace_back(std::string(name), convert(value));
        break;
      case dom::element_type::INT64:
        json.kind_ = JsonInput::Kind::kInteger;
        json.integer_ = element.get_int64().value_unsafe();
        break;
      case dom::element_type::STRING:
        json.kind_ = JsonInput::Kind::kText;
        json.text_ = std::string(element.get_string().value_unsafe());
        break;
      case dom::element_type::BOOL:
        json.kind_ = JsonInput::Kind::kBool;
        json.bool_ = element.get_bool().value_unsafe();
        break;
      case dom::element_type::NULL_VALUE: break;
      default:
        json.kind_ = JsonInput::Kind::kOther;
        json.text_ = simdjson::minify(element);
    }
    return json;
  }
};

Result<JsonInput> JsonInput::parse(std::string_view json) {
  dom::parser parser;
  dom::element root;
  const auto error = parser.parse(json.data(), json.size()).get(root);
  if (error != simdjson::SUCCESS) return fail(ErrorCode::kInvalidRequest, simdjson::error_message(error));
  return JsonInputReader::convert(root);
}

std::string JsonInput::to_string() const {
  std::vector<std::string> parts;
  switch (kind_) {
    case Kind::kNull: return "null";
    case Kind::kBool: return bool_ ? "true" : "false";
    case Kind::kInteger: return fmt::format("{}", integer_);
    case Kind::kOther: return text_;
    case Kind::kText: return json_text(text_);
    case Kind::kArray:
      for (const auto& item : items_) parts.push_back(item.to_string());
      return fmt::format("[{}]", fmt::join(parts, ","));
    case Kind::kObject:
      for (const auto& [name, value] : fields_) parts.push_back(json_text(name) + ":" + value.to_string());
      return fmt::format("{{{}}}", fmt::join(parts, ","));
  }
  return "";
}

Result<const JsonInput*> JsonInput::object() const {
  if (kind_ == Kind::kObject) return this;
  return fail(ErrorCode::kInvalidRequest, "Expected JSON object, received " + to_string());
}

Result<const std::vector<JsonInput>*> JsonInput::array() const {
  if (kind_ == Kind::kArray) return &items_;
  return fail(ErrorCode::kInvalidRequest, "Expected JSON array, received " + to_string());
}

const JsonInput* JsonInput::find(std::string_view name) const {
  for (size_t i = fields_.size(); i-- > 0;) {
    if (fields_[i].first == name) return &fields_[i].second;
  }
  return nullptr;
}

Result<const JsonInput*> JsonInput::field(std::string_view name) const {
  if (const JsonInput* found = find(name)) return found;
  return fail(ErrorCode::kInvalidRequest, fmt::format("No such field exists: `{}`", name));
}

Result<std::string> JsonInput::text() const {
  if (kind_ == Kind::kText) return text_;
  return fail(ErrorCode::kInvalidRequest, "Expected `String` value, received " + to_string());
}

Result<int32_t> JsonInput::int32() const {
  if (kind_ == Kind::kInteger && integer_ >= INT32_MIN && integer_ <= INT32_MAX) return static_cast<int32_t>(integer_);
  return fail(ErrorCode::kInvalidRequest, "Expected `Integer` value, received " + to_string());
}

Result<int64_t> JsonInput::int64() const {
  if (kind_ == Kind::kInteger) return integer_;
  return fail(ErrorCode::kInvalidRequest, "Expected `Long` value, received " + to_string());
}

Result<std::vector<int32_t>> JsonInput::int32s() const {
  if (kind_ != Kind::kArray) return fail(ErrorCode::kInvalidRequest, "Expected `JSON array` value, received " + to_string());
  std::vector<int32_t> numbers;
  for (const auto& item : items_) {
    TRY_ASSIGN(const int32_t number, item.int32());
    numbers.push_back(number);
  }
  return numbers;
}

Result<std::vector<std::string>> JsonInput::texts() const {
  if (kind_ != Kind::kArray) return fail(ErrorCode::kInvalidRequest, "Expected `JSON array` value, received " + to_string());
  std::vector<std::string> texts;
  for (const auto& item : items_) {
    TRY_ASSIGN(std::string text, item.text());
    texts.push_back(std::move(text));
  }
  return texts;
}

}  // namespace samsa::tool
