// Scrape: one picture of all metrics of a node: what its shards have counted, and what is looked up in them when somebody asks.
// Runs on shard 0 and hops once to every shard.
#pragma once

#include <string>

#include "io/task.h"
#include "metrics/samples.h"

namespace samsa::server {

class Node;
class Shard;

// The whole page in Prometheus' text format. Shard 0.
io::Task<std::string> metrics_page(Node& node);
io::Task<metrics::Samples> scrape(Node& node);

// What one shard knows; on its loop.
void collect_shard(Shard& shard, metrics::Samples& into);
// What belongs to the node as a whole; on shard 0.
void collect_node(Node& node, metrics::Samples& into);

}  // namespace samsa::server
