// A group member's heartbeat through the coordinator, without the network: classic and KIP-848, in a group of so many members. Nothing
// changes in the group, as in all but a few of a group's heartbeats. The limit beside it: finding group and member,
// each in a hash table, and the memory of a timer.
#include "coordinator/group/testing.h"
#include "metadata/image.h"
#include "micro/limits.h"
#include "protocol/api/consumer_group_heartbeat.h"

namespace samsa::coordinator {
namespace {

using namespace testing;

const Uuid kTopic{77, 1};

void set_limit(benchmark::State& state) {
  micro::set_limit(state, 2 * micro::limits().look_up + micro::limits().allocation, "two look-ups and a timer's memory");
}

void set_topic(Bench& bench, int partitions) {
  metadata::MetadataImage image;
  image.features.set("group.version", 1);
  metadata::TopicImage topic;
  topic.name = "a";
  topic.id = kTopic;
  for (int p = 0; p < partitions; ++p) topic.partitions.set(p, metadata::PartitionImage{.replicas = {1}, .isr = {1}, .leader = 1});
  auto shared = std::make_shared<const metadata::TopicImage>(topic);
  image.topics.set("a", shared);
  image.topics_by_id.set(topic.id, shared);
  bench.groups.set_image(std::make_shared<const metadata::MetadataImage>(image));
}

protocol::ConsumerGroupHeartbeatRequest beat(int member, int32_t epoch) {
  protocol::ConsumerGroupHeartbeatRequest request;
  request.group_id = "g";
  request.member_id = "member-" + std::to_string(member);
  request.member_epoch = epoch;
  if (epoch == 0) {
    request.rebalance_timeout_ms = 60'000;
    request.subscribed_topic_names.emplace();
    request.subscribed_topic_names->emplace_back("a");
    request.topic_partitions.emplace();
  }
  return request;
}

void consumer_group_heartbeat(benchmark::State& state) {
  GroupConfig config;
  config.consumer_max_size = 100'000;
  Bench bench(config);
  const int members = static_cast<int>(state.range(0));
  set_topic(bench, members);
  std::vector<int32_t> epochs(static_cast<size_t>(members));
  const auto say = [&](int member) {
    auto& epoch = epochs[static_cast<size_t>(member)];
    const auto answer = bench.call(&GroupCoordinator::consumer_group_heartbeat, 1, beat(member, epoch));
    if (answer.error() == ErrorCode::kNone) epoch = answer->member_epoch;
    return answer.error();
  };
  for (int member = 0; member < members; ++member) {
    if (const auto error = say(member); error != ErrorCode::kNone) return state.SkipWithError("cannot join");
  }
  for (int member = 0; member < members; ++member) say(member);
  int member = 0;
  int64_t failed = 0;
  for (auto _ : state) {
    failed += say(member) != ErrorCode::kNone;
    member = (member + 1) % members;
  }
  if (failed > 0) return state.SkipWithError("heartbeats failed");
  set_limit(state);
}
BENCHMARK(consumer_group_heartbeat)->Arg(1)->Arg(100)->Arg(1000);

void classic_heartbeat(benchmark::State& state) {
  Bench bench;
  const auto joined = bench.join({.version = 3});
  bench.loop.advance(std::chrono::seconds(6));  // The pause before a first generation.
  if (joined.error() != ErrorCode::kNone) return state.SkipWithError("cannot join");
  const std::string member = joined->member_id.str();
  bench.sync({.member = member, .generation = joined->generation_id, .assignments = {{member, "all"}}});
  for (auto _ : state) {
    if (bench.heartbeat(member, joined->generation_id) != ErrorCode::kNone) return state.SkipWithError("refused");
  }
  set_limit(state);
}
BENCHMARK(classic_heartbeat);

}  // namespace
}  // namespace samsa::coordinator

SAMSA_MICRO_MAIN()
