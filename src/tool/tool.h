// Tools: the kafka-*.sh commands. Each is one file with one entry, listed in tool/tools.cc; the binary picks it by the name that it was
// called by. A tool sees the cluster through the client room and the terminal through Console; flags, output and exit codes are
// those of the Java tools of 4.3.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "client/cluster.h"
#include "io/world.h"

namespace samsa::tool {

class Options;

// The terminal: standard input, output and error. Real: main/console.h.
class Console {
 public:
  virtual ~Console() = default;
  // Some bytes of standard input; 0 at its end.
  virtual io::Task<Result<size_t>> read(MutableBytes into) = 0;
  // Buffered; flush() or the end of the program writes it out. False once nobody reads any more (a closed pipe).
  virtual bool write(std::string_view text) = 0;
  virtual void flush() = 0;
  virtual void write_error(std::string_view text) = 0;
  // A line on standard error as the loggers of Kafka's tools write it: time, level, text.
  virtual void log(std::string_view level, std::string_view text) = 0;
  // Whether people look at standard error: progress is shown only then.
  [[nodiscard]] virtual bool error_is_terminal() const = 0;
  // Set once the user interrupted the program (SIGINT, SIGTERM). That ends the program at once, unless the tool has said that it
  // minds interrupts: then it is to end soon by itself, and standard input ends.
  [[nodiscard]] virtual bool interrupted() const = 0;
  virtual void mind_interrupts() = 0;
};

// The version of Kafka whose tools these are like.
constexpr std::string_view kKafkaVersion = "4.3.1";

struct ToolContext {
  io::World world;
  Console& console;
  std::string name;  // "kafka-topics.sh"
  std::string version;  // Of this program.
};

using Arguments = std::vector<std::string>;
// Runs the command and gives its exit code.
using ToolMain = io::Task<int> (*)(ToolContext& context, Arguments arguments);

struct ToolEntry {
  std::string_view name;     // Without ".sh": "kafka-topics".
  std::string_view summary;  // One line.
  ToolMain run;
};
std::span<const ToolEntry> all_tools();
// By the name of the program, with or without path and ".sh"; nullptr: not a tool.
const ToolEntry* find_tool(std::string_view program);

// A message for people that ends the command: printed on standard error, exit code 1.
int refuse(ToolContext& context, std::string_view message);
// The same, with the list of options.
int refuse(ToolContext& context, std::string_view message, const Options& options);
// Answers --help, --version and a command line of nothing; the exit code, or nothing where the command goes on.
std::optional<int> answer_help(ToolContext& context, const Arguments& arguments, const Options& options);
// An error as Kafka's tools print it: the name of the exception, and its text. Scripts look for these names.
std::string exception_text(const Error& error);

// The properties of --command-config and the like. INVALID_CONFIG names file and line.
Result<std::map<std::string, std::string>> load_properties(ToolContext& context, const std::string& path);
// The cluster of --bootstrap-server, with the client settings of `properties` (client.id, request.timeout.ms, ...); `controllers`: of
// --bootstrap-controller. Addresses that cannot be reached are logged; `who` is what Java's clients call themselves in their logs.
Result<std::unique_ptr<client::Cluster>> open_cluster(ToolContext& context, const std::string& bootstrap,
                                                      const std::map<std::string, std::string>& properties, bool controllers = false,
                                                      const std::string& who = "AdminClient clientId=adminclient-1");
// Whether --bootstrap-server is given and is a list of addresses; for commands that look at it before anything else.
Result<void> check_bootstrap(const Options& options);
// The cluster of --bootstrap-server with the settings of --command-config, for commands that have both. The error is what Kafka's tools
// say when they cannot make their client.
// `timeout`, where given, is what a call may take at most.
Result<std::unique_ptr<client::Cluster>> open_admin(ToolContext& context, const Options& options,
                                                    std::optional<std::chrono::milliseconds> timeout = {});

}  // namespace samsa::tool
