#include "metrics/samples.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

namespace samsa::metrics {

namespace {

constexpr std::array<std::pair<double, std::string_view>, 6> kQuantiles{
    {{0.5, "0.50"}, {0.75, "0.75"}, {0.95, "0.95"}, {0.98, "0.98"}, {0.99, "0.99"}, {0.999, "0.999"}}};

void append_head(std::string& to, std::string_view name, std::string_view type, std::string_view help) {
  fmt::format_to(std::back_inserter(to), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void append_number(std::string& to, double value) {
  if (std::isnan(value)) {
    to += "NaN";
  } else if (std::isinf(value)) {
    to += value > 0 ? "+Inf" : "-Inf";
  } else if (value == std::floor(value) && std::abs(value) < 1e18) {
    fmt::format_to(std::back_inserter(to), "{}", static_cast<int64_t>(value));
  } else {
    fmt::format_to(std::back_inserter(to), "{}", value);
  }
}

void append_line(std::string& to, std::string_view name, std::string_view ending, std::string_view labels, double value) {
  to.append(name).append(ending);
  if (!labels.empty()) to.append("{").append(labels).append("}");
  to += ' ';
  append_number(to, value);
  to += '\n';
}

std::string with_unit(const MetricInfo& about) {
  if (about.unit.empty()) return std::string(about.help);
  return fmt::format("{} ({})", about.help, about.unit);
}

}  // namespace

void append_label(std::string& to, std::string_view key, std::string_view value) {
  if (!to.empty()) to += ',';
  to.append(key).append("=\"");
  for (const char c : value) {
    if (c == '\n') {
      to += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') to += '\\';
    to += c;
  }
  to += '"';
}

void Samples::add(Metric metric, double value, std::string labels) {
  const auto [at, fresh] = families_[static_cast<size_t>(metric)].try_emplace(std::move(labels));
  double& number = at->second.number;
  number = fresh ? value : info(metric).merge == Merge::kMax ? std::max(number, value) : number + value;
}

void Samples::add(Metric metric, const Meter& meter, std::string labels) {
  Value& value = families_[static_cast<size_t>(metric)][std::move(labels)];
  value.number += static_cast<double>(meter.value());
  value.rate += meter.rate();
}

void Samples::add(Metric metric, const Histogram& histogram, std::string labels) {
  Value& value = families_[static_cast<size_t>(metric)][std::move(labels)];
  if (!value.distribution) value.distribution = std::make_shared<Distribution>();
  histogram.add_to(*value.distribution);
}

void Samples::merge(const Samples& other) {
  for (size_t i = 0; i < families_.size(); ++i) {
    const auto metric = static_cast<Metric>(i);
    for (const auto& [labels, theirs] : other.families_[i]) {
      add(metric, theirs.number, labels);
      Value& mine = families_[i].find(labels)->second;
      mine.rate += theirs.rate;
      if (!theirs.distribution) continue;
      if (!mine.distribution) mine.distribution = std::make_shared<Distribution>();
      mine.distribution->merge(*theirs.distribution);
    }
  }
}

double Samples::value(Metric metric, std::string_view labels) const {
  const auto& family = families_[static_cast<size_t>(metric)];
  const auto at = family.find(labels);
  return at == family.end() ? 0 : at->second.number;
}

size_t Samples::size() const {
  size_t total = 0;
  for (const auto& family : families_) total += family.size();
  return total;
}

void Samples::append_meter(Metric metric, const Family& family, std::string& to) const {
  const MetricInfo& about = info(metric);
  const std::string& name = prometheus_name(metric);
  const std::string_view rate_ending = about.attribute.empty() ? "_oneminuterate" : "_rate";
  append_head(to, name + "_total", "counter", with_unit(about));
  for (const auto& [labels, value] : family) append_line(to, name, "_total", labels, value.number);
  append_head(to, fmt::format("{}{}", name, rate_ending), "gauge", with_unit(about) + ", per second over the last minute");
  for (const auto& [labels, value] : family) append_line(to, name, rate_ending, labels, value.rate);
}

void Samples::append_histogram(Metric metric, const Family& family, std::string& to) const {
  const MetricInfo& about = info(metric);
  const std::string& name = prometheus_name(metric);
  const double scale = about.kind == Kind::kTimer ? 1e-3 : 1;
  append_head(to, name, "summary", with_unit(about));
  std::string with_quantile;
  for (const auto& [labels, value] : family) {
    for (const auto& [fraction, quantile] : kQuantiles) {
      with_quantile = labels;
      append_label(with_quantile, "quantile", quantile);
      append_line(to, name, "", with_quantile, value.distribution->percentile(fraction) * scale);
    }
    append_line(to, name, "_sum", labels, value.distribution->sum * scale);
    append_line(to, name, "_count", labels, static_cast<double>(value.distribution->count));
  }
  append_head(to, name + "_max", "gauge", with_unit(about) + ", the greatest of late");
  for (const auto& [labels, value] : family) append_line(to, name, "_max", labels, static_cast<double>(value.distribution->max) * scale);
}

void Samples::append_text(Metric metric, std::string& to) const {
  const Family& family = families_[static_cast<size_t>(metric)];
  if (family.empty()) return;
  const MetricInfo& about = info(metric);
  if (about.kind == Kind::kMeter) return append_meter(metric, family, to);
  if (about.kind == Kind::kHistogram || about.kind == Kind::kTimer) return append_histogram(metric, family, to);
  append_head(to, prometheus_name(metric), about.kind == Kind::kCounter ? "counter" : "gauge", with_unit(about));
  for (const auto& [labels, value] : family) append_line(to, prometheus_name(metric), "", labels, value.number);
}

std::string Samples::to_text() const {
  std::string text;
  for (size_t i = 0; i < kMetricCount; ++i) append_text(static_cast<Metric>(i), text);
  return text;
}

}  // namespace samsa::metrics
