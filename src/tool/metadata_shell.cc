// kafka-metadata-shell.sh: walks through the metadata of a cluster as they stand in a snapshot or a segment of the metadata log: ls, cat,
// cd, find, history, man, pwd, tree, on the command line or in a shell of its own.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "metadata/replay.h"
#include "protocol/record_batch.h"
#include "raft/snapshot.h"
#include "tool/argument_parser.h"
#include "tool/commands.h"
#include "tool/metadata_tree.h"

namespace samsa::tool {
namespace {

struct CommandInfo {
  std::string_view name, text, arguments;
  size_t min_arguments, max_arguments;
  bool shell_only;
};
constexpr CommandInfo kCommands[] = {
    {"cat", "Show the contents of metadata files.", "targets [targets ...]", 1, SIZE_MAX, false},
    {"cd", "Set the current working directory.", "[target]", 0, 1, true},
    {"exit", "Exit the metadata shell.", "", 0, 0, true},
    {"find", "Search for nodes in the directory hierarchy.", "[paths [paths ...]]", 0, SIZE_MAX, false},
    {"help", "Display this help message.", "", 0, 0, true},
    {"history", "Print command history.", "[numEntriesToShow]", 0, 1, true},
    {"ls", "List metadata nodes.", "[targets [targets ...]]", 0, SIZE_MAX, false},
    {"man", "Show the help text for a specific command.", "cmd", 1, 1, true},
    {"pwd", "Print the current working directory.", "", 0, 0, true},
    {"tree", "Show the contents of metadata nodes in a tree structure.", "targets [targets ...]", 1, SIZE_MAX, false},
};

const CommandInfo* find_command(std::string_view name) {
  const auto found = std::find_if(std::begin(kCommands), std::end(kCommands), [&](const CommandInfo& info) { return info.name == name; });
  return found == std::end(kCommands) ? nullptr : &*found;
}

// All records of the file: batches of a snapshot or of a log segment; a cut off end is let pass.
Result<metadata::MetadataImage> read_image(io::Disk& disk, const std::string& path) {
  TRY_ASSIGN(const Buffer content, io::read_file(disk, path));
  protocol::BatchIterator batches(content);
  protocol::Scratch scratch;
  std::vector<Bytes> values;
  metadata::TransactionReplay replay;
  while (true) {
    TRY_ASSIGN(const auto next, batches.next());
    if (!next) break;
    if (next->is_control()) continue;
    TRY(raft::batch_values(*next, scratch, values));
    TRY(replay.replay_batch(values, next->last_offset(), next->leader_epoch(), next->max_timestamp()));
  }
  return replay.image();
}

class Shell {
 public:
  Shell(ToolContext& context, MetadataTreeNode root, bool interactive) : context_(context), root_(std::move(root)), interactive_(interactive) {}

  // False: the shell is to end.
  bool run(const std::vector<std::string>& words);
  io::Task<> run_interactively();

 private:
  [[nodiscard]] std::string complaint(const std::vector<std::string>& words) const;
  void list(const std::vector<std::string>& targets);
  void cat(const std::vector<std::string>& targets, std::string_view command);
  void find(const std::string& path, const MetadataTreeNode& node);
  void change_directory(const std::string& target);
  void show_history(const std::vector<std::string>& arguments);
  void show_help();
  void show_manual(const std::string& name);
  void print_names(const std::string& intro, const std::vector<std::string>& names);
  void say(std::string_view text) { context_.console.write(text); }

  ToolContext& context_;
  MetadataTreeNode root_;
  bool interactive_;
  std::string directory_ = "/";
  std::vector<std::string> history_;
};

// What is wrong with a command line, in argparse4j's words; empty: nothing.
std::string Shell::complaint(const std::vector<std::string>& words) const {
  std::vector<const CommandInfo*> close;
  std::vector<std::string> choices;
  for (const auto& info : kCommands) {
    if (info.shell_only && !interactive_) continue;
    choices.push_back(fmt::format("'{}'", info.name));
    if (info.name.starts_with(words[0])) close.push_back(&info);
  }
  const auto exact = std::find_if(close.begin(), close.end(), [&](const CommandInfo* info) { return info->name == words[0]; });
  if (words[0].starts_with('-')) return fmt::format("unrecognized arguments: '{}'", words[0]);
  if (exact == close.end() && close.size() != 1) return fmt::format("invalid choice: '{}' (choose from {})", words[0], fmt::join(choices, ", "));
  const CommandInfo& info = exact == close.end() ? *close[0] : **exact;
  for (size_t i = 1; i < words.size(); ++i) {
    if (words[i].size() > 1 && words[i].starts_with('-')) return fmt::format("unrecognized arguments: '{}'", words[i]);
  }
  if (words.size() - 1 < info.min_arguments) return "too few arguments";
  if (words.size() - 1 > info.max_arguments) return fmt::format("unrecognized arguments: '{}'", words[info.max_arguments + 1]);
  if (exact == close.end()) return fmt::format("invalid choice: '{}': did you mean '{}'?", words[0], info.name);
  return "";
}

bool Shell::run(const std::vector<std::string>& given) {
  std::vector<std::string> words = given;
  while (!words.empty() && words.back().empty()) words.pop_back();
  if (words.empty()) return true;
  if (const std::string wrong = complaint(words); !wrong.empty()) {
    say(wrong + "\n");
    return true;
  }
  const std::string command = words[0];
  std::vector<std::string> arguments(words.begin() + 1, words.end());
  if (command == "exit") return false;
  if (command == "cat" || command == "tree") cat(arguments, command);
  else if (command == "ls") list(arguments);
  else if (command == "cd") change_directory(arguments.empty() ? "/" : arguments[0]);
  else if (command == "pwd") say(directory_ + "\n");
  else if (command == "help") show_help();
  else if (command == "man") show_manual(arguments[0]);
  else if (command == "history") show_history(arguments);
  else {
    std::erase(arguments, "");
    if (arguments.empty()) arguments.emplace_back(".");
    for (const auto& path : arguments) {
      const auto found = find_in_tree(root_, directory_, path);
      for (const auto& match : found) find(path, *match.node);
      if (found.empty()) say(fmt::format("find: {}: no such file or directory.\n", path));
    }
  }
  return true;
}

// In columns where a person looks on, else one name a line.
void Shell::print_names(const std::string& intro, const std::vector<std::string>& names) {
  constexpr size_t kScreenWidth = 80;
  if (names.empty()) return;
  if (!intro.empty()) say(intro + "\n");
  size_t columns = 1;
  std::vector<size_t> widths{0};
  for (size_t tried = interactive_ && context_.console.error_is_terminal() ? kScreenWidth / 4 : 1; tried > 1; --tried) {
    const size_t rows = (names.size() + tried - 1) / tried;
    std::vector<size_t> sizes(tried);
    size_t total = 0;
    for (size_t i = 0; i < names.size(); ++i) sizes[i / rows] = std::max(sizes[i / rows], names[i].size() + 2);
    for (const size_t size : sizes) total += size;
    if (sizes.back() == 0 || total > kScreenWidth) continue;
    columns = tried;
    widths = sizes;
    break;
  }
  const size_t rows = (names.size() + columns - 1) / columns;
  for (size_t row = 0; row < rows; ++row) {
    std::string line;
    for (size_t column = 0; column < columns; ++column) {
      const size_t at = row + column * rows;
      if (at < names.size()) line += column + 1 < columns ? fmt::format("{:<{}}", names[at], widths[column]) : names[at];
    }
    say(line + "\n");
  }
}

void Shell::list(const std::vector<std::string>& given) {
  std::vector<std::string> targets = given, files;
  std::erase(targets, "");
  if (targets.empty()) targets.emplace_back(".");
  std::vector<std::pair<std::string, std::vector<std::string>>> directories;
  for (const auto& target : targets) {
    const auto found = find_in_tree(root_, directory_, target);
    if (found.empty()) say(fmt::format("ls: {}: no such file or directory.\n", target));
    for (const auto& match : found) {
      if (!match.node->directory) {
        files.push_back(match.name());
        continue;
      }
      auto& [name, children] = directories.emplace_back();
      name = match.name();
      for (const auto& [child, node] : match.node->children) children.push_back(child);
    }
  }
  print_names("", files);
  const bool named = !files.empty() || directories.size() > 1;
  bool first = files.empty();
  for (const auto& [name, children] : directories) {
    print_names(named ? fmt::format("{}{}:", first ? "" : "\n", name) : "", children);
    first = first && !named;
  }
}

void Shell::cat(const std::vector<std::string>& targets, std::string_view command) {
  for (const auto& target : targets) {
    const auto found = find_in_tree(root_, directory_, target);
    if (found.empty()) say(fmt::format("{}: {}: No such file or directory.\n", command, target));
    for (const auto& match : found) {
      if (match.node->directory && command == "cat") say(fmt::format("cat: {}: Is a directory\n", target));
      else say(print_tree(*match.node));
    }
  }
}

void Shell::find(const std::string& path, const MetadataTreeNode& node) {
  say(path + "\n");
  for (const auto& [name, child] : node.children) find(path == "/" ? path + name : path + "/" + name, child);
}

void Shell::change_directory(const std::string& target) {
  const auto found = find_in_tree(root_, directory_, target);
  if (found.empty()) say(fmt::format("cd: {}: no such directory.\n", target));
  for (const auto& match : found) {
    if (match.node->directory) directory_ = fmt::format("/{}", fmt::join(match.path, "/"));
    else say(fmt::format("cd: {}: not a directory.\n", target));
  }
}

void Shell::show_history(const std::vector<std::string>& arguments) {
  int32_t wanted = INT32_MAX;
  if (!arguments.empty()) {
    const auto& text = arguments[0];
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), wanted);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) {
      say(fmt::format("argument numEntriesToShow: could not convert '{}' to Integer (For input string: \"{}\")\n", text, text));
      return;
    }
  }
  const size_t count = std::min(history_.size(), static_cast<size_t>(std::max(wanted, 0)));
  for (size_t i = history_.size() - count; i < history_.size(); ++i) say(fmt::format("{:>5}  {}\n", i, history_[i]));
}

void Shell::show_help() {
  say("Welcome to the Apache Kafka metadata shell.\n\n");
  for (const auto& info : kCommands) say(fmt::format("  {:<22} {}\n", info.name, info.text));
}

void Shell::show_manual(const std::string& name) {
  const CommandInfo* const info = find_command(name);
  if (info == nullptr) {
    say(fmt::format("man: unknown command {}. Type help to get a list of commands.\n", name));
    return;
  }
  say(fmt::format("{}: {}\n\nusage: {}{}{}\n", name, info->text, name, info->arguments.empty() ? "" : " ", info->arguments));
}

// Words are separated by spaces; quotes keep them together.
std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool within = false;
  char quote = 0;
  for (const char c : line) {
    if (quote != 0 ? c == quote : (c == '"' || c == '\'')) {
      quote = quote != 0 ? 0 : c;
      within = true;
    } else if (quote == 0 && (c == ' ' || c == '\t')) {
      if (within) words.push_back(std::move(word));
      word.clear();
      within = false;
    } else {
      word += c;
      within = true;
    }
  }
  if (within) words.push_back(std::move(word));
  return words;
}

io::Task<> Shell::run_interactively() {
  say("[ Kafka Metadata Shell ]\n");
  std::string pending;
  uint8_t buffer[4096];
  while (true) {
    size_t end = pending.find('\n');
    if (end == std::string::npos) {
      say(">> ");
      context_.console.flush();
    }
    while (end == std::string::npos) {
      const auto got = co_await context_.console.read(MutableBytes(buffer, sizeof(buffer)));
      if (!got || *got == 0) co_return;
      pending.append(reinterpret_cast<const char*>(buffer), *got);
      end = pending.find('\n');
    }
    const std::string line = pending.substr(0, end);
    pending.erase(0, end + 1);
    const auto words = words_of(line);
    if (!words.empty()) history_.push_back(line);
    if (!run(words)) co_return;
  }
}

io::Task<Result<void>> open_and_run(ToolContext& context, const std::string& path, std::vector<std::string> command) {
  // A node that runs holds the lock of its directory; what is read below its hands may be torn.
  std::unique_ptr<io::FileLock> lock;
  const std::string directory = io::parent_path(io::parent_path(path));
  const std::string lock_path = io::join_path(directory, ".lock");
  if (context.world.disk.exists(lock_path)) {
    auto taken = context.world.disk.lock(lock_path);
    if (!taken) {
      co_return fail(ErrorCode::kKafkaStorageError,
                     fmt::format("Unable to lock {}. Please ensure that no broker or controller process is using this directory before proceeding.", directory));
    }
    lock = std::move(*taken);
  }
  const bool interactive = command.empty();
  if (interactive) context.console.write("Loading...\n");
  CO_TRY_ASSIGN(const auto image, read_image(context.world.disk, path));
  Shell shell(context, metadata_tree(image), interactive);
  if (!interactive) {
    shell.run(command);
    co_return Result<void>{};
  }
  context.console.write("Starting...\n");
  co_await shell.run_interactively();
  co_return Result<void>{};
}

}  // namespace

io::Task<int> run_metadata_shell(ToolContext& context, Arguments arguments) {
  ArgumentParser parser("kafka-metadata-shell", "The Apache Kafka metadata shell");
  parser.option({"--snapshot", "-s"}, "The snapshot or log segment to read.", ArgumentParser::Kind::kStore, true).rest("command", "The command to run.");
  const auto parsed = parser.parse(arguments);
  if (!parsed) co_return refuse(context, parser.complaint(parsed.error()));
  if (parsed->help) {
    context.console.write(*parsed->help);
    co_return 0;
  }
  const auto outcome = co_await open_and_run(context, *parsed->get("--snapshot"), parsed->all("command"));
  if (!outcome) co_return refuse(context, "Unexpected error: " + outcome.error().text());
  co_return 0;
}

}  // namespace samsa::tool
