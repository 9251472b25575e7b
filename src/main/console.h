// The real terminal for the tools, and the running of one.
#pragma once

#include <string>
#include <vector>

#include "tool/tool.h"

namespace samsa::main {

// Runs the command on the real world of one shard and gives its exit code.
int run_tool(const tool::ToolEntry& entry, std::string name, std::vector<std::string> arguments);

}  // namespace samsa::main
