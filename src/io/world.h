// World: everything a shard of a node gets from outside. The same node code runs on a real one (io/real/world.h) and on a
// simulated one (io/sim/world.h).
#pragma once

#include <vector>

#include "io/file.h"
#include "io/loop.h"
#include "io/network.h"

namespace samsa::io {

struct World {
  Loop& loop;
  Disk& disk;
  Network& network;
};

// The shards of one node; worlds[i].loop.shard() == i. There is at least one.
using Worlds = std::vector<World>;

}  // namespace samsa::io
