// The one table of every metric (metrics/names.def): the MBean that Kafka has it under, the name that Prometheus sees, kind, unit
// and a line of help. docs/METRICS.md is made of the same table; a test keeps them equal.
//
// The rule from the one name to the other is what users of Prometheus' JMX exporter know from its rules for Kafka: domain, type and name
// (or attribute) joined by "_", in lower case, everything that may not stand in a name an "_"; "PerSec" gives way to "_total" (the count) and
// "_oneminuterate"; a name that ends in "Percent" ends in "_percent". The other keys of the MBean are labels of the same spelling.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace samsa::metrics {

enum class Kind : uint8_t {
  kGauge,
  kCounter,    // Grows from the start of the process on.
  kMeter,      // A count and its one-minute rate.
  kHistogram,  // Percentiles, maximum, sum, count of plain numbers.
  kTimer,      // The same, recorded in microseconds, shown in milliseconds.
};

// What the same metric of several shards comes to.
enum class Merge : uint8_t { kSum, kMax };

enum class Metric : uint16_t {
#define SAMSA_METRIC(id, mbean, attribute, kind, merge, unit, help) id,
#include "metrics/names.def"
#undef SAMSA_METRIC
};

struct MetricInfo {
  std::string_view mbean;      // "kafka.server:type=ReplicaManager,name=LeaderCount"; without a ":" the Prometheus name of one of ours.
  std::string_view attribute;  // Of MBeans that have many (those without a name); a meter's without "-rate", "-total", "-count".
  Kind kind;
  Merge merge;
  std::string_view unit;
  std::string_view help;
};

inline constexpr size_t kMetricCount = 0
#define SAMSA_METRIC(id, mbean, attribute, kind, merge, unit, help) +1
#include "metrics/names.def"
#undef SAMSA_METRIC
    ;

const MetricInfo& info(Metric metric);
// Without the ending that a meter's or a histogram's parts have.
const std::string& prometheus_name(Metric metric);
// The rule itself.
std::string prometheus_name(const MetricInfo& info);

}  // namespace samsa::metrics
