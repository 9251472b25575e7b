#include "server/directory_assigner.h"

#include <map>
#include <tuple>

#include "base/log.h"
#include "protocol/api/assign_replicas_to_dirs.h"

namespace samsa::server {

namespace {
constexpr std::chrono::milliseconds kRetry{100};
constexpr size_t kMostAtOnce = 2250;  // As Kafka bounds a request.
}  // namespace

struct DirectoryAssigner::Waiting {
  Uuid topic;
  PartitionIndex partition = 0;
  Uuid directory;
  std::optional<Result<void>> answer;
  io::Signal done;

  void finish(Result<void> with) {
    answer = std::move(with);
    done.notify_all();
  }
};

DirectoryAssigner::DirectoryAssigner(io::Loop& loop, int32_t node_id, BrokerEpoch epoch, Ask ask)
    : loop_(loop), node_id_(node_id), epoch_(std::move(epoch)), ask_(std::move(ask)), tasks_(loop) {}
DirectoryAssigner::~DirectoryAssigner() = default;

void DirectoryAssigner::start() { tasks_.spawn(run()); }

io::Task<Result<void>> DirectoryAssigner::assign(Uuid topic, PartitionIndex partition, Uuid directory) {
  if (stopping_) co_return fail(ErrorCode::kNetworkException, "the node stops");
  const auto waiting = std::make_shared<Waiting>();
  waiting->topic = topic;
  waiting->partition = partition;
  waiting->directory = directory;
  queue_.push_back(waiting);
  work_.notify_all();
  while (!waiting->answer) co_await waiting->done.wait(loop_);
  co_return std::move(*waiting->answer);
}

io::Task<> DirectoryAssigner::stop() {
  stopping_ = true;
  work_.notify_all();
  co_await tasks_.join();
}

io::Task<> DirectoryAssigner::run() {
  std::vector<std::shared_ptr<Waiting>> batch;
  while (!stopping_) {
    while (!queue_.empty() && batch.size() < kMostAtOnce) {
      batch.push_back(queue_.front());
      queue_.erase(queue_.begin());
    }
    if (batch.empty()) {
      co_await work_.wait(loop_);
    } else if (co_await send(batch)) {
      batch.clear();
    } else if (!stopping_) {
      co_await io::sleep_for(loop_, kRetry);
    }
  }
  batch.insert(batch.end(), queue_.begin(), queue_.end());
  queue_.clear();
  for (const auto& waiting : batch) {
    if (!waiting->answer) waiting->finish(fail(ErrorCode::kNetworkException, "the node stops"));
  }
}

// False: nobody answered, the same again.
io::Task<bool> DirectoryAssigner::send(const std::vector<std::shared_ptr<Waiting>>& batch) {
  std::map<std::tuple<Uuid, Uuid, PartitionIndex>, std::vector<std::shared_ptr<Waiting>>> asked;
  for (const auto& waiting : batch) asked[{waiting->directory, waiting->topic, waiting->partition}].push_back(waiting);
  protocol::AssignReplicasToDirsRequest request;
  request.broker_id = node_id_;
  request.broker_epoch = epoch_();
  for (const auto& [key, who] : asked) {
    const auto& [directory, topic, partition] = key;
    if (request.directories.empty() || request.directories.back().id != directory) request.directories.emplace_back().id = directory;
    auto& topics = request.directories.back().topics;
    if (topics.empty() || topics.back().topic_id != topic) topics.emplace_back().topic_id = topic;
    topics.back().partitions.emplace_back().partition_index = partition;
  }
  const auto response = co_await ask_(request);
  if (!response) {
    SAMSA_LOG_DEBUG("AssignReplicasToDirs: {}", response.error().text());
    co_return false;
  }
  for (const auto& directory : response->directories) {
    for (const auto& topic : directory.topics) {
      for (const auto& partition : topic.partitions) {
        const auto found = asked.find({directory.id, topic.topic_id, partition.partition_index});
        if (found == asked.end()) continue;
        for (const auto& waiting : found->second) {
          waiting->finish(partition.error_code == 0 ? Result<void>() : Result<void>(fail(error_from_wire(partition.error_code))));
        }
        asked.erase(found);
      }
    }
  }
  for (const auto& [key, who] : asked) {
    for (const auto& waiting : who) waiting->finish(fail(ErrorCode::kUnknownServerError, "the controller did not answer for it"));
  }
  co_return true;
}

}  // namespace samsa::server
