#include "tool/metadata_tree.h"

#include <gtest/gtest.h>

namespace samsa::tool {
namespace {

metadata::MetadataImage example() {
  metadata::MetadataImage image;
  image.provenance = {43, 2, 1'700'000'000'120};
  image.features.set("metadata.version", int16_t{30});
  image.features.set("group.version", int16_t{1});
  metadata::TopicImage topic;
  topic.name = "orders";
  topic.id = {1, 2};
  topic.partitions.set(0, metadata::PartitionImage{.replicas = {1, 2}, .directories = {{0, 5}, {0, 6}}, .isr = {1}, .leader = 1});
  image.topics.set("orders", topic);
  image.configs.set({metadata::ConfigType::kTopic, "orders"}, metadata::ConfigMap{{"retention.ms", "5"}});
  image.configs.set({metadata::ConfigType::kBroker, ""}, metadata::ConfigMap{{"min.insync.replicas", "1"}});
  image.quotas.set(metadata::QuotaEntity{{{"user", "a(b"}, {"client-id", "c"}}}, metadata::QuotaMap{{"producer_byte_rate", 1024}, {"request_percentage", 2.5e7}});
  image.scram.set({"alice", 1}, metadata::ScramCredential{{0xab}, {1}, {2}, 4096});
  return image;
}

std::string text_at(const MetadataTreeNode& root, std::string_view path) {
  const auto found = find_in_tree(root, "/", path);
  return found.size() == 1 ? print_tree(*found[0].node) : std::to_string(found.size()) + " found";
}

TEST(MetadataTree, ShowsTheImageAsKafkasShellDoes) {
  const auto root = metadata_tree(example());
  EXPECT_EQ(text_at(root, "/image/provenance"), "offset 42, epoch 2, time 2023-11-14T22:13:20.12Z[UTC]\n");
  EXPECT_EQ(text_at(root, "/image/features"), "finalized_group.version:\n  1\nmetadataVersion:\n  Optional[4.3-IV0]\n");
  EXPECT_EQ(text_at(root, "/image/topics/byName/orders/0"),
            "PartitionRegistration(replicas=[1, 2], directories=[AAAAAAAAAAAAAAAAAAAABQ, AAAAAAAAAAAAAAAAAAAABg], isr=[1], removingReplicas=[], addingReplicas=[], "
            "elr=[], lastKnownElr=[], leader=1, leaderRecoveryState=RECOVERED, leaderEpoch=0, partitionEpoch=0)\n");
  EXPECT_EQ(text_at(root, "/image/configs/TOPIC:orders/retention.ms"), "5\n");
  EXPECT_EQ(text_at(root, "/image/configs/BROKER/min.insync.replicas"), "1\n");
  EXPECT_EQ(text_at(root, "/image/clientQuotas"), "clientId(c)_user(a\\(b):\n  producer_byte_rate:\n    1024.0\n  request_percentage:\n    2.5E7\n");
  EXPECT_EQ(text_at(root, "/image/scram/SCRAM-SHA-256/alice"), "ScramCredentialData(salt=ab, storedKey=01, serverKey=02, iterations=4096)\n");
}

TEST(MetadataTree, FindsPathsAndPatterns) {
  const auto root = metadata_tree(example());
  EXPECT_EQ(path_parts("/a/./b//../c/"), (std::vector<std::string>{"a", "c"}));
  EXPECT_EQ(find_in_tree(root, "/", "").size(), 1U);
  EXPECT_EQ(find_in_tree(root, "/image/topics", "byName/orders")[0].name(), "orders");
  EXPECT_EQ(find_in_tree(root, "/image", "../local/{version,commitId}").size(), 2U);
  EXPECT_EQ(find_in_tree(root, "/", "image/*/by?d").size(), 2U);
  EXPECT_EQ(find_in_tree(root, "/", "image/topics/byName/orders/name/more").size(), 0U);
  EXPECT_EQ(find_in_tree(root, "/", "image/{a").size(), 0U);
}

}  // namespace
}  // namespace samsa::tool
