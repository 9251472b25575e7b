// Where log lines go: standard error, with time and level.
#pragma once

#include <string>
#include <string_view>

namespace samsa::main {

// Of this thread. Lines are whole and in order; level from SAMSA_LOG_LEVEL (trace, debug, info, warn, error; info where not set).
void install_server_log();
// Warnings and errors only.
void install_tool_log();
// A line as Kafka's tools log it: [time] level text.
std::string log_line(std::string_view level, std::string_view line);

}  // namespace samsa::main
