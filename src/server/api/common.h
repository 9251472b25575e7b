// Small things that several handlers share: finding topics and endpoints in the image, and spreading items over shards.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "metadata/image.h"
#include "protocol/codec.h"
#include "server/fanout.h"
#include "server/internal_topics.h"
#include "server/node.h"
#include "server/request_context.h"
#include "server/shard.h"

namespace samsa::server {

using protocol::to_wire;

// The shards that the items (with a member `shard`, -1: none) belong to, each once, in ascending order.
template <class Items>
std::vector<int> shards_of(const Items& items) {
  std::vector<int> shards;
  for (const auto& item : items) {
    if (item.shard >= 0 && std::ranges::find(shards, item.shard) == shards.end()) shards.push_back(item.shard);
  }
  std::ranges::sort(shards);
  return shards;
}

// A topic by id where the request has one, else by name.
inline const metadata::TopicImage* find_topic(const metadata::MetadataImage& image, const Uuid& id, std::string_view name) {
  return id.is_zero() ? image.topic(name) : image.topic(id);
}

// The endpoint of an unfenced broker for clients of that listener; nullptr where there is none.
inline const metadata::Endpoint* live_endpoint(const metadata::MetadataImage& image, int32_t broker, std::string_view listener) {
  const auto* registered = image.broker(broker);
  return registered == nullptr || registered->fenced ? nullptr : registered->endpoint(listener);
}

// Replicas that cannot serve: their broker is gone or fenced, or their directory is offline.
inline std::vector<int32_t> offline_replicas(const metadata::MetadataImage& image, const metadata::PartitionImage& partition) {
  std::vector<int32_t> offline;
  for (const int32_t replica : partition.replicas) {
    const auto* broker = image.broker(replica);
    if (broker == nullptr || broker->fenced || !broker->directory_online(partition.directory_of(replica))) offline.push_back(replica);
  }
  return offline;
}

// The error's text where the response has a place for it: what the failure says, nothing where it says no more than its code.
inline protocol::NullableText error_message(const Error& error) {
  if (error.message.empty()) return std::nullopt;
  return protocol::Text(error.message);
}

// Adds each endpoint of a new leader once (Produce, Fetch: KIP-951).
template <class Endpoints>
void add_leader_endpoint(const metadata::MetadataImage& image, int32_t leader, std::string_view listener, Endpoints& endpoints) {
  const auto* endpoint = live_endpoint(image, leader, listener);
  if (endpoint == nullptr) return;
  for (const auto& known : endpoints) {
    if (known.node_id == leader) return;
  }
  auto& added = endpoints.emplace_back();
  added.node_id = leader;
  added.host = endpoint->host;
  added.port = endpoint->port;
  if (const auto& rack = image.broker(leader)->rack) added.rack = protocol::Text(*rack);
}

}  // namespace samsa::server
