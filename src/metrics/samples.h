// Samples: the values of one scrape, as plain data that may travel between shards. Every shard fills one, they are merged, and
// to_text makes the answer of them: Prometheus' text format, version 0.0.4.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "metrics/histogram.h"
#include "metrics/meter.h"
#include "metrics/names.h"

namespace samsa::metrics {

// A label set as it stands between the braces: labels("topic", name, "partition", 3).
void append_label(std::string& to, std::string_view key, std::string_view value);
inline void append_labels(std::string&) {}
template <class V, class... Rest>
void append_labels(std::string& to, std::string_view key, const V& value, const Rest&... rest) {
  if constexpr (std::is_integral_v<V>) {
    append_label(to, key, std::to_string(value));
  } else {
    append_label(to, key, value);
  }
  append_labels(to, rest...);
}
template <class... Args>
std::string labels(const Args&... args) {
  std::string to;
  append_labels(to, args...);
  return to;
}

class Samples {
 public:
  Samples() : families_(kMetricCount) {}

  // A gauge or counter. The same metric with the same labels twice: merged by the metric's rule, as is done between shards.
  void add(Metric metric, double value, std::string labels = {});
  void add(Metric metric, const Meter& meter, std::string labels = {});
  void add(Metric metric, const Histogram& histogram, std::string labels = {});
  void merge(const Samples& other);

  // The value of a gauge, counter or a meter's count; 0 where there is none.
  [[nodiscard]] double value(Metric metric, std::string_view labels = {}) const;
  // How many values there are in all.
  [[nodiscard]] size_t size() const;
  // Adds the lines of one metric, with HELP and TYPE; nothing where it has no value. Metrics in the order of the table.
  void append_text(Metric metric, std::string& to) const;
  [[nodiscard]] std::string to_text() const;

 private:
  struct Value {
    double number = 0;  // A meter's count.
    double rate = 0;
    std::shared_ptr<Distribution> distribution;
  };
  using Family = std::map<std::string, Value, std::less<>>;
  void append_meter(Metric metric, const Family& family, std::string& to) const;
  void append_histogram(Metric metric, const Family& family, std::string& to) const;
  std::vector<Family> families_;  // By Metric.
};

}  // namespace samsa::metrics
