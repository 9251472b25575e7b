// The entries of the commands, one per file; tool/tools.cc lists them.
#pragma once

#include "tool/tool.h"

namespace samsa::tool {

io::Task<int> run_topics(ToolContext& context, Arguments arguments);

}  // namespace samsa::tool
