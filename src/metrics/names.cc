#include "metrics/names.h"

#include <array>

namespace samsa::metrics {

namespace {

constexpr std::array<MetricInfo, kMetricCount> kInfos{{
#define SAMSA_METRIC(id, mbean, attribute, kind, merge, unit, help) {mbean, attribute, Kind::kind, Merge::merge, unit, help},
#include "metrics/names.def"
#undef SAMSA_METRIC
}};

// The value of a key of the MBean; empty where it has none.
std::string_view key_of(std::string_view mbean, std::string_view key) {
  for (size_t at = mbean.find(':'); at != std::string_view::npos; at = mbean.find(',', at + 1)) {
    const auto rest = mbean.substr(at + 1);
    if (!rest.starts_with(key) || rest.substr(key.size(), 1) != "=") continue;
    return rest.substr(key.size() + 1, rest.find_first_of(",[") - key.size() - 1);
  }
  return {};
}

void append_word(std::string& name, std::string_view word) {
  if (!name.empty()) name += '_';
  for (const char c : word) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    name += letter ? c : (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : '_';
  }
}

}  // namespace

const MetricInfo& info(Metric metric) { return kInfos[static_cast<size_t>(metric)]; }

std::string prometheus_name(const MetricInfo& info) {
  const size_t colon = info.mbean.find(':');
  if (colon == std::string_view::npos) return std::string(info.mbean);
  std::string name;
  append_word(name, info.mbean.substr(0, colon));
  append_word(name, key_of(info.mbean, "type"));
  std::string_view last = key_of(info.mbean, "name");
  bool percent = false;
  if (info.kind == Kind::kMeter && last.ends_with("PerSec")) last.remove_suffix(6);
  if (last.ends_with("Percent")) {
    last.remove_suffix(7);
    percent = true;
  }
  if (!last.empty()) append_word(name, last);
  if (percent) name += "_percent";
  if (!info.attribute.empty()) append_word(name, info.attribute);
  return name;
}

const std::string& prometheus_name(Metric metric) {
  static const auto kNames = [] {
    std::array<std::string, kMetricCount> names;
    for (size_t i = 0; i < kMetricCount; ++i) names[i] = prometheus_name(kInfos[i]);
    return names;
  }();
  return kNames[static_cast<size_t>(metric)];
}

}  // namespace samsa::metrics
