#include "tool/formatter.h"

#include <fmt/format.h>

#include <bit>

namespace samsa::tool {
namespace {

using Properties = std::map<std::string, std::string>;

// Bytes to the text that Java's deserializer and toString give. INVALID_RECORD when the length does not fit.
Result<std::string> deserialize(const std::string& java_class, const std::string& bytes) {
  const std::string name = java_class.substr(java_class.rfind('.') + 1);
  const auto* at = reinterpret_cast<const uint8_t*>(bytes.data());
  const auto wrong_size = [&](size_t wanted) {
    return fail(ErrorCode::kInvalidRecord, fmt::format("Size of data received by {} is not {}", name, wanted));
  };
  if (name == "IntegerDeserializer") return bytes.size() == 4 ? Result<std::string>(std::to_string(load_be<int32_t>(at))) : wrong_size(4);
  if (name == "LongDeserializer") return bytes.size() == 8 ? Result<std::string>(std::to_string(load_be<int64_t>(at))) : wrong_size(8);
  if (name == "ShortDeserializer") return bytes.size() == 2 ? Result<std::string>(std::to_string(load_be<int16_t>(at))) : wrong_size(2);
  if (name == "DoubleDeserializer") {
    return bytes.size() == 8 ? Result<std::string>(fmt::format("{}", std::bit_cast<double>(load_be<uint64_t>(at)))) : wrong_size(8);
  }
  if (name == "FloatDeserializer") {
    return bytes.size() == 4 ? Result<std::string>(fmt::format("{}", std::bit_cast<float>(load_be<uint32_t>(at)))) : wrong_size(4);
  }
  return bytes;
}

}  // namespace

bool knows_deserializer(const std::string& java_class) {
  for (const char* known : {"StringDeserializer", "ByteArrayDeserializer", "BytesDeserializer", "ByteBufferDeserializer", "UUIDDeserializer",
                            "IntegerDeserializer", "LongDeserializer", "ShortDeserializer", "DoubleDeserializer", "FloatDeserializer"}) {
    if (java_class.ends_with(std::string(".") + known) || java_class == known) return true;
  }
  return false;
}

namespace {

class DefaultFormatter final : public Formatter {
 public:
  static Result<std::unique_ptr<Formatter>> create(const Properties& properties) {
    auto formatter = std::make_unique<DefaultFormatter>();
    const auto flag = [&](const char* name, bool& into) {
      const auto found = properties.find(name);
      if (found != properties.end()) into = found->second == "true" || found->second == "TRUE" || found->second == "True";
    };
    const auto text = [&](const char* name, std::string& into) {
      if (const auto found = properties.find(name); found != properties.end()) into = found->second;
    };
    flag("print.timestamp", formatter->timestamp_);
    flag("print.partition", formatter->partition_);
    flag("print.offset", formatter->offset_);
    flag("print.delivery", formatter->delivery_);
    flag("print.epoch", formatter->epoch_);
    flag("print.headers", formatter->headers_);
    flag("print.key", formatter->key_);
    flag("print.value", formatter->value_);
    text("key.separator", formatter->key_separator_);
    text("line.separator", formatter->line_separator_);
    text("headers.separator", formatter->headers_separator_);
    text("null.literal", formatter->null_literal_);
    text("key.deserializer", formatter->key_class_);
    text("value.deserializer", formatter->value_class_);
    text("headers.deserializer", formatter->headers_class_);
    for (const auto* name : {&formatter->key_class_, &formatter->value_class_, &formatter->headers_class_}) {
      if (!name->empty() && !knows_deserializer(*name)) {
        return fail(ErrorCode::kInvalidConfig, fmt::format("Unable to instantiate a deserializer from {}", *name));
      }
    }
    return std::unique_ptr<Formatter>(std::move(formatter));
  }

  Result<void> format(const client::ConsumedRecord& record, std::string& to) override {
    const size_t start = to.size();
    const auto outcome = write(record, to);
    if (!outcome) to.resize(start);
    return outcome;
  }

 private:
  [[nodiscard]] Result<std::string> shown(const std::optional<std::string>& bytes, const std::string& java_class) const {
    return deserialize(java_class, bytes ? *bytes : null_literal_);
  }

  Result<void> write(const client::ConsumedRecord& record, std::string& to) const {
    // Each column ends with the key separator, the last one with the line separator.
    int left = timestamp_ + partition_ + offset_ + delivery_ + epoch_ + headers_ + key_ + value_;
    const auto end_column = [&] { to += --left > 0 ? key_separator_ : line_separator_; };
    if (timestamp_) {
      to += record.timestamp == kNoTimestamp ? std::string("NO_TIMESTAMP")
                                             : fmt::format("{}:{}", protocol::timestamp_type_name(record.timestamp_type), record.timestamp);
      end_column();
    }
    if (partition_) to += fmt::format("Partition:{}", record.partition), end_column();
    if (offset_) to += fmt::format("Offset:{}", record.offset), end_column();
    if (delivery_) to += "Delivery:NOT_PRESENT", end_column();
    // Java's tool hands its formatter records without an epoch.
    if (epoch_) to += "Epoch:NOT_PRESENT", end_column();
    if (headers_) {
      if (record.headers.empty()) to += "NO_HEADERS";
      for (size_t i = 0; i < record.headers.size(); ++i) {
        TRY_ASSIGN(const std::string value, shown(record.headers[i].second, headers_class_));
        to += (i ? headers_separator_ : "") + record.headers[i].first + ":" + value;
      }
      end_column();
    }
    if (key_) {
      TRY_ASSIGN(const std::string key, shown(record.key, key_class_));
      to += key;
      end_column();
    }
    if (value_) {
      TRY_ASSIGN(const std::string value, shown(record.value, value_class_));
      to += value;
      end_column();
    }
    return {};
  }

  bool timestamp_ = false, partition_ = false, offset_ = false, delivery_ = false, epoch_ = false, headers_ = false, key_ = false, value_ = true;
  std::string key_separator_ = "\t", line_separator_ = "\n", headers_separator_ = ",", null_literal_ = "null";
  std::string key_class_, value_class_, headers_class_;
};

// Writes nothing; for measuring.
class NoOpFormatter final : public Formatter {
 public:
  Result<void> format(const client::ConsumedRecord&, std::string&) override { return {}; }
};

}  // namespace

Result<std::unique_ptr<Formatter>> make_formatter(const std::string& java_class, const Properties& properties) {
  const std::string name = java_class.substr(java_class.rfind('.') + 1);
  // Java's LoggingMessageFormatter logs each record at INFO besides, which its tools do not show.
  if (name == "DefaultMessageFormatter" || name == "LoggingMessageFormatter") return DefaultFormatter::create(properties);
  if (name == "NoOpMessageFormatter") return std::make_unique<NoOpFormatter>();
  return fail(ErrorCode::kInvalidConfig, fmt::format("Unable to instantiate a formatter from {}: known are DefaultMessageFormatter, LoggingMessageFormatter and NoOpMessageFormatter", java_class));
}

}  // namespace samsa::tool
