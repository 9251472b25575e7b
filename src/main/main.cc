// The binary: one program under many names. As `samsa` it takes a command; under a kafka-*.sh name it is that command, so that bin/
// on PATH stands in for Kafka's own. The only place, with its neighbours here, where the real world is constructed.
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "main/console.h"
#include "main/log_output.h"
#include "main/serve.h"
#include "tool/tool.h"

namespace samsa {
namespace {

std::string_view base_name(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

void print_usage(std::FILE* to) {
  std::fputs("usage: samsa <command> [arguments]\n\n"
             "  serve [server.properties] [--override key=value]...   run a node\n"
             "  version                                               print the version\n",
             to);
  for (const auto& tool : tool::all_tools()) {
    std::fprintf(to, "  %-53.*s %.*s\n", static_cast<int>(tool.name.size()), tool.name.data(), static_cast<int>(tool.summary.size()),
                 tool.summary.data());
  }
  std::fputs("\nEach kafka-* command also runs under its own name (bin/kafka-topics.sh, ...). 'samsa <command> --help' says more.\n", to);
}

int run(std::string_view program, std::vector<std::string> arguments) {
  const std::string_view name = base_name(program);
  if (const auto* tool = tool::find_tool(name)) return main::run_tool(*tool, std::string(name), std::move(arguments));
  if (name == "kafka-server-start.sh" || name == "kafka-server-start") return main::serve(std::move(arguments));
  if (arguments.empty()) {
    print_usage(stderr);
    return 1;
  }
  const std::string command = arguments.front();
  arguments.erase(arguments.begin());
  if (command == "serve") return main::serve(std::move(arguments));
  if (command == "version" || command == "--version") {
    std::printf("samsa %s\n", SAMSA_VERSION);
    return 0;
  }
  if (command == "help" || command == "--help" || command == "-h") {
    print_usage(stdout);
    return 0;
  }
  if (const auto* tool = tool::find_tool(command)) return main::run_tool(*tool, command, std::move(arguments));
  std::fprintf(stderr, "samsa: unknown command '%s'; 'samsa help' lists them\n", command.c_str());
  return 1;
}

}  // namespace
}  // namespace samsa

int main(int argc, char** argv) { return samsa::run(argv[0], std::vector<std::string>(argv + 1, argv + argc)); }
