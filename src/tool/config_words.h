// The command line of kafka-configs.sh: which entities it means, what is to be set and removed, and what may not go together. Pure but
// for the file of --add-config-file.
//
// INVALID_REQUEST: to be said with the list of options; INVALID_CONFIG: to be said alone.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tool/options.h"
#include "tool/tool.h"

namespace samsa::tool {

struct ConfigEntities {
  std::vector<std::string> types;  // "topics", "users", ...; two for clients of a user.
  std::vector<std::string> names;  // By type as far as they are given; "" is the default entity.
  [[nodiscard]] bool has_type(std::string_view type) const;
  [[nodiscard]] bool has_name() const;
  [[nodiscard]] bool has_default() const;
};

Options config_options();
ConfigEntities config_entities(const Options& options);
Result<void> check_config_words(const Options& options, const ConfigEntities& entities);
Result<std::map<std::string, std::string>> configs_to_add(ToolContext& context, const Options& options);
std::vector<std::string> configs_to_delete(const Options& options);

}  // namespace samsa::tool
