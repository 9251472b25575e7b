#include "server/shard_metrics.h"

#include "base/error_code.h"
#include "protocol/api/fetch.h"
#include "protocol/api_table.h"

namespace samsa::server {

using metrics::labels;
using metrics::Meter;
using metrics::Metric;
using metrics::Samples;
using metrics::TopicMetrics;

namespace {

std::string_view slot_name(size_t slot) {
  if (slot == ShardMetrics::kFetchConsumer) return "FetchConsumer";
  if (slot == ShardMetrics::kFetchFollower) return "FetchFollower";
  const auto* api = protocol::find_api(static_cast<int16_t>(slot));
  return api == nullptr ? std::string_view("Unknown") : api->name;
}

}  // namespace

ListenerMetrics& ShardMetrics::listener(std::string_view name) {
  const auto known = listeners_.find(name);
  return known != listeners_.end() ? known->second : listeners_.try_emplace(std::string(name)).first->second;
}

const std::shared_ptr<TopicMetrics>& ShardMetrics::topic(const std::string& name) {
  auto& known = topics_[name];
  if (known == nullptr) known = std::make_shared<TopicMetrics>(&all_topics);
  return known;
}

void ShardMetrics::tick() {
  constexpr unsigned kTicksPerWindow = metrics::Histogram::kWindow / Meter::kTick;
  const bool rotate = ++ticks_ % kTicksPerWindow == 0;
  for (const auto& requests : requests_) {
    if (requests == nullptr) continue;
    requests->tick();
    if (rotate) requests->rotate();
  }
  for (auto& [name, listener] : listeners_) {
    for (Meter* meter : {&listener.created, &listener.closed, &listener.bytes_in, &listener.bytes_out, &listener.requests, &listener.responses}) {
      meter->tick();
    }
  }
  const auto tick_one = [](Metric, Meter& meter) { meter.tick(); };
  TopicMetrics::for_each(all_topics, tick_one);
  for (const auto& [name, topic] : topics_) TopicMetrics::for_each(*topic, tick_one);
  replication_bytes_out.tick();
}

void ShardMetrics::collect_requests(Samples& into) const {
  constexpr auto kFetch = static_cast<size_t>(protocol::FetchRequest::kApiKey);
  for (size_t slot = 0; slot < kSlots; ++slot) {
    if (requests_[slot] == nullptr) continue;
    const RequestMetrics& of = *requests_[slot];
    collect_request(of, slot_name(slot), into);
    if (slot == kFetchConsumer || slot == kFetchFollower) collect_request(of, slot_name(kFetch), into);
  }
}

void ShardMetrics::collect_request(const RequestMetrics& of, std::string_view name, Samples& into) {
  const std::string request = labels("request", name);
  for (size_t version = 0; version < of.versions().size(); ++version) {
    const Meter& meter = of.versions()[version];
    if (meter.value() > 0) into.add(Metric::kRequests, meter, labels("request", name, "version", version));
  }
  for (const auto& [code, meter] : of.errors()) {
    into.add(Metric::kRequestErrors, meter, labels("request", name, "error", error_name(error_from_wire(code))));
  }
  into.add(Metric::kRequestBytes, of.bytes, request);
  into.add(Metric::kRequestQueueTime, of.queue_time, request);
  into.add(Metric::kLocalTime, of.local_time, request);
  into.add(Metric::kRemoteTime, of.remote_time, request);
  into.add(Metric::kThrottleTime, of.throttle_time, request);
  into.add(Metric::kResponseQueueTime, of.response_queue_time, request);
  into.add(Metric::kResponseSendTime, of.response_send_time, request);
  into.add(Metric::kTotalTime, of.total_time, request);
}

void ShardMetrics::collect_listeners(Samples& into) const {
  for (const auto& [name, of] : listeners_) {
    const std::string where = labels("listener", name, "networkProcessor", shard_);
    into.add(Metric::kConnectionCount, static_cast<double>(static_cast<int64_t>(of.created.value() - of.closed.value()) + of.moved_here), where);
    into.add(Metric::kConnectionCreation, of.created, where);
    into.add(Metric::kConnectionClose, of.closed, where);
    into.add(Metric::kIncomingByte, of.bytes_in, where);
    into.add(Metric::kOutgoingByte, of.bytes_out, where);
    into.add(Metric::kRequestTotal, of.requests, where);
    into.add(Metric::kResponseTotal, of.responses, where);
    into.add(Metric::kExpiredConnections, static_cast<double>(of.expired.value()), where);
  }
}

void ShardMetrics::collect(Samples& into) const {
  TopicMetrics::for_each(all_topics, [&](Metric metric, const Meter& meter) { into.add(metric, meter); });
  for (const auto& [name, topic] : topics_) {
    const std::string label = labels("topic", name);
    TopicMetrics::for_each(*topic, [&](Metric metric, const Meter& meter) {
      if (meter.value() > 0) into.add(metric, meter, label);
    });
  }
  into.add(Metric::kReplicationBytesOut, replication_bytes_out);
  collect_requests(into);
  collect_listeners(into);
}

}  // namespace samsa::server
