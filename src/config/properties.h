// Java's .properties text: what server.properties, meta.properties and the tools' --command-config files are written in
// (java.util.Properties). Pure text, no files.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace samsa::config {

// Names and values, in the order of the names.
using Properties = std::map<std::string, std::string, std::less<>>;

// Comments (# and !), separators (=, : or blanks), lines continued by a backslash, and the escapes \t \n \r \f \uXXXX. The last value of
// a name that stands twice counts. Bytes above 127 are passed on as they are.
// Errors: INVALID_CONFIG with the line's number, for a broken \u escape.
Result<Properties> parse_properties(std::string_view text);

// The inverse: one "name=value" line each, escaped as Java does; `comment` (may be empty) goes first, each line behind a '#'.
std::string print_properties(const Properties& properties, std::string_view comment = {});

}  // namespace samsa::config
