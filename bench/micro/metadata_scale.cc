// A cluster's metadata at a size that no test machine holds: the real controller and the real image with so many brokers and partitions,
// without a network. Prints what docs/SCALE.md builds its model on.
//
//   metadata_scale [brokers=1000] [partitions=1000000] [partitions per topic=100] [replicas=3]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "io/random.h"
#include "metadata/controller.h"
#include "metadata/features.h"
#include "metadata/record.h"
#include "metadata/replay.h"
#include "metadata/test_configs.h"
#include "protocol/api/broker_heartbeat.h"
#include "protocol/api/broker_registration.h"
#include "protocol/api/create_topics.h"

namespace samsa::metadata {
namespace {

double resident_mb() {
  long pages = 0, resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (!file || std::fscanf(file, "%ld %ld", &pages, &resident) != 2) return -1;
  std::fclose(file);
  return static_cast<double>(resident) * 4096 / 1e6;
}

// CPU of this process: the machine may be busy.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "metadata_scale: %s\n", why.c_str());
  std::exit(1);
}

class Model {
 public:
  Model() : controller_({.cluster_id = "cluster", .node_id = 1'000'000}, configs_), random_(9) {
    protocol::FeatureLevelRecord record;
    record.name = protocol::Text(kMetadataVersion);
    record.feature_level = kLatestMetadataVersion;
    apply(controller_.bootstrap({encode(record)}));
  }

  void add_brokers(int count) {
    for (int32_t id = 0; id < count; ++id) {
      BrokerRegistrationRequest request;
      request.broker_id = id;
      request.cluster_id = "cluster";
      request.incarnation_id = Uuid{static_cast<uint64_t>(id), 1};
      for (const auto& [name, range] : supported_features()) {
        auto& feature = request.features.emplace_back();
        feature.name = name;
        feature.min_supported_version = range.min;
        feature.max_supported_version = range.max;
      }
      auto& listener = request.listeners.emplace_back();
      listener.name = "PLAINTEXT";
      listener.host = "broker-" + std::to_string(id) + ".example.org";
      listener.port = 9092;
      request.rack = protocol::NullableText(protocol::Text("rack-" + std::to_string(id % 3)));
      request.log_dirs = {Uuid{77, static_cast<uint64_t>(1000 + id)}};
      auto registered = controller_.register_broker(request, context());
      if (!registered) die(registered.error().describe());
      apply(registered->records);
      BrokerHeartbeatRequest beat;
      beat.broker_id = id;
      beat.broker_epoch = registered->response.broker_epoch;
      beat.current_metadata_offset = next_ - 1;
      auto answered = controller_.heartbeat(beat, context());
      if (!answered) die(answered.error().describe());
      apply(answered->records);
    }
  }

  void add_topics(int topics, int partitions, int replicas) {
    for (int i = 0; i < topics; ++i) {
      CreateTopicsRequest request;
      auto& topic = request.topics.emplace_back();
      topic.name = "some-topic-" + std::to_string(i);
      topic.num_partitions = partitions;
      topic.replication_factor = static_cast<int16_t>(replicas);
      auto decision = controller_.create_topics(request, context());
      if (decision.response.topics[0].error_code != 0) die("CreateTopics: " + std::to_string(decision.response.topics[0].error_code));
      apply(decision.records);
    }
  }

  void apply(const std::vector<Buffer>& records) {
    for (const auto& record : records) {
      if (auto replayed = controller_.replay(record, next_++); !replayed) die(replayed.error().describe());
      ++records_;
      bytes_ += record.size();
    }
  }

  CallContext context() { return {.now_ms = 1000, .mono = std::chrono::milliseconds(0), .random = random_, .next_offset = next_}; }

  TestConfigs configs_;
  Controller controller_;
  io::Random random_;
  Offset next_ = 0;
  size_t records_ = 0, bytes_ = 0;
};

void load_snapshot(const MetadataImage& image) {
  std::vector<std::vector<Buffer>> batches;
  size_t bytes = 0, records = 0;
  const double writing = cpu_seconds();
  const auto written = image_to_records(image, [&](std::span<const Buffer> some) -> Result<void> {
    batches.emplace_back(some.begin(), some.end());
    for (const auto& record : some) bytes += record.size();
    records += some.size();
    return {};
  });
  if (!written) die(written.error().describe());
  std::printf("snapshot: %zu records, %.1f MB before batches, written in %.2f s of CPU\n", records, static_cast<double>(bytes) / 1e6,
              cpu_seconds() - writing);
  const double before = resident_mb(), loading = cpu_seconds();
  TransactionReplay replay;
  replay.reset({});
  Offset offset = 0;
  for (const auto& batch : batches) {
    const std::vector<Bytes> views(batch.begin(), batch.end());
    offset += static_cast<Offset>(views.size());
    if (auto done = replay.replay_batch(views, offset - 1, 1, 0); !done) die(done.error().describe());
  }
  const double seconds = cpu_seconds() - loading;
  std::printf("loading it (a broker's start): %.2f s of CPU, %.2f us a record, image of %.0f MB\n", seconds,
              seconds * 1e6 / static_cast<double>(records), resident_mb() - before);
}

void fail_over(Model& model, int32_t broker) {
  const MetadataImage before = model.controller_.image();
  double began = cpu_seconds();
  const auto records = model.controller_.fence_broker(broker);
  const double deciding = cpu_seconds() - began;
  const size_t bytes_before = model.bytes_;
  began = cpu_seconds();
  model.apply(records);
  const double applying = cpu_seconds() - began;
  const size_t bytes = model.bytes_ - bytes_before;
  began = cpu_seconds();
  size_t topics = 0, partitions = 0;
  PersistentMap<Uuid, TopicImage>::diff(
      before.topics_by_id, model.controller_.image().topics_by_id, [&](const Uuid&, const TopicImage* old, const TopicImage* now) {
        ++topics;
        if (old && now) {
          PersistentMap<PartitionIndex, PartitionImage>::diff(
              old->partitions, now->partitions, [&](PartitionIndex, const PartitionImage*, const PartitionImage*) { ++partitions; });
        }
      });
  std::printf(
      "a broker dies: %zu records, %.1f KB; decided in %.1f ms, replayed in %.1f ms, compared in %.1f ms of CPU (%zu topics, %zu "
      "partitions changed)\n",
      records.size(), static_cast<double>(bytes) / 1e3, deciding * 1e3, applying * 1e3, (cpu_seconds() - began) * 1e3, topics, partitions);
}

void run(int brokers, int partitions, int per_topic, int replicas) {
  Model model;
  double began = cpu_seconds();
  model.add_brokers(brokers);
  std::printf("%d brokers registered and unfenced: %.2f s of CPU, %.0f bytes of records each\n", brokers, cpu_seconds() - began,
              static_cast<double>(model.bytes_) / brokers);
  const double before = resident_mb();
  const size_t bytes_before = model.bytes_, records_before = model.records_;
  began = cpu_seconds();
  model.add_topics(partitions / per_topic, per_topic, replicas);
  const double seconds = cpu_seconds() - began;
  std::printf(
      "%d partitions in topics of %d created: %.2f s of CPU, %.2f us each; %.1f bytes of log each; image %.0f MB, %.0f bytes each\n",
      partitions, per_topic, seconds, seconds * 1e6 / partitions,
      static_cast<double>(model.bytes_ - bytes_before) / static_cast<double>(model.records_ - records_before), resident_mb() - before,
      (resident_mb() - before) * 1e6 / partitions);
  fail_over(model, 7);
  fail_over(model, 8);
  load_snapshot(model.controller_.image());
}

}  // namespace
}  // namespace samsa::metadata

int main(int argc, char** argv) {
  const auto given = [&](int index, int otherwise) { return argc > index ? std::atoi(argv[index]) : otherwise; };
  samsa::metadata::run(given(1, 1000), given(2, 1'000'000), given(3, 100), given(4, 3));
}
