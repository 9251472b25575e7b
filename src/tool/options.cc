#include "tool/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/assert.h"

namespace samsa::tool {

Options& Options::flag(std::string name, std::string text) {
  options_.push_back({std::move(name), "", std::move(text), Takes::kNothing, {}, false, {}});
  return *this;
}

Options& Options::value(std::string name, std::string what, std::string text, std::optional<std::string> standard) {
  options_.push_back({std::move(name), std::move(what), std::move(text), Takes::kRequired, std::move(standard), false, {}});
  return *this;
}

Options& Options::optional_value(std::string name, std::string what, std::string text) {
  options_.push_back({std::move(name), std::move(what), std::move(text), Takes::kOptional, {}, false, {}});
  return *this;
}

Options& Options::positional() {
  takes_rest_ = true;
  return *this;
}

Result<Options::Option*> Options::find(std::string_view given) {
  std::vector<Option*> candidates;
  for (auto& option : options_) {
    if (option.name == given) return &option;
    if (option.name.starts_with(given)) candidates.push_back(&option);
  }
  if (candidates.size() == 1) return candidates[0];
  if (candidates.empty()) return fail(ErrorCode::kInvalidRequest, fmt::format("{} is not a recognized option", given));
  std::string names;
  for (const Option* candidate : candidates) names += (names.empty() ? "" : ", ") + candidate->name;
  return fail(ErrorCode::kInvalidRequest, fmt::format("{} is ambiguous: it may mean {}", given, names));
}

Result<void> Options::parse(const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument.size() < 2 || argument[0] != '-') {
      if (!takes_rest_) return fail(ErrorCode::kInvalidRequest, fmt::format("Unexpected argument '{}'", argument));
      rest_.push_back(argument);
      continue;
    }
    const size_t dashes = argument[1] == '-' ? 2 : 1;
    const size_t equals = argument.find('=');
    TRY_ASSIGN(Option* const option, find(std::string_view(argument).substr(dashes, equals == std::string::npos ? equals : equals - dashes)));
    option->given = true;
    if (equals != std::string::npos) {
      if (option->takes == Takes::kNothing) return fail(ErrorCode::kInvalidRequest, fmt::format("Option {} does not take an argument", option->name));
      option->values.push_back(argument.substr(equals + 1));
      continue;
    }
    if (option->takes == Takes::kNothing) continue;
    // What looks like an option is one, unless it is a negative number.
    const bool follows = i + 1 < arguments.size();
    const bool dashed = follows && arguments[i + 1].size() > 1 && arguments[i + 1][0] == '-' && !std::isdigit(arguments[i + 1][1]);
    if (follows && !(dashed && find(std::string_view(arguments[i + 1]).substr(arguments[i + 1][1] == '-' ? 2 : 1)))) {
      option->values.push_back(arguments[++i]);
    } else if (option->takes == Takes::kRequired) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("Option {} requires an argument", option->name));
    }
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
  std::string text = description_ + "\n" + fmt::format("{:<40}{}\n{:<40}{}\n", "Option", "Description", "------", "-----------");
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
