#include "replication/isr_sender.h"

#include <algorithm>
#include <map>
#include <optional>

#include "base/log.h"
#include "protocol/api/alter_partition.h"
#include "protocol/codec.h"

namespace samsa::replication {

namespace {
constexpr std::chrono::milliseconds kRetry{50};
}  // namespace

struct IsrSender::Waiting {
  IsrProposal proposal;
  std::optional<Result<IsrAnswer>> answer;
  io::Signal done;

  void finish(Result<IsrAnswer> with) {
    answer = std::move(with);
    done.notify_all();
  }
};

IsrSender::IsrSender(io::Loop& loop, int32_t node_id, BrokerEpoch epoch, Ask ask)
    : loop_(loop), node_id_(node_id), epoch_(std::move(epoch)), ask_(std::move(ask)), tasks_(loop) {}
IsrSender::~IsrSender() = default;

void IsrSender::start() { tasks_.spawn(run()); }

io::Task<Result<IsrAnswer>> IsrSender::change(IsrProposal proposal) {
  if (stopping_) co_return fail(ErrorCode::kNetworkException, "the node stops");
  const auto waiting = std::make_shared<Waiting>();
  waiting->proposal = std::move(proposal);
  queue_.push_back(waiting);
  work_.notify_all();
  while (!waiting->answer) co_await waiting->done.wait(loop_);
  co_return std::move(*waiting->answer);
}

io::Task<> IsrSender::stop() {
  stopping_ = true;
  work_.notify_all();
  co_await tasks_.join();
}

io::Task<> IsrSender::run() {
  std::vector<std::shared_ptr<Waiting>> batch;
  while (!stopping_) {
    batch.insert(batch.end(), queue_.begin(), queue_.end());
    queue_.clear();
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
io::Task<bool> IsrSender::send(const std::vector<std::shared_ptr<Waiting>>& batch) {
  using Key = std::pair<Uuid, PartitionIndex>;
  std::map<Key, std::shared_ptr<Waiting>> asked;
  for (const auto& waiting : batch) {
    auto& slot = asked[{waiting->proposal.topic_id, waiting->proposal.partition}];
    // An earlier life of the same partition on this node; its proposal is stale.
    if (slot) slot->finish(fail(ErrorCode::kFencedLeaderEpoch));
    slot = waiting;
  }
  protocol::AlterPartitionRequest request;
  request.broker_id = node_id_;
  request.broker_epoch = epoch_();
  for (const auto& [key, waiting] : asked) {
    const IsrProposal& proposal = waiting->proposal;
    if (request.topics.empty() || request.topics.back().topic_id != key.first) request.topics.emplace_back().topic_id = key.first;
    auto& partition = request.topics.back().partitions.emplace_back();
    partition.partition_index = key.second;
    partition.leader_epoch = proposal.leader_epoch;
    partition.partition_epoch = proposal.partition_epoch;
    for (size_t i = 0; i < proposal.isr.size(); ++i) {
      auto& member = partition.new_isr_with_epochs.emplace_back();
      member.broker_id = proposal.isr[i];
      member.broker_epoch = proposal.broker_epochs[i];
    }
  }
  const auto response = co_await ask_(request);
  if (!response) {
    SAMSA_LOG_DEBUG("AlterPartition: {}", response.error().text());
    co_return false;
  }
  for (const auto& topic : response->topics) {
    for (const auto& answer : topic.partitions) {
      const auto found = asked.find({topic.topic_id, answer.partition_index});
      if (found == asked.end()) continue;
      if (answer.error_code != 0) {
        found->second->finish(fail(error_from_wire(answer.error_code)));
      } else {
        found->second->finish(IsrAnswer{answer.leader_epoch, answer.partition_epoch, answer.isr});
      }
      asked.erase(found);
    }
  }
  for (const auto& [key, waiting] : asked) waiting->finish(fail(ErrorCode::kUnknownServerError, "the controller did not answer for it"));
  co_return true;
}

}  // namespace samsa::replication
