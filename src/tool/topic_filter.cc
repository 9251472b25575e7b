#include "tool/topic_filter.h"

#include <fmt/format.h>
#include <re2/re2.h>

namespace samsa::tool {

Result<IncludeList> IncludeList::create(std::string_view text) {
  std::string pattern;
  for (const char c : text) {
    if (c == ',') pattern += '|';
    else if (c != '"' && c != '\'' && c != ' ') pattern += c;
  }
  IncludeList list;
  list.pattern_ = std::make_shared<const re2::RE2>(pattern, re2::RE2::Quiet);
  if (!list.pattern_->ok()) return fail(ErrorCode::kInvalidRegularExpression, fmt::format("{} is an invalid regex.", text));
  return list;
}

bool IncludeList::matches(std::string_view topic) const { return re2::RE2::FullMatch(re2::StringPiece(topic.data(), topic.size()), *pattern_); }

Result<TopicPartitionFilter> TopicPartitionFilter::of(std::string_view topics, std::set<int32_t> partitions) {
  TopicPartitionFilter filter;
  TRY_ASSIGN(auto list, IncludeList::create(topics));
  filter.rules_.push_back({std::move(list), 0, INT32_MAX, std::move(partitions)});
  return filter;
}

Result<TopicPartitionFilter> TopicPartitionFilter::parse_list(std::string_view text) {
  static const re2::RE2 kRule("([^:,]*)(?::(?:([0-9]*)|(?:([0-9]*)-([0-9]*))))?");
  TopicPartitionFilter filter;
  while (true) {
    const size_t comma = text.find(',');
    const std::string rule(text.substr(0, comma));
    std::string topics, single, lower, upper;
    if (!re2::RE2::FullMatch(rule, kRule, &topics, &single, &lower, &upper)) {
      return fail(ErrorCode::kInvalidRequest, "Invalid rule specification: " + rule);
    }
    TRY_ASSIGN(auto list, IncludeList::create(topics.empty() ? ".*" : topics));
    const auto number = [](const std::string& digits, int64_t otherwise) -> int32_t {
      if (digits.empty()) return static_cast<int32_t>(otherwise);
      return digits.size() > 9 ? INT32_MAX : static_cast<int32_t>(std::stol(digits));
    };
    if (single.empty()) {
      filter.rules_.push_back({std::move(list), number(lower, 0), number(upper, INT32_MAX), {}});
    } else {
      filter.rules_.push_back({std::move(list), 0, INT32_MAX, {number(single, 0)}});
    }
    if (comma == std::string_view::npos) return filter;
    text.remove_prefix(comma + 1);
  }
}

bool TopicPartitionFilter::matches(std::string_view topic, int32_t partition) const {
  for (const auto& rule : rules_) {
    if (!rule.topics.matches(topic)) continue;
    if (rule.only.empty() ? partition >= rule.lower && partition < rule.upper : rule.only.contains(partition)) return true;
  }
  return false;
}

}  // namespace samsa::tool
