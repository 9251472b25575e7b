// LineReader: turns lines into records for kafka-console-producer.sh, as Java's LineMessageReader does by its properties:
// parse.key, key.separator, parse.headers, headers.delimiter, headers.separator, headers.key.separator, null.marker, ignore.error;
// and of ours parse.partition and partition.separator: the number of the partition stands first on the line.
// Lines end with \n, \r or \r\n, as Java's BufferedReader has it. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "client/producer.h"

namespace samsa::tool {

class LineReader {
 public:
  // INVALID_CONFIG when two separators are the same.
  static Result<LineReader> create(std::string topic, const std::map<std::string, std::string>& properties);

  // INVALID_RECORD with Java's words and the line's number when a separator is missing.
  Result<client::ProducerRecord> read(std::string_view line);

 private:
  Result<std::optional<std::string_view>> cut(bool enabled, std::string_view& rest, std::string_view separator, std::string_view what, std::string_view line);
  Result<std::vector<client::RecordHeader>> headers(std::string_view text) const;
  [[nodiscard]] bool is_null(std::string_view text) const { return null_marker_ && *null_marker_ == text; }

  std::string topic_;
  bool parse_key_ = false, parse_headers_ = false, parse_partition_ = false, ignore_error_ = false;
  std::string key_separator_ = "\t", headers_delimiter_ = "\t", headers_separator_ = ",", headers_key_separator_ = ":";
  std::string partition_separator_ = "\t";
  std::optional<std::string> null_marker_;
  int64_t line_number_ = 0;
};

// Cuts a stream of bytes into lines.
class LineSplitter {
 public:
  // Gives bytes; `each` is called with every whole line.
  template <class F>
  void feed(std::string_view bytes, F each) {
    for (const char c : bytes) {
      if (c == '\n' && after_return_) {
        after_return_ = false;
        continue;
      }
      after_return_ = c == '\r';
      if (c != '\n' && c != '\r') {
        line_ += c;
        continue;
      }
      each(std::string_view(line_));
      line_.clear();
    }
  }
  // The last line, where it does not end with a line end.
  [[nodiscard]] std::optional<std::string> finish() {
    if (line_.empty()) return std::nullopt;
    return std::exchange(line_, {});
  }

 private:
  std::string line_;
  bool after_return_ = false;
};

}  // namespace samsa::tool
