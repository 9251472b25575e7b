// Traffic: producers of every kind (idempotent or not, each codec, several batch sizes) that write numbered values to a few topics, and
// readers that follow all of their partitions. The log workload is nothing else; others let it run beside what they do.
#pragma once

#include "sim/workload.h"

namespace samsa::sim {

struct TrafficWriter {
  client::ProducerConfig config;
  std::chrono::milliseconds pause;  // Between two records, at most.
  size_t max_padding;
};

class Traffic {
 public:
  explicit Traffic(std::string prefix = "log") : prefix_(std::move(prefix)) {}
  // Draws up to so many topics, with segments of a few records.
  std::vector<TopicPlan> topics(io::Random& random, int at_most = 3);
  void start(ClientSide& clients, int64_t writers, int64_t readers);
  [[nodiscard]] const std::vector<TopicPartition>& partitions() const { return partitions_; }

 private:
  io::Task<> write(ClientSide& clients, TrafficWriter writer);
  io::Task<> send_one(ClientSide& clients, client::Producer& producer, const TrafficWriter& writer, int id);
  io::Task<> read(ClientSide& clients);
  std::string prefix_;
  std::vector<TopicPartition> partitions_;
};

// Segments, indexes and intervals so small that every few records something rolls.
std::vector<std::pair<std::string, std::string>> tiny_segments(io::Random& random);

}  // namespace samsa::sim
