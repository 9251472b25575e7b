#include "server/scrape.h"

#include <array>
#include <tuple>
#include <vector>

#include "io/work.h"
#include "raft/raft_node.h"
#include "server/fanout.h"
#include "server/node.h"
#include "server/shard.h"

namespace samsa::server {

using metrics::labels;
using metrics::Metric;
using metrics::Samples;

namespace {

// What a shard's led partitions add up to.
struct Led {
  size_t partitions = 0, under_replicated = 0, under_min_isr = 0, at_min_isr = 0, reassigning = 0;

  void add(const replication::Partition& partition, const metadata::PartitionImage* image) {
    ++partitions;
    under_replicated += partition.isr().size() < partition.replica_count() ? 1 : 0;
    under_min_isr += partition.below_min_isr() ? 1 : 0;
    at_min_isr += partition.at_min_isr() ? 1 : 0;
    reassigning += image != nullptr && image->reassigning() ? 1 : 0;
  }
};

// Kafka shows 0 for what only the leader knows.
void collect_partition(const replication::Partition& partition, Samples& into, const std::string& name) {
  const bool leads = partition.is_leader();
  const auto add = [&](Metric metric, size_t value) { into.add(metric, leads ? static_cast<double>(value) : 0, name); };
  add(Metric::kPartitionReplicasCount, partition.replica_count());
  add(Metric::kPartitionInSyncReplicasCount, partition.isr().size());
  add(Metric::kPartitionUnderReplicated, partition.isr().size() < partition.replica_count() ? 1 : 0);
  add(Metric::kPartitionUnderMinIsr, partition.below_min_isr() ? 1 : 0);
  add(Metric::kPartitionAtMinIsr, partition.at_min_isr() ? 1 : 0);
  const auto& log = partition.log();
  into.add(Metric::kPartitionLastStableOffsetLag, static_cast<double>(log.high_watermark() - log.last_stable_offset()), name);
}

void collect_partitions(Shard& shard, Samples& into) {
  Led led;
  for (const auto& [key, partition] : shard.partitions()) {
    const auto& log = partition->log();
    const std::string name = labels("topic", log.partition().topic, "partition", log.partition().partition);
    into.add(Metric::kLogSize, static_cast<double>(log.size_bytes()), name);
    into.add(Metric::kNumLogSegments, static_cast<double>(log.segment_count()), name);
    into.add(Metric::kLogStartOffset, static_cast<double>(log.log_start_offset()), name);
    into.add(Metric::kLogEndOffset, static_cast<double>(log.log_end_offset()), name);
    collect_partition(*partition, into, name);
    if (partition->is_leader()) led.add(*partition, shard.image()->partition(key.topic, key.partition));
  }
  into.add(Metric::kPartitionCount, static_cast<double>(shard.partitions().size()));
  into.add(Metric::kLeaderCount, static_cast<double>(led.partitions));
  into.add(Metric::kUnderReplicatedPartitions, static_cast<double>(led.under_replicated));
  into.add(Metric::kUnderMinIsrPartitionCount, static_cast<double>(led.under_min_isr));
  into.add(Metric::kAtMinIsrPartitionCount, static_cast<double>(led.at_min_isr));
  into.add(Metric::kReassigningPartitions, static_cast<double>(led.reassigning));
}

void collect_groups(Shard& shard, Samples& into) {
  const coordinator::GroupStats stats = shard.groups().stats();
  constexpr std::array kByState{Metric::kNumGroupsEmpty, Metric::kNumGroupsPreparingRebalance, Metric::kNumGroupsCompletingRebalance,
                                Metric::kNumGroupsStable, Metric::kNumGroupsDead};
  static_assert(kByState.size() == std::tuple_size_v<decltype(stats.classic_by_state)>);
  size_t all = 0;
  for (size_t i = 0; i < kByState.size(); ++i) {
    into.add(kByState[i], static_cast<double>(stats.classic_by_state[i]));
    all += stats.classic_by_state[i];
  }
  into.add(Metric::kNumGroups, static_cast<double>(all));
  into.add(Metric::kNumOffsets, static_cast<double>(stats.offsets));
}

// Of the thread that runs the shard.
void collect_work(Shard& shard, Samples& into) {
  const io::Work& work = io::this_work;
  for (size_t i = 0; i < io::kSystemCalls; ++i) {
    into.add(Metric::kSystemCalls, static_cast<double>(work.system_calls[i]), labels("shard", shard.index(), "call", io::kSystemCallNames[i]));
  }
  const std::string name = labels("shard", shard.index());
  into.add(Metric::kAllocations, static_cast<double>(work.allocations), name);
  into.add(Metric::kAllocatorCalls, static_cast<double>(work.allocator_calls), name);
  into.add(Metric::kCopiedBytes, static_cast<double>(work.copied_bytes), name);
  into.add(Metric::kHops, static_cast<double>(work.hops), name);
}

void collect_directories(Node& node, Samples& into) {
  const auto& directories = node.directories();
  size_t offline = 0;
  for (size_t i = 0; i < directories.size(); ++i) {
    const bool failed = directories.at(i).offline.has_value();
    offline += failed ? 1 : 0;
    into.add(Metric::kLogDirectoryOffline, failed ? 1 : 0, labels("logDirectory", directories.at(i).path));
  }
  into.add(Metric::kOfflineLogDirectoryCount, static_cast<double>(offline));
}

void collect_cleaning(Shard& shard, Samples& into) {
  const auto& directories = shard.logs().directories();
  for (size_t i = 0; i < directories.size(); ++i) {
    const auto uncleanable = shard.logs().uncleanable(static_cast<int>(i));
    const std::string name = labels("logDirectory", directories[i]);
    into.add(Metric::kUncleanablePartitions, static_cast<double>(uncleanable.partitions), name);
    into.add(Metric::kUncleanableBytes, static_cast<double>(uncleanable.bytes), name);
  }
}

void collect_quorum(Node& node, Samples& into) {
  const raft::RaftNode& raft = node.metadata().raft();
  into.add(Metric::kRaftCurrentLeader, raft.leader().leader);
  into.add(Metric::kRaftCurrentEpoch, raft.leader().epoch);
  into.add(Metric::kRaftHighWatermark, static_cast<double>(raft.high_watermark()));
  into.add(Metric::kRaftLogEndOffset, static_cast<double>(raft.log_end_offset()));
  into.add(Metric::kRaftNumberOfVoters, static_cast<double>(raft.voters().size()));
}

void collect_brokers(const metadata::MetadataImage& image, Samples& into) {
  size_t active = 0, fenced = 0, stopping = 0, offline = 0, not_preferred = 0;
  image.brokers.for_each([&](int32_t, const metadata::BrokerImage& broker) {
    (broker.fenced ? fenced : broker.in_controlled_shutdown ? stopping : active) += 1;
  });
  image.topics.for_each([&](const std::string&, const metadata::TopicImage& topic) {
    topic.partitions.for_each([&](PartitionIndex, const metadata::PartitionImage& partition) {
      offline += partition.leader == metadata::kNoLeader ? 1 : 0;
      not_preferred += partition.leader != partition.preferred_leader() ? 1 : 0;
    });
  });
  into.add(Metric::kActiveBrokerCount, static_cast<double>(active));
  into.add(Metric::kFencedBrokerCount, static_cast<double>(fenced));
  into.add(Metric::kControlledShutdownBrokerCount, static_cast<double>(stopping));
  into.add(Metric::kOfflinePartitionsCount, static_cast<double>(offline));
  into.add(Metric::kPreferredReplicaImbalanceCount, static_cast<double>(not_preferred));
}

void collect_controller(Node& node, Samples& into) {
  const auto* controller = node.metadata().controller();
  if (controller == nullptr) return;
  const auto& image = *node.metadata().image();
  into.add(Metric::kActiveControllerCount, controller->active() ? 1 : 0);
  into.add(Metric::kGlobalTopicCount, static_cast<double>(image.topics.size()));
  into.add(Metric::kGlobalPartitionCount, static_cast<double>(image.partition_count()));
  into.add(Metric::kLastAppliedRecordOffset, static_cast<double>(image.provenance.last_offset()));
  collect_brokers(image, into);
}

void collect_process(Node& node, Samples& into) {
  if (node.settings().broker) into.add(Metric::kBrokerState, 3);
  into.add(Metric::kBuildInfo, 1, labels("version", node.settings().version));
  if (!node.settings().process) return;
  const io::ProcessFigures figures = node.settings().process();
  into.add(Metric::kProcessCpu, figures.cpu_seconds);
  into.add(Metric::kProcessResident, static_cast<double>(figures.resident_bytes));
  into.add(Metric::kProcessVirtual, static_cast<double>(figures.virtual_bytes));
  into.add(Metric::kProcessOpenFds, static_cast<double>(figures.open_fds));
  into.add(Metric::kProcessMaxFds, static_cast<double>(figures.max_fds));
  into.add(Metric::kProcessStart, figures.start_seconds);
}

}  // namespace

void collect_shard(Shard& shard, Samples& into) {
  shard.metrics().collect(into);
  collect_partitions(shard, into);
  collect_groups(shard, into);
  collect_work(shard, into);
  collect_cleaning(shard, into);
  into.add(Metric::kFetchSessions, static_cast<double>(shard.fetch_sessions().size()));
  into.add(Metric::kShardIdle, std::chrono::duration<double>(shard.loop().idle_time()).count(), labels("shard", shard.index()));
}

void collect_node(Node& node, Samples& into) {
  collect_controller(node, into);
  collect_quorum(node, into);
  collect_directories(node, into);
  collect_process(node, into);
}

io::Task<Samples> scrape(Node& node) {
  std::vector<Samples> parts(static_cast<size_t>(node.shard_count()));
  std::vector<int> all;
  for (int i = 0; i < node.shard_count(); ++i) all.push_back(i);
  auto collect = [&](int index) -> io::Task<> {
    collect_shard(node.shard(index), parts[static_cast<size_t>(index)]);
    co_return;
  };
  co_await on_shards(node.worlds()[0].loop, node.worlds(), all, collect);
  for (size_t i = 1; i < parts.size(); ++i) {
    parts[0].merge(parts[i]);
    co_await io::yield(node.worlds()[0].loop);
  }
  collect_node(node, parts[0]);
  co_return std::move(parts[0]);
}

io::Task<std::string> metrics_page(Node& node) {
  constexpr size_t kPieceBytes = 256 << 10;  // Written without letting others have a turn.
  const Samples samples = co_await scrape(node);
  std::string page;
  for (size_t i = 0, paused_at = 0; i < metrics::kMetricCount; ++i) {
    samples.append_text(static_cast<Metric>(i), page);
    if (page.size() - paused_at < kPieceBytes) continue;
    paused_at = page.size();
    co_await io::yield(node.worlds()[0].loop);
  }
  co_return page;
}

}  // namespace samsa::server
