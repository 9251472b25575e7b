#include "main/log_output.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

#include <unistd.h>

#include <fmt/format.h>

#include "base/log.h"

namespace samsa::main {

namespace {

LogLevel level_from_environment() {
  const char* text = std::getenv("SAMSA_LOG_LEVEL");
  const std::string_view name = text == nullptr ? "info" : text;
  for (const auto& [word, level] : {std::pair<std::string_view, LogLevel>{"trace", LogLevel::kTrace},
                                    {"debug", LogLevel::kDebug},
                                    {"warn", LogLevel::kWarn},
                                    {"error", LogLevel::kError}}) {
    if (name == word) return level;
  }
  return LogLevel::kInfo;
}

std::string time_text() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::tm parts{};
  ::localtime_r(&now.tv_sec, &parts);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                     parts.tm_min, parts.tm_sec, now.tv_nsec / 1'000'000);
}

void put(const std::string& line) {
  // One write per line keeps lines of several threads whole.
  const ssize_t wrote = ::write(STDERR_FILENO, line.data(), line.size());
  (void)wrote;
}

}  // namespace

void install_server_log() {
  set_log_level(level_from_environment());
  set_log_sink([](LogLevel level, std::string_view place, std::string_view line) {
    put(fmt::format("[{}] {} {} ({})\n", time_text(), log_level_name(level), line, place));
  });
}

std::string log_line(std::string_view level, std::string_view line) {
  std::string time = time_text();
  time[19] = ',';  // As Java's loggers write it.
  return fmt::format("[{}] {} {}\n", time, level, line);
}

void install_tool_log() {
  set_log_level(LogLevel::kWarn);
  set_log_sink([](LogLevel level, std::string_view, std::string_view line) { put(log_line(log_level_name(level), line)); });
}

}  // namespace samsa::main
