// Formatter: how kafka-console-consumer.sh writes a record. The names are those of Java's formatters; the default one takes the
// properties print.timestamp, print.key, print.offset, print.partition, print.epoch, print.headers, print.value, key.separator, line.separator,
// headers.separator, null.literal, and deserializers by their Java class names (String, Integer, Long, Short, Double, Float, ByteArray,
// UUID). Pure.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "client/consumer.h"

namespace samsa::tool {

class Formatter {
 public:
  virtual ~Formatter() = default;
  // Appends the record as text; an error leaves `to` alone.
  virtual Result<void> format(const client::ConsumedRecord& record, std::string& to) = 0;
};

// Whether a formatter can read with this Java class.
bool knows_deserializer(const std::string& java_class);
// INVALID_CONFIG for a class that is not known here.
Result<std::unique_ptr<Formatter>> make_formatter(const std::string& java_class, const std::map<std::string, std::string>& properties);

}  // namespace samsa::tool
