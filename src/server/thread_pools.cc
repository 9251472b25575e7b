#include "server/thread_pools.h"

#include <fmt/format.h>

namespace samsa::server {

Result<void> check_thread_pools(const config::Layers& now, const config::Layers& then) {
  static constexpr std::string_view kPools[] = {"background.threads",   "num.io.threads", "num.network.threads", "num.recovery.threads.per.data.dir",
                                                "num.replica.fetchers", "log.cleaner.threads"};
  for (const auto name : kPools) {
    const auto before = config::effective_value(config::Kind::kBroker, name, now), after = config::effective_value(config::Kind::kBroker, name, then);
    if (!std::holds_alternative<int64_t>(before) || !std::holds_alternative<int64_t>(after) || before == after) continue;
    const int64_t was = std::get<int64_t>(before), wanted = std::get<int64_t>(after);
    const bool cleaner = name == "log.cleaner.threads";
    std::string why;
    if (wanted < 1) {
      why = cleaner ? "Log cleaner threads should be at least 1" : "value should be at least 1";
    } else if (wanted < was / 2) {
      why = fmt::format("{} the current value {}", cleaner ? "Log cleaner threads cannot be reduced to less than half" : "value should be at least half", was);
    } else if (wanted > was * 2) {
      why = fmt::format("{} the current value {}",
                        cleaner ? "Log cleaner threads cannot be increased to more than double" : "value should not be greater than double", was);
    }
    if (why.empty()) continue;
    if (!cleaner) why = fmt::format("Dynamic thread count update validation failed for {}={}, {}", name, wanted, why);
    return fail(ErrorCode::kInvalidRequest,
                fmt::format("Invalid value org.apache.kafka.common.config.ConfigException: {} for configuration Invalid dynamic configuration", why));
  }
  return {};
}

}  // namespace samsa::server
