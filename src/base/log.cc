#include "base/log.h"

#include <atomic>
#include <cstdio>
#include <utility>

namespace samsa {
namespace {
std::atomic<LogLevel> minimum_level{LogLevel::kInfo};
thread_local LogSink thread_sink;
}  // namespace

LogSink set_log_sink(LogSink sink) { return std::exchange(thread_sink, std::move(sink)); }
void set_log_level(LogLevel level) { minimum_level.store(level, std::memory_order_relaxed); }
bool log_enabled(LogLevel level) { return level >= minimum_level.load(std::memory_order_relaxed); }

std::string_view log_level_name(LogLevel level) {
  static constexpr std::string_view kNames[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};
  return kNames[static_cast<int>(level)];
}

void log_line(LogLevel level, std::string_view place, std::string_view line) {
  if (thread_sink) return thread_sink(level, place, line);
  if (level < LogLevel::kWarn) return;
  std::fprintf(stderr, "%s %.*s\n", log_level_name(level).data(), static_cast<int>(line.size()), line.data());
}

}  // namespace samsa
