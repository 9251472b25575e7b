#include "tool/argument_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/assert.h"

namespace samsa::tool {

namespace {

std::string joined(const std::vector<std::string>& names, std::string_view separator) { return fmt::format("{}", fmt::join(names, separator)); }

// "--controller-id" -> "CONTROLLER_ID".
std::string value_name(const std::string& name) {
  std::string text = name.substr(name.find_first_not_of('-'));
  for (char& c : text) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

std::optional<std::string> ParsedArguments::get(std::string_view name) const {
  const auto found = values.find(name);
  if (found == values.end() || found->second.empty()) return std::nullopt;
  return found->second.back();
}

std::vector<std::string> ParsedArguments::all(std::string_view name) const {
  const auto found = values.find(name);
  return found == values.end() ? std::vector<std::string>{} : found->second;
}

std::optional<int32_t> ParsedArguments::integer(std::string_view name) const {
  const auto text = get(name);
  if (!text) return std::nullopt;
  int32_t number = 0;
  std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

ArgumentParser& ArgumentParser::option(std::vector<std::string> names, std::string text, Kind kind, bool required) {
  options_.push_back({std::move(names), std::move(text), kind, required});
  return *this;
}

ArgumentParser& ArgumentParser::only_one(std::vector<std::string> names, bool required) {
  groups_.push_back({std::move(names), required});
  return *this;
}

ArgumentParser& ArgumentParser::rest(std::string name, std::string text) {
  rest_name_ = std::move(name);
  rest_text_ = std::move(text);
  return *this;
}

ArgumentParser& ArgumentParser::command(std::string name, std::string text) {
  auto& command = commands_.emplace_back(program_, std::move(text));
  command.command_name_ = std::move(name);
  return command;
}

const ArgumentParser::Option& ArgumentParser::by_name(std::string_view name) const {
  const auto found = std::find_if(options_.begin(), options_.end(), [&](const Option& option) { return option.names.front() == name; });
  SAMSA_ASSERT(found != options_.end(), "an option that was not declared");
  return *found;
}

// nullptr: no option has this name.
Result<const ArgumentParser::Option*> ArgumentParser::find(std::string_view given) const {
  std::vector<std::string> candidates;
  const Option* found = nullptr;
  for (const auto& option : options_) {
    for (const auto& name : option.names) {
      if (name == given) return &option;
      if (!given.starts_with("--") || !name.starts_with(given)) continue;
      candidates.push_back(name);
      found = &option;
    }
  }
  if (candidates.size() < 2) return found;
  std::sort(candidates.begin(), candidates.end());
  return fail(ErrorCode::kInvalidRequest, fmt::format("ambiguous option: {} could match {}", given, joined(candidates, ", ")));
}

Result<ArgumentParser*> ArgumentParser::find_command(std::string_view given) {
  ArgumentParser* found = nullptr;
  size_t count = 0;
  for (auto& command : commands_) {
    if (command.command_name_ == given) return &command;
    if (!command.command_name_.starts_with(given)) continue;
    found = &command;
    ++count;
  }
  if (count == 1) return found;
  std::vector<std::string> names;
  for (const auto& command : commands_) names.push_back("'" + command.command_name_ + "'");
  return fail(ErrorCode::kInvalidRequest, fmt::format("invalid choice: '{}' (choose from {})", given, joined(names, ", ")));
}

Result<void> ArgumentParser::take(const Option& option, std::optional<std::string> attached, std::span<const std::string> arguments, size_t& at,
                                  ParsedArguments& parsed) {
  const std::string named = joined(option.names, "/");
  auto& values = parsed.values[option.names.front()];
  for (const auto& group : groups_) {
    if (std::find(group.names.begin(), group.names.end(), option.names.front()) == group.names.end()) continue;
    for (const auto& other : group.names) {
      if (other != option.names.front() && parsed.has(other)) {
        return fail(ErrorCode::kInvalidRequest, fmt::format("argument {}: not allowed with argument {}", named, joined(by_name(other).names, "/")));
      }
    }
  }
  if (option.kind == Kind::kTrue) {
    if (attached) return fail(ErrorCode::kInvalidRequest, fmt::format("argument {}: ignored implicit argument '{}'", named, *attached));
    return {};
  }
  if (!attached) {
    // What starts with a dash is an option, unless it is a negative number.
    const bool follows = at + 1 < arguments.size();
    const bool dashed = follows && arguments[at + 1].size() > 1 && arguments[at + 1][0] == '-' && std::isdigit(static_cast<unsigned char>(arguments[at + 1][1])) == 0;
    if (!follows || dashed) return fail(ErrorCode::kInvalidRequest, fmt::format("argument {}: expected one argument", named));
    attached = arguments[++at];
  }
  if (option.kind == Kind::kInteger) {
    int32_t number = 0;
    const auto result = std::from_chars(attached->data(), attached->data() + attached->size(), number);
    if (attached->empty() || result.ec != std::errc{} || result.ptr != attached->data() + attached->size()) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("argument {}: could not convert '{}' to Integer (For input string: \"{}\")", named, *attached, *attached));
    }
  }
  values.push_back(std::move(*attached));
  return {};
}

Result<void> ArgumentParser::check_given(const ParsedArguments& parsed) const {
  for (const auto& option : options_) {
    if (option.required && !parsed.has(option.names.front())) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("argument {} is required", joined(option.names, "/")));
    }
  }
  for (const auto& group : groups_) {
    if (!group.required || std::any_of(group.names.begin(), group.names.end(), [&](const std::string& name) { return parsed.has(name); })) continue;
    std::vector<std::string> all;
    for (const auto& name : group.names) all.push_back(joined(by_name(name).names, "/"));
    return fail(ErrorCode::kInvalidRequest, fmt::format("one of the arguments {} is required", joined(all, " ")));
  }
  return {};
}

Result<void> ArgumentParser::parse_into(std::span<const std::string> arguments, ParsedArguments& parsed) {
  bool entered = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "-h" || argument == "--help") {
      parsed.help = help();
      return {};
    }
    if (argument.size() > 1 && argument[0] == '-') {
      const size_t equals = argument.starts_with("--") ? argument.find('=') : std::string::npos;
      TRY_ASSIGN(const Option* option, find(std::string_view(argument).substr(0, equals)));
      std::optional<std::string> attached;
      if (equals != std::string::npos) attached = argument.substr(equals + 1);
      if (option == nullptr && !argument.starts_with("--") && argument.size() > 2) {
        TRY_ASSIGN(option, find(std::string_view(argument).substr(0, 2)));
        attached = argument.substr(2);
      }
      if (option == nullptr) return fail(ErrorCode::kInvalidRequest, fmt::format("unrecognized arguments: '{}'", argument));
      TRY(take(*option, std::move(attached), arguments, i, parsed));
      continue;
    }
    if (!rest_name_.empty()) {
      parsed.values[rest_name_].push_back(argument);
      continue;
    }
    if (commands_.empty()) return fail(ErrorCode::kInvalidRequest, fmt::format("unrecognized arguments: '{}'", argument));
    TRY_ASSIGN(ArgumentParser* const command, find_command(argument));
    parsed.command = command->command_name_;
    complaining_usage_ = command->usage();
    TRY(command->parse_into(arguments.subspan(i + 1), parsed));
    if (parsed.help) return {};
    complaining_usage_ = usage();
    entered = true;
    break;
  }
  if (!commands_.empty() && !entered) return fail(ErrorCode::kInvalidRequest, "too few arguments");
  return check_given(parsed);
}

Result<ParsedArguments> ArgumentParser::parse(std::span<const std::string> arguments) {
  ParsedArguments parsed;
  complaining_usage_ = usage();
  TRY(parse_into(arguments, parsed));
  return parsed;
}

std::string ArgumentParser::complaint(const Error& error) const { return fmt::format("{}{}: error: {}", complaining_usage_, program_, error.text()); }

std::string ArgumentParser::usage() const {
  std::string text = "usage: " + program_ + (command_name_.empty() ? "" : " " + command_name_) + " [-h]";
  for (const auto& option : options_) {
    const std::string one = option.names.front() + (option.kind == Kind::kTrue ? "" : " " + value_name(option.names.front()));
    text += option.required ? " " + one : " [" + one + "]";
  }
  if (!commands_.empty()) {
    std::vector<std::string> names;
    for (const auto& command : commands_) names.push_back(command.command_name_);
    text += " {" + joined(names, ",") + "} ...";
  }
  if (!rest_name_.empty()) text += fmt::format(" [{} [{} ...]]", rest_name_, rest_name_);
  return text + "\n";
}

std::string ArgumentParser::help() const {
  std::string text = usage() + "\n";
  const auto line = [&text](const std::string& head, const std::string& what) {
    text += head.size() < 23 ? fmt::format("  {:<23}{}\n", head, what) : fmt::format("  {}\n{:<25}{}\n", head, "", what);
  };
  if (command_name_.empty() && !description_.empty()) text += description_ + "\n\n";
  if (!commands_.empty() || !rest_name_.empty()) text += "positional arguments:\n";
  if (!rest_name_.empty()) line(rest_name_, rest_text_);
  for (const auto& command : commands_) line("  " + command.command_name_, command.description_);
  text += commands_.empty() && rest_name_.empty() ? "optional arguments:\n" : "\noptional arguments:\n";
  line("-h, --help", "show this help message and exit");
  for (const auto& option : options_) {
    std::vector<std::string> names = option.names;
    if (option.kind != Kind::kTrue) {
      for (auto& name : names) name += " " + value_name(option.names.front());
    }
    line(joined(names, ", "), option.text);
  }
  return text;
}

}  // namespace samsa::tool
