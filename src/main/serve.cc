#include "main/serve.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "base/log.h"
#include "config/config.h"
#include "io/real/process.h"
#include "io/real/world.h"
#include "io/sync.h"
#include "main/log_output.h"
#include "server/node.h"
#include "server/topic_configs.h"

namespace samsa::main {

namespace {

struct Options {
  std::string file;
  std::vector<std::string> overrides;
  bool daemon = false;
};

int complain(std::string_view what) {
  std::fputs(fmt::format("samsa: {}\n", what).c_str(), stderr);
  return 1;
}

Result<config::Properties> read_properties(const Options& options) {
  std::string text(config::ServerConfig::embedded_properties());
  if (!options.file.empty()) {
    if (std::filesystem::is_directory(options.file)) {
      return fail(ErrorCode::kInvalidConfig, fmt::format("cannot read the configuration file {}: it is a directory", options.file));
    }
    std::ifstream file(options.file, std::ios::binary);
    text.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    if (!file.is_open() || file.bad()) {
      return fail(ErrorCode::kInvalidConfig, fmt::format("cannot read the configuration file {}: {}", options.file, std::strerror(errno)));
    }
  }
  auto properties = config::parse_properties(text);
  if (!properties) return fail(properties.error().code, fmt::format("{}: {}", options.file, properties.error().text()));
  for (const auto& entry : options.overrides) {
    const size_t equals = entry.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(ErrorCode::kInvalidConfig, fmt::format("--override {} is not of the form key=value", entry));
    }
    (*properties)[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  return properties;
}

std::string roles_text(const server::NodeSettings& settings) {
  return settings.broker && settings.controller ? "broker,controller" : settings.broker ? "broker" : "controller";
}

// The block that says what has started.
std::string start_text(server::Node& node, std::chrono::nanoseconds took) {
  const auto& settings = node.settings();
  std::vector<std::string> listeners;
  for (size_t i = 0; i < settings.listeners.size(); ++i) {
    const auto& listener = settings.listeners[i];
    listeners.push_back(fmt::format("{}://{}", listener.name, io::Address{listener.bind.host, node.bound()[i].port}.to_string()));
  }
  const auto metrics_at = node.metrics_bound();
  const bool durable = server::log_config_of(settings, *node.metadata().image(), "").durable;  // Of a topic without settings of its own.
  return fmt::format(
      "samsa {} is ready\n"
      "  cluster id   {}\n"
      "  node id      {}\n"
      "  roles        {}\n"
      "  listeners    {}\n"
      "  log dirs     {}\n"
      "  metrics      {}\n"
      "  durability   {}\n"
      "  shards       {}\n"
      "  started in   {:.1f} ms\n",
      SAMSA_VERSION, node.cluster_id(), settings.node_id, roles_text(settings), fmt::join(listeners, ", "),
      fmt::join(settings.log_dirs, ", "),
      metrics_at ? fmt::format("http://{}/metrics", metrics_at->to_string()) : std::string("not served"),
      durable ? "acknowledged records are synced to disk" : "acknowledged records are in the page cache, as Kafka's",
      node.worlds().size(), std::chrono::duration<double, std::milli>(took).count());
}

// Kafka's default receive buffer makes large Produce requests cost twice as much as what the system chooses: it counts where it is given.
io::real::SocketBuffers socket_buffers(const config::ServerConfig& config) {
  io::real::SocketBuffers buffers;
  buffers.send = static_cast<int>(config.number("socket.send.buffer.bytes"));
  if (config.is_given("socket.receive.buffer.bytes")) buffers.receive = static_cast<int>(config.number("socket.receive.buffer.bytes"));
  return buffers;
}

class Server {
 public:
  Server(server::NodeSettings settings, std::shared_ptr<const config::ServerConfig> config, std::chrono::steady_clock::time_point began)
      : config_(std::move(config)),
        began_(began),
        world_({.shards = static_cast<int>(config_->number("samsa.shards")),
                .buffers = socket_buffers(*config_),
                .on_shard_start = [](int) { install_server_log(); }}),
        node_(world_.worlds(), std::move(settings), [this](Error error) { fault(std::move(error)); }) {}

  int run() {
    world_.on_stop_signal([this](int signal) {
      SAMSA_LOG_INFO("signal {}: stopping", signal);
      ask_to_stop();
    });
    world_.run_until_done(main());
    return code_;
  }

 private:
  void ask_to_stop() {
    stop_asked_ = true;
    if (starting_) background_.spawn(interrupt_start());
    stop_.notify_all();
  }
  void fault(Error error) {
    SAMSA_LOG_ERROR("the node cannot go on: {}", error.text());
    code_ = 1;
    ask_to_stop();
  }

  // A start that waits for a quorum that is not there gives up: neither its registration nor its image will be waited for any longer.
  io::Task<> interrupt_start() {
    io::Loop& loop = world_.worlds()[0].loop;
    while (starting_ && node_.shard_count() == 0) co_await io::sleep_for(loop, std::chrono::milliseconds(10));
    if (!starting_) co_return;
    auto& metadata = node_.metadata();
    if (metadata.broker() != nullptr) co_await metadata.broker()->stop();
    co_await metadata.publisher().stop();
  }

  io::Task<> main() {
    const auto started = co_await node_.start();
    starting_ = false;
    co_await background_.join();
    if (!started && stop_asked_) {
      SAMSA_LOG_INFO("stopped before it was ready");
    } else if (!started) {
      complain(started.error().text());
      code_ = 1;
    } else {
      const auto took = std::chrono::steady_clock::now() - began_;
      std::fputs(start_text(node_, took).c_str(), stderr);
      while (!stop_asked_) co_await stop_.wait(world_.worlds()[0].loop);
    }
    co_await node_.stop();
    if (started) SAMSA_LOG_INFO("stopped");
  }

  std::shared_ptr<const config::ServerConfig> config_;
  std::chrono::steady_clock::time_point began_;
  io::real::RealNode world_;
  server::Node node_;
  io::TaskGroup background_{world_.worlds()[0].loop};
  io::Signal stop_;
  bool stop_asked_ = false;
  bool starting_ = true;
  int code_ = 0;
};

// The flags that stand before the file, as Kafka's kafka-server-start script takes them. -name and -loggc are about a Java machine.
void take_script_flags(std::vector<std::string>& arguments, Options& options) {
  while (!arguments.empty()) {
    const std::string& first = arguments.front();
    if (first == "-daemon") {
      options.daemon = true;
    } else if (first == "-name" && arguments.size() > 1) {
      arguments.erase(arguments.begin());
    } else if (first != "-loggc") {
      return;
    }
    arguments.erase(arguments.begin());
  }
}

// An exit code where there is nothing to serve: 0 after --help and --version, 1 where the command line is wrong.
std::optional<int> parse(std::vector<std::string> arguments, Options& options) {
  CLI::App app("Runs a Samsa node: broker, controller or both.", "samsa serve");
  app.set_version_flag("--version", fmt::format("samsa {}", SAMSA_VERSION));
  app.add_option("file", options.file, "server.properties; without it one node on 127.0.0.1:9092 with its data in ./data");
  app.add_option("--override", options.overrides, "key=value over the file's; may be given several times")->allow_extra_args(false);
  app.footer("-daemon before all of them: in the background, with its output in logs/kafkaServer.out (LOG_DIR names another directory).");
  take_script_flags(arguments, options);
  std::ranges::reverse(arguments);
  try {
    app.parse(arguments);
  } catch (const CLI::ArgumentMismatch&) {
    return complain("--override needs a setting: --override key=value");
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return complain(fmt::format("{} ('samsa serve --help' shows what there is)", error.what()));
  }
  return std::nullopt;
}

// True in the process that goes on as the daemon. Before any thread is made.
Result<bool> become_daemon() {
  const char* named = std::getenv("LOG_DIR");
  const std::filesystem::path directory = named != nullptr && *named != 0 ? named : "logs";
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  const std::string path = directory / "kafkaServer.out";
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) return fail(ErrorCode::kInvalidConfig, fmt::format("cannot write {}: {}", path, std::strerror(errno)));
  const pid_t child = fork();
  if (child < 0) return fail(ErrorCode::kUnknownServerError, fmt::format("cannot go into the background: {}", std::strerror(errno)));
  if (child == 0) {
    setsid();
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing >= 0) dup2(nothing, STDIN_FILENO);
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
  }
  close(file);
  return child == 0;
}

}  // namespace

int serve(std::vector<std::string> arguments) {
  const auto began = std::chrono::steady_clock::now();
  std::signal(SIGPIPE, SIG_IGN);
  Options options;
  if (const auto code = parse(std::move(arguments), options)) return *code;
  auto properties = read_properties(options);
  if (!properties) return complain(properties.error().text());
  auto read = config::ServerConfig::from(std::move(*properties));
  if (!read) return complain(read.error().text());
  auto config = std::make_shared<const config::ServerConfig>(std::move(*read));
  if (options.daemon) {
    const auto daemon = become_daemon();
    if (!daemon) return complain(daemon.error().text());
    if (!*daemon) return 0;
  }
  install_server_log();
  for (const auto& warning : config->warnings) SAMSA_LOG_WARN("{}", warning);
  for (const auto& name : config->unknown) SAMSA_LOG_WARN("unknown setting {} is ignored", name);
  auto settings = server::NodeSettings::from(config);
  if (!settings) return complain(settings.error().text());
  settings->auto_format = options.file.empty();
  settings->version = SAMSA_VERSION;
  settings->process = io::real::read_process_figures;
  Server server(std::move(*settings), config, began);
  return server.run();
}

}  // namespace samsa::main
