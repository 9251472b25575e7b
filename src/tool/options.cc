#include "tool/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/assert.h"

namespace samsa::tool {

Options& Options::flag(std::string name, std::string text) {
  options_.push_back({.name = std::move(name), .what = "", .text = std::move(text)});
  return *this;
}

Options& Options::value(std::string name, std::string what, std::string text, std::optional<std::string> standard) {
  options_.push_back({.name = std::move(name), .what = std::move(what), .text = std::move(text), .takes = Takes::kRequired, .standard = std::move(standard)});
  return *this;
}

Options& Options::values(std::string name, std::string what, std::string text) {
  value(std::move(name), std::move(what), std::move(text));
  options_.back().repeatable = true;
  return *this;
}

Options& Options::optional_value(std::string name, std::string what, std::string text) {
  options_.push_back({.name = std::move(name), .what = std::move(what), .text = std::move(text), .takes = Takes::kOptional});
  return *this;
}

Options& Options::only_with(std::vector<std::string> names) {
  options_.back().needs = std::move(names);
  return *this;
}

Options::Option* Options::find(std::string_view given) {
  const auto found = std::find_if(options_.begin(), options_.end(), [&](const Option& option) { return option.name == given; });
  return found == options_.end() ? nullptr : &*found;
}

Result<void> Options::parse(const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") break;
    if (argument.size() < 2 || argument[0] != '-') continue;
    const bool is_long = argument[1] == '-';
    const size_t equals = argument.find('=');
    const std::string_view name = std::string_view(argument).substr(is_long ? 2 : 1, equals == std::string::npos ? equals : equals - (is_long ? 2 : 1));
    Option* const option = find(name);
    // After one dash there may be letters, each an option; Kafka's tools have none.
    if (option == nullptr) return fail(ErrorCode::kInvalidRequest, fmt::format("{} is not a recognized option", is_long ? name : name.substr(0, 1)));
    option->given = true;
    given_.push_back(option->name);
    if (option->takes == Takes::kNothing) continue;
    if (equals != std::string::npos) {
      option->values.push_back(argument.substr(equals + 1));
    } else if (option->takes == Takes::kRequired) {
      if (i + 1 == arguments.size()) return fail(ErrorCode::kInvalidRequest, fmt::format("Option {} requires an argument", option->name));
      option->values.push_back(arguments[++i]);
    } else if (i + 1 < arguments.size() && (arguments[i + 1].size() < 2 || arguments[i + 1][0] != '-')) {
      option->values.push_back(arguments[++i]);
    }
  }
  for (const auto& option : options_) {
    if (!option.given || option.needs.empty() || has("help")) continue;
    if (std::none_of(option.needs.begin(), option.needs.end(), [&](const auto& name) { return has(name); })) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("Option(s) [{}] are unavailable given other options on the command line", option.name));
    }
  }
  return {};
}

Result<void> Options::single() const {
  for (const auto& option : options_) {
    if (option.repeatable || option.values.size() < 2) continue;
    return fail(ErrorCode::kInvalidRequest, fmt::format("Found multiple arguments for option {}, but you asked for only one", option.name));
  }
  return {};
}

const Options::Option& Options::known(std::string_view name) const {
  const auto found = std::find_if(options_.begin(), options_.end(), [&](const Option& option) { return option.name == name; });
  SAMSA_ASSERT(found != options_.end(), "an option that was not declared");
  return *found;
}

bool Options::has(std::string_view name) const { return known(name).given; }

std::optional<std::string> Options::get(std::string_view name) const {
  const Option& option = known(name);
  return option.values.empty() ? option.standard : option.values.back();
}

std::vector<std::string> Options::all(std::string_view name) const {
  const Option& option = known(name);
  if (option.values.empty() && option.standard) return {*option.standard};
  return option.values;
}

Result<std::optional<int64_t>> Options::number(std::string_view name, int64_t min, int64_t max) const {
  const auto text = get(name);
  if (!text) return std::nullopt;
  int64_t number = 0;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != text->data() + text->size() || number < min || number > max) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("Cannot parse argument '{}' of option {}", *text, name));
  }
  return number;
}

Result<std::optional<int32_t>> Options::integer(std::string_view name) const {
  TRY_ASSIGN(const auto value, number(name, INT32_MIN, INT32_MAX));
  if (!value) return std::nullopt;
  return static_cast<int32_t>(*value);
}

Result<void> Options::require(std::string_view name) const {
  if (has(name)) return {};
  return fail(ErrorCode::kInvalidRequest, fmt::format("Missing required argument \"[{}]\"", name));
}

Result<void> Options::forbid_with(std::string_view used, const std::vector<std::string>& forbidden) const {
  if (!has(used)) return {};
  for (const auto& name : forbidden) {
    if (has(name)) return fail(ErrorCode::kInvalidRequest, fmt::format("Option \"[{}]\" can't be used with option \"[{}]\"", used, name));
  }
  return {};
}

std::string Options::usage() const {
  std::vector<const Option*> sorted;
  for (const auto& option : options_) sorted.push_back(&option);
  std::sort(sorted.begin(), sorted.end(), [](const Option* a, const Option* b) { return a->name < b->name; });
  std::string text = fmt::format("{:<40}{}\n{:<40}{}\n", "Option", "Description", "------", "-----------");
  for (const Option* option : sorted) {
    std::string head = "--" + option->name;
    if (option->takes == Takes::kRequired) head += " <" + option->what + ">";
    if (option->takes == Takes::kOptional) head += " [" + option->what + "]";
    text += head.size() < 40 ? fmt::format("{:<40}{}", head, option->text) : fmt::format("{}\n{:<40}{}", head, "", option->text);
    if (option->standard) text += fmt::format(" (default: {})", *option->standard);
    text += "\n";
  }
  return text;
}

}  // namespace samsa::tool
