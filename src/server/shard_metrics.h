// ShardMetrics: everything that one shard counts as it works. The hot roads add to plain numbers here; what can be looked up when
// somebody asks is not here but in scrape.cc. Names: metrics/names.def.
//
// Owner: the shard, on its loop. tick() is called every metrics::Meter::kTick.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "metrics/samples.h"
#include "metrics/topic_metrics.h"
#include "server/request_metrics.h"

namespace samsa::server {

// One listener's connections on this shard.
struct ListenerMetrics {
  metrics::Meter created, closed;
  int64_t moved_here = 0;  // From other shards, less those that left for them.
  metrics::Meter bytes_in, bytes_out;
  metrics::Meter requests, responses;
  metrics::Counter expired;
};

class ShardMetrics {
 public:
  // Slots of requests(): the API keys, and the two sides of Fetch. Kafka shows these on their own and together: they are recorded on
  // their own, and added up for Fetch when somebody asks.
  static constexpr size_t kFetchConsumer = 128;
  static constexpr size_t kFetchFollower = 129;
  static constexpr size_t kSlots = 130;

  explicit ShardMetrics(int shard) : shard_(shard) {}
  ShardMetrics(const ShardMetrics&) = delete;

  // Made when it is first asked for.
  RequestMetrics& requests(size_t slot) {
    if (requests_[slot] == nullptr) requests_[slot] = std::make_unique<RequestMetrics>();
    return *requests_[slot];
  }
  // Stays where it is.
  ListenerMetrics& listener(std::string_view name);
  // For the partitions of a topic, which share it; made when it is first asked for.
  const std::shared_ptr<metrics::TopicMetrics>& topic(const std::string& name);
  void forget_topic(const std::string& name) { topics_.erase(name); }

  void tick();
  void collect(metrics::Samples& into) const;

  metrics::TopicMetrics all_topics;
  metrics::Meter replication_bytes_out;

 private:
  void collect_requests(metrics::Samples& into) const;
  static void collect_request(const RequestMetrics& of, std::string_view name, metrics::Samples& into);
  void collect_listeners(metrics::Samples& into) const;

  const int shard_;
  unsigned ticks_ = 0;
  std::array<std::unique_ptr<RequestMetrics>, kSlots> requests_;
  std::map<std::string, ListenerMetrics, std::less<>> listeners_;
  std::unordered_map<std::string, std::shared_ptr<metrics::TopicMetrics>> topics_;
};

}  // namespace samsa::server
