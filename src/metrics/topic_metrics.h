// TopicMetrics: what goes in and out of one topic on one shard (kafka.server:type=BrokerTopicMetrics). Every mark also counts in the
// shard's object for all topics.
//
// Owner: the shard; partitions of the topic share it, so it outlives the topic's deletion as long as one of them.
#pragma once

#include <cstdint>

#include "metrics/meter.h"
#include "metrics/names.h"

namespace samsa::metrics {

struct TopicMetrics {
  explicit TopicMetrics(TopicMetrics* of_all = nullptr) : all(of_all) {}
  TopicMetrics(const TopicMetrics&) = delete;

  void mark(Meter TopicMetrics::*meter, uint64_t n = 1) {
    (this->*meter).add(n);
    if (all != nullptr) (all->*meter).add(n);
  }
  // Calls f(Metric, Meter&) for each.
  template <class Self, class F>
  static void for_each(Self& self, F f) {
    f(Metric::kMessagesIn, self.messages_in);
    f(Metric::kBytesIn, self.bytes_in);
    f(Metric::kBytesOut, self.bytes_out);
    f(Metric::kBytesRejected, self.bytes_rejected);
    f(Metric::kFailedProduceRequests, self.failed_produce_requests);
    f(Metric::kFailedFetchRequests, self.failed_fetch_requests);
    f(Metric::kTotalProduceRequests, self.total_produce_requests);
    f(Metric::kTotalFetchRequests, self.total_fetch_requests);
  }

  TopicMetrics* all;
  Meter messages_in;
  Meter bytes_in;
  Meter bytes_out;
  Meter bytes_rejected;
  Meter failed_produce_requests;
  Meter failed_fetch_requests;
  Meter total_produce_requests;
  Meter total_fetch_requests;
};

}  // namespace samsa::metrics
