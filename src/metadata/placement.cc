#include "metadata/placement.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace samsa::metadata {

namespace {

// Brokers of a rack, given out in turn. Each epoch (partition) starts one further and gives each broker at most once.
struct Turn {
  std::vector<int32_t> brokers;
  size_t offset = 0;
  size_t given = 0;
  int64_t epoch = -1;

  void begin(int64_t now) {
    if (epoch == now) return;
    if (epoch >= 0 && !brokers.empty()) offset = (offset + 1) % brokers.size();
    epoch = now;
    given = 0;
  }
  int32_t next() {
    if (given >= brokers.size()) return -1;
    return brokers[(offset + given++) % brokers.size()];
  }
  void shuffle(io::Random& random) {
    for (size_t i = brokers.size(); i > 1; --i) std::swap(brokers[i - 1], brokers[random.below(i)]);
  }
};

struct Rack {
  Turn unfenced, fenced;
  int32_t next_unfenced(int64_t epoch) {
    unfenced.begin(epoch);
    return unfenced.next();
  }
  int32_t next(int64_t epoch) {
    const int32_t broker = next_unfenced(epoch);
    if (broker >= 0) return broker;
    fenced.begin(epoch);
    return fenced.next();
  }
};

bool all_cordoned(const BrokerImage& broker) {
  if (broker.log_dirs.empty() || broker.cordoned_log_dirs.empty()) return false;
  return std::all_of(broker.log_dirs.begin(), broker.log_dirs.end(), [&](const Uuid& id) {
    return std::find(broker.cordoned_log_dirs.begin(), broker.cordoned_log_dirs.end(), id) != broker.cordoned_log_dirs.end();
  });
}

}  // namespace

Result<std::vector<std::vector<int32_t>>> place_replicas(const MetadataImage& image, int32_t partitions, int32_t replication_factor,
                                                         io::Random& random) {
  std::map<std::optional<std::string>, Rack> by_name;
  int32_t total = 0;
  int32_t unfenced = 0;
  image.brokers.for_each([&](int32_t id, const BrokerImage& broker) {
    if (all_cordoned(broker)) return;
    Rack& rack = by_name[broker.rack];
    (broker.fenced ? rack.fenced : rack.unfenced).brokers.push_back(id);
    ++total;
    if (!broker.fenced) ++unfenced;
  });
  const auto refuse = [](std::string text) { return fail(ErrorCode::kInvalidReplicationFactor, std::move(text)); };
  if (replication_factor <= 0) {
    return refuse(fmt::format("Invalid replication factor {}: the replication factor must be positive.", replication_factor));
  }
  if (unfenced == 0) return refuse("All brokers are currently fenced, or have all their log directories cordoned.");
  if (replication_factor > total) {
    return refuse(fmt::format("The target replication factor of {} cannot be reached because only {} broker(s) are registered "
                              "or some brokers have all their log directories cordoned.", replication_factor, total));
  }
  std::vector<Rack> racks;
  for (auto& [name, rack] : by_name) {
    rack.unfenced.shuffle(random);
    rack.fenced.shuffle(random);
    racks.push_back(std::move(rack));
  }
  size_t start = random.below(racks.size());
  std::vector<std::vector<int32_t>> placed;
  placed.reserve(static_cast<size_t>(partitions));
  for (int64_t epoch = 0; epoch < partitions; ++epoch, start = (start + 1) % racks.size()) {
    std::vector<int32_t> replicas;
    size_t at = start;
    // The leader's rack is the first from `start` that has an unfenced broker; the others follow in turn from `start`, passing it once.
    size_t leader_rack = racks.size();
    for (size_t i = 0; i < racks.size() && replicas.empty(); ++i) {
      const size_t index = (start + i) % racks.size();
      if (const int32_t broker = racks[index].next_unfenced(epoch); broker >= 0) {
        replicas.push_back(broker);
        leader_rack = index;
      }
    }
    for (size_t empty = 0; replicas.size() < static_cast<size_t>(replication_factor) && empty <= racks.size() + 1; at = (at + 1) % racks.size()) {
      if (at == leader_rack) {
        leader_rack = racks.size();
        continue;
      }
      const int32_t broker = racks[at].next(epoch);
      if (broker >= 0) {
        replicas.push_back(broker);
        empty = 0;
      } else {
        ++empty;
      }
    }
    placed.push_back(std::move(replicas));
  }
  return placed;
}

Uuid default_directory(const MetadataImage& image, int32_t broker) {
  const BrokerImage* found = image.broker(broker);
  if (found == nullptr) return kUnassignedDirectory;
  std::vector<Uuid> usable;
  for (const Uuid& id : found->log_dirs) {
    if (std::find(found->cordoned_log_dirs.begin(), found->cordoned_log_dirs.end(), id) == found->cordoned_log_dirs.end()) usable.push_back(id);
  }
  return usable.size() == 1 ? usable.front() : kUnassignedDirectory;
}

}  // namespace samsa::metadata
