// Filters of topics and partitions, as the tools take them. Pure.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"

namespace re2 {
class RE2;
}

namespace samsa::tool {

// Kafka's include list: regular expressions separated by commas or bars, spaces and quotes dropped; must match the whole name.
class IncludeList {
 public:
  // INVALID_REGULAR_EXPRESSION when it is none.
  static Result<IncludeList> create(std::string_view text);
  [[nodiscard]] bool matches(std::string_view topic) const;

 private:
  std::shared_ptr<const re2::RE2> pattern_;
};

// Which partitions: "topic1:1,topic2:0-3,topic3,topic4:5-,:-3" (bounds: lower included, upper excluded), or a topic pattern and a set.
class TopicPartitionFilter {
 public:
  static Result<TopicPartitionFilter> parse_list(std::string_view text);
  // Empty `partitions`: all.
  static Result<TopicPartitionFilter> of(std::string_view topics, std::set<int32_t> partitions);
  [[nodiscard]] bool matches(std::string_view topic, int32_t partition) const;

 private:
  struct Rule {
    IncludeList topics;
    int32_t lower = 0;
    int32_t upper = INT32_MAX;  // Excluded.
    std::set<int32_t> only;
  };
  std::vector<Rule> rules_;
};

}  // namespace samsa::tool
