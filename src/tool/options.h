// Options: command lines as Kafka's tools take them (joptsimple without abbreviations): --name value, --name=value, -name as well as --name.
// An option that needs an argument takes the next word whatever it looks like; words that belong to no option are passed over, and so is
// an argument given to an option that takes none. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace samsa::tool {

class Options {
 public:
  enum class Takes { kNothing, kRequired, kOptional };

  explicit Options(std::string description) : description_(std::move(description)) {
    flag("help", "Print usage information.");
    flag("version", "Display Kafka version.");
  }
  // Declares an option without argument.
  Options& flag(std::string name, std::string text);
  // Declares an option with an argument; `what` stands for it in the usage.
  Options& value(std::string name, std::string what, std::string text, std::optional<std::string> standard = {});
  // The same, and it may be given more than once.
  Options& values(std::string name, std::string what, std::string text);
  // The argument may be left out.
  Options& optional_value(std::string name, std::string what, std::string text);
  // The option declared last may be given only together with one of these.
  Options& only_with(std::vector<std::string> names);

  // INVALID_REQUEST with joptsimple's words for what is wrong.
  Result<void> parse(const std::vector<std::string>& arguments);

  [[nodiscard]] bool has(std::string_view name) const;
  // The options given, in their order; one given twice is there twice.
  [[nodiscard]] const std::vector<std::string>& given() const { return given_; }
  // The last one given; the standard; or nothing.
  [[nodiscard]] std::optional<std::string> get(std::string_view name) const;
  [[nodiscard]] std::string get_or(std::string_view name, std::string otherwise) const { return get(name).value_or(std::move(otherwise)); }
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
  // INVALID_REQUEST when it is no number in the range.
  [[nodiscard]] Result<std::optional<int64_t>> number(std::string_view name, int64_t min = INT64_MIN, int64_t max = INT64_MAX) const;
  // The same of an option whose argument is a 32-bit integer.
  [[nodiscard]] Result<std::optional<int32_t>> integer(std::string_view name) const;

  // Checks as Kafka's CommandLineUtils words them: 'Missing required argument "[name]"' and 'Option "[a]" can't be used with option "[b]"'.
  [[nodiscard]] Result<void> require(std::string_view name) const;
  [[nodiscard]] Result<void> forbid_with(std::string_view used, const std::vector<std::string>& forbidden) const;

  // INVALID_REQUEST when an option that takes one argument was given several. Asked after the other checks, as Kafka's tools find out late.
  [[nodiscard]] Result<void> single() const;

  [[nodiscard]] const std::string& description() const { return description_; }
  // The list of options.
  [[nodiscard]] std::string usage() const;

 private:
  struct Option {
    std::string name, what, text;
    Takes takes = Takes::kNothing;
    std::optional<std::string> standard;
    bool repeatable = false;
    std::vector<std::string> needs;
    bool given = false;
    std::vector<std::string> values;
  };
  Option* find(std::string_view given);
  [[nodiscard]] const Option& known(std::string_view name) const;

  std::string description_;
  std::vector<Option> options_;
  std::vector<std::string> given_;
};

}  // namespace samsa::tool
