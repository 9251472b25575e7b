// Topics that the node creates of its own accord: those that clients name and that do not exist (auto.create.topics.enable), and the
// internal ones when they are first needed. One creation per name and shard is under way at a time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "metadata/envelope.h"
#include "server/shard.h"

namespace samsa::server {

// Asks the controller to create the topics and returns at once; failures are logged. Internal topics get their own settings.
// `who`: in whose name; without it in this broker's.
void create_topics_in_background(Shard& shard, std::vector<std::string> names, std::optional<metadata::ForwardedFor> who = {});

}  // namespace samsa::server
