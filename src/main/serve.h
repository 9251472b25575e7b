// `samsa serve`: runs a node until SIGTERM or SIGINT.
#pragma once

#include <string>
#include <vector>

namespace samsa::main {

// Gives the exit code: 0 after a clean stop, 1 where the node cannot start or go on.
int serve(std::vector<std::string> arguments);

}  // namespace samsa::main
