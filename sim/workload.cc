#include "sim/workload.h"

#include <fmt/format.h>

#include <charconv>

#include "client/admin.h"

namespace samsa::sim {

using namespace std::chrono_literals;

std::unique_ptr<client::Cluster> ClientSide::connect(const std::string& client_id) const {
  client::ClusterConfig config;
  config.bootstrap = cluster_.brokers();
  config.connection.client_id = client_id;
  config.connection.connect_timeout = 1s;
  config.connection.request_timeout = 3s;
  config.retry_backoff = 50ms;
  config.api_timeout = 20s;
  return std::make_unique<client::Cluster>(cluster_.client_world(), std::move(config));
}

io::Task<> ClientSide::counted(ClientSide& side, io::Task<> task) {
  co_await std::move(task);
  --side.running_;
}

void ClientSide::spawn(io::Task<> task) {
  ++running_;
  io::spawn(loop(), counted(*this, std::move(task)));
}

io::Task<> ClientSide::read_all(std::vector<TopicPartition> partitions, bool read_committed, bool& complete) {
  const auto cluster = connect("final-reads");
  client::ConsumerConfig config;
  config.auto_offset_reset = client::OffsetReset::kEarliest;
  config.read_committed = read_committed;
  config.fetch_max_wait = 100ms;
  client::Consumer consumer(*cluster, config);
  consumer.assign(partitions);
  std::map<TopicPartition, int64_t> latest;
  for (const auto& partition : partitions) latest[partition] = -1;
  std::map<TopicPartition, Offset> ends;
  while (ends.size() < partitions.size()) {
    const auto found = co_await client::list_offsets(*cluster, latest, read_committed);
    if (found) {
      for (const auto& [partition, offset] : *found) {
        if (offset.error.code == ErrorCode::kNone) ends[partition] = offset.offset;
      }
    }
    if (ends.size() < partitions.size()) co_await io::sleep_for(loop(), 50ms);
  }
  const int reader = next_client();
  const int session = next_session();
  for (bool all = partitions.empty(); !all;) {
    const int64_t began = now_ns();
    auto records = co_await consumer.poll(500ms);
    if (!records) {
      cluster_.world().note("client", "final reads: " + records.error().text());
      co_await io::sleep_for(loop(), 100ms);
      continue;
    }
    if (!records->empty()) history_.polls.push_back(poll_of(*records, reader, session, began, now_ns()));
    if (!records->empty()) history_.polls.back().final = true;
    all = true;
    for (const auto& [partition, end] : ends) all = all && consumer.position(partition).value_or(-1) >= end;
  }
  co_await consumer.close();
  complete = true;
}

Poll poll_of(const std::vector<client::ConsumedRecord>& records, int reader, int session, int64_t began, int64_t ended) {
  Poll poll{reader, session, began, ended};
  for (const auto& record : records) {
    Seen& seen = poll.seen.emplace_back();
    seen.partition = {record.topic, record.partition};
    seen.offset = record.offset;
    seen.key = record.key.value_or("");
    seen.tombstone = !record.value;
    if (record.value) std::from_chars(record.value->data(), record.value->data() + record.value->size(), seen.value);
  }
  return poll;
}

std::string text_of_value(Value value, size_t padding) { return fmt::format("{} {}", value, std::string(padding, '.')); }

const std::vector<WorkloadEntry>& workloads() {
  static const std::vector<WorkloadEntry> all = {
      {"log", "producers of every kind and readers of several topics; every value is a register written once", &make_log_workload},
      {"group", "members of groups that come and go, read and commit", &make_group_workload},
      {"compact", "keys that change their values and are deleted, with the cleaner at work", &make_compact_workload},
      {"admin", "topics created and deleted, partitions, configs, reassignments, elections, beside traffic", &make_admin_workload},
      {"quorum", "voters added to and removed from the quorum, feature levels, beside traffic", &make_quorum_workload},
  };
  return all;
}

const WorkloadEntry* find_workload(std::string_view name) {
  for (const auto& entry : workloads()) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

}  // namespace samsa::sim
