// kafka-configs.sh for users, clients and addresses: quotas and SCRAM credentials.
#pragma once

#include "tool/config_words.h"

namespace samsa::tool {

// Errors that begin with this are said without the command line.
constexpr std::string_view kPlain = "\x01";
inline std::unexpected<Error> plain_error(const std::string& text) { return fail(ErrorCode::kInvalidConfig, std::string(kPlain) + text); }

io::Task<Result<void>> describe_quotas(ToolContext& context, client::Cluster& cluster, const ConfigEntities& entities);
io::Task<Result<void>> alter_quotas(ToolContext& context, client::Cluster& cluster, const Options& options, const ConfigEntities& entities);

}  // namespace samsa::tool
