// Where log lines go: standard error, with time and level.
#pragma once

namespace samsa::main {

// Of this thread. Lines are whole and in order; level from SAMSA_LOG_LEVEL (trace, debug, info, warn, error; info where not set).
void install_server_log();
// Warnings and errors only, without a time: what a person at a terminal needs.
void install_tool_log();

}  // namespace samsa::main
