// The hash of the topics that a KIP-848 group subscribes to, as Kafka stores it in the group's record: a coordinator that computes
// another value after a failover would rebalance every group. XXH3-64 over little-endian fields (docs/formats/consumer_offsets.md).
#pragma once

#include <cstdint>
#include <set>
#include <string>

namespace samsa::metadata {
struct MetadataImage;
struct TopicImage;
}  // namespace samsa::metadata

namespace samsa::coordinator {

int64_t topic_hash(const metadata::TopicImage& topic, const metadata::MetadataImage& image);
// Of the topics of these names; one that does not exist counts as 0. 0 where there are no names.
int64_t subscription_hash(const std::set<std::string, std::less<>>& topics, const metadata::MetadataImage& image);

}  // namespace samsa::coordinator
