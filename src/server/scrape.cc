#include "server/scrape.h"

#include <vector>

#include "server/fanout.h"
#include "server/node.h"
#include "server/shard.h"

namespace samsa::server {

using metrics::labels;
using metrics::Metric;
using metrics::Samples;

namespace {

void collect_partitions(Shard& shard, Samples& into) {
  size_t led = 0;
  size_t under_replicated = 0;
  size_t under_min_isr = 0;
  for (const auto& [key, partition] : shard.partitions()) {
    const auto& log = partition->log();
    const std::string name = labels("topic", log.partition().topic, "partition", log.partition().partition);
    into.add(Metric::kLogSize, static_cast<double>(log.size_bytes()), name);
    into.add(Metric::kNumLogSegments, static_cast<double>(log.segment_count()), name);
    into.add(Metric::kLogStartOffset, static_cast<double>(log.log_start_offset()), name);
    into.add(Metric::kLogEndOffset, static_cast<double>(log.log_end_offset()), name);
    if (!partition->is_leader()) continue;
    ++led;
    under_replicated += partition->isr().size() < partition->replica_count() ? 1 : 0;
    under_min_isr += partition->below_min_isr() ? 1 : 0;
  }
  into.add(Metric::kPartitionCount, static_cast<double>(shard.partitions().size()));
  into.add(Metric::kLeaderCount, static_cast<double>(led));
  into.add(Metric::kUnderReplicatedPartitions, static_cast<double>(under_replicated));
  into.add(Metric::kUnderMinIsrPartitionCount, static_cast<double>(under_min_isr));
}

void collect_controller(Node& node, Samples& into) {
  const auto* controller = node.metadata().controller();
  if (controller == nullptr) return;
  const auto& image = *node.metadata().image();
  into.add(Metric::kActiveControllerCount, controller->active() ? 1 : 0);
  into.add(Metric::kGlobalTopicCount, static_cast<double>(image.topics.size()));
  into.add(Metric::kGlobalPartitionCount, static_cast<double>(image.partition_count()));
}

void collect_process(Node& node, Samples& into) {
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
  into.add(Metric::kShardIdle, std::chrono::duration<double>(shard.loop().idle_time()).count(), labels("shard", shard.index()));
}

void collect_node(Node& node, Samples& into) {
  collect_controller(node, into);
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
