// Log lines for the operator. A line goes to the sink that the program installed (standard error in a real node, the trace in a
// simulation); base knows neither clock nor file. SAMSA_LOG_INFO("created topic {} with {} partitions", name, count);
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <fmt/core.h>

namespace samsa {

enum class LogLevel { kTrace, kDebug, kInfo, kWarn, kError };

using LogSink = std::function<void(LogLevel, std::string_view place, std::string_view line)>;

// The sink of this thread; without one, lines of kWarn and above go to standard error. Returns the one before.
LogSink set_log_sink(LogSink sink);
// Lines below this level are not formatted. Process-wide.
void set_log_level(LogLevel level);
bool log_enabled(LogLevel level);
void log_line(LogLevel level, std::string_view place, std::string_view line);
std::string_view log_level_name(LogLevel level);

}  // namespace samsa

#define SAMSA_LOG(level, ...)                                                                             \
  do {                                                                                                    \
    if (::samsa::log_enabled(level)) ::samsa::log_line(level, __FILE_NAME__, ::fmt::format(__VA_ARGS__)); \
  } while (0)
#define SAMSA_LOG_TRACE(...) SAMSA_LOG(::samsa::LogLevel::kTrace, __VA_ARGS__)
#define SAMSA_LOG_DEBUG(...) SAMSA_LOG(::samsa::LogLevel::kDebug, __VA_ARGS__)
#define SAMSA_LOG_INFO(...) SAMSA_LOG(::samsa::LogLevel::kInfo, __VA_ARGS__)
#define SAMSA_LOG_WARN(...) SAMSA_LOG(::samsa::LogLevel::kWarn, __VA_ARGS__)
#define SAMSA_LOG_ERROR(...) SAMSA_LOG(::samsa::LogLevel::kError, __VA_ARGS__)
