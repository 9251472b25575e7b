// ArgumentParser: command lines as Java's argparse4j takes them, for the tools with subcommands: options of the program before the
// subcommand, its own after it; --name value, --name=value, -n value, -nvalue; long names and subcommands may be shortened as far as
// they stay unambiguous; groups of options that exclude each other. Pure.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace samsa::tool {

struct ParsedArguments {
  std::string command;              // Empty: the parser has no subcommands, or help was asked for.
  std::optional<std::string> help;  // The help text, where -h was given.
  std::map<std::string, std::vector<std::string>, std::less<>> values;  // By the option's first long name.

  [[nodiscard]] bool has(std::string_view name) const { return values.contains(name); }
  // The last one given.
  [[nodiscard]] std::optional<std::string> get(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
  // Of an option of kind kInteger.
  [[nodiscard]] std::optional<int32_t> integer(std::string_view name) const;
};

class ArgumentParser {
 public:
  enum class Kind { kStore, kInteger, kAppend, kTrue };

  ArgumentParser(std::string program, std::string description) : program_(std::move(program)), description_(std::move(description)) {}

  // `names` as "--id", "-i"; the first is what messages and ParsedArguments call it.
  ArgumentParser& option(std::vector<std::string> names, std::string text, Kind kind = Kind::kStore, bool required = false);
  ArgumentParser& flag(std::vector<std::string> names, std::string text) { return option(std::move(names), std::move(text), Kind::kTrue); }
  // Of these options, declared already, only one may be given, and one must be where `required`.
  ArgumentParser& only_one(std::vector<std::string> names, bool required);
  // Takes words without dashes, under this name.
  ArgumentParser& rest(std::string name, std::string text);
  // A subcommand; the reference stays valid until the next one is added.
  ArgumentParser& command(std::string name, std::string text);

  // INVALID_REQUEST with argparse4j's words for what is wrong. `usage_of` then holds the usage of the parser that complained.
  Result<ParsedArguments> parse(std::span<const std::string> arguments);
  // The complaint with the usage before it, as the tools print it: "usage: ...\nprogram: error: ...".
  [[nodiscard]] std::string complaint(const Error& error) const;

 private:
  struct Option {
    std::vector<std::string> names;
    std::string text;
    Kind kind = Kind::kStore;
    bool required = false;
  };
  struct Group {
    std::vector<std::string> names;
    bool required = false;
  };

  Result<void> parse_into(std::span<const std::string> arguments, ParsedArguments& parsed);
  Result<const Option*> find(std::string_view given) const;
  Result<void> take(const Option& option, std::optional<std::string> attached, std::span<const std::string> arguments, size_t& at, ParsedArguments& parsed);
  Result<ArgumentParser*> find_command(std::string_view given);
  Result<void> check_given(const ParsedArguments& parsed) const;
  [[nodiscard]] const Option& by_name(std::string_view name) const;
  [[nodiscard]] std::string usage() const;
  [[nodiscard]] std::string help() const;

  std::string program_;
  std::string description_;
  std::string command_name_;  // Of a subcommand.
  std::vector<Option> options_;
  std::vector<Group> groups_;
  std::vector<ArgumentParser> commands_;
  std::string rest_name_, rest_text_;  // Empty: no words without dashes are taken.
  std::string complaining_usage_;
};

}  // namespace samsa::tool
