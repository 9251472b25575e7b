// What readers, writers and groups lived through, in order.
#include <fmt/format.h>

#include <algorithm>

#include "sim/checker.h"
#include "sim/checker_index.h"

namespace samsa::sim {
namespace {

void check_polls(const History& history, const Model& model, const Index& index, std::vector<Anomaly>& found) {
  struct Last {
    Offset offset = -1;
    const Poll* poll = nullptr;
  };
  std::map<std::tuple<int, int, TopicPartition>, Last> positions;
  for (const auto& poll : history.polls) {
    for (const auto& seen : poll.seen) {
      auto& last = positions[{poll.client, poll.session, seen.partition}];
      if (last.poll != nullptr) {
        const bool internal = last.poll == &poll || (poll.transaction != kNoTransaction && poll.transaction == last.poll->transaction);
        const std::string prefix = internal ? "int-" : "";
        if (seen.offset <= last.offset) {
          found.push_back({prefix + "nonmonotonic-poll", fmt::format("client {} read {} after offset {}", poll.client,
                                                                     place_text(seen.partition, seen.offset), last.offset)});
        }
        const auto partition = index.offsets.find(seen.partition);
        if (partition != index.offsets.end() && !model.compacted) {
          for (auto at = partition->second.upper_bound(last.offset); at != partition->second.end() && at->first < seen.offset; ++at) {
            if (at->second.size() != 1 || !index.must_be_visible(history, *at->second.begin())) continue;
            found.push_back({prefix + "poll-skip", fmt::format("client {} read {} after offset {} and left out value {} at {}", poll.client,
                                                               place_text(seen.partition, seen.offset), last.offset, *at->second.begin(),
                                                               at->first)});
          }
        }
      }
      last = {seen.offset, &poll};
    }
  }
}

void check_sends(const History& history, std::vector<Anomaly>& found) {
  std::map<std::pair<int, TopicPartition>, const Send*> last_sends;
  for (const auto& send : history.sends) {  // In the order of the calls.
    if (send.outcome != Outcome::kOk || send.offset < 0) continue;
    auto& last = last_sends[{send.client, send.partition}];
    // Without the promise of order only sends that followed each other count.
    const bool comparable = last != nullptr && (last->ordered || last->ended < send.began);
    if (comparable && last->offset >= send.offset) {
      const bool internal = send.transaction != kNoTransaction && send.transaction == last->transaction;
      found.push_back({std::string(internal ? "int-" : "") + "nonmonotonic-send",
                       fmt::format("client {} sent {} to {} and then {} to offset {}", send.client, last->value,
                                   place_text(send.partition, last->offset), send.value, send.offset)});
    }
    last = &send;
  }
}

using GroupPartition = std::pair<std::string, TopicPartition>;

void check_commits(const History& history, std::vector<Anomaly>& found) {
  std::map<GroupPartition, std::vector<const Commit*>> by_partition;
  for (const auto& commit : history.commits) {
    if (commit.outcome == Outcome::kOk) by_partition[{commit.group, commit.partition}].push_back(&commit);
  }
  for (auto& [key, commits] : by_partition) {
    std::stable_sort(commits.begin(), commits.end(), [](const Commit* a, const Commit* b) { return a->ended < b->ended; });
    for (size_t i = 0; i + 1 < commits.size(); ++i) {
      // The next one that began after this one had ended.
      for (size_t j = i + 1; j < commits.size(); ++j) {
        if (commits[j]->began < commits[i]->ended) continue;
        if (commits[j]->offset < commits[i]->offset) {
          found.push_back({"nonmonotonic-commit", fmt::format("group {} committed {} and then offset {}", key.first,
                                                              place_text(key.second, commits[i]->offset), commits[j]->offset)});
        }
        break;
      }
    }
  }
  // A coordinator that was replaced and does not know it yet answers from its memory, as Kafka's does: an old offset is lost only when no
  // later read finds it either.
  std::map<std::tuple<std::string, TopicPartition>, std::pair<int64_t, Offset>> latest;  // When the latest read began, and what it saw.
  for (const auto& read : history.committed_reads) {
    auto& last = latest[{read.group, read.partition}];
    if (read.began >= last.first) last = {read.began, read.offset};
  }
  for (const auto& read : history.committed_reads) {
    const auto commits = by_partition.find({read.group, read.partition});
    if (commits == by_partition.end()) continue;
    Offset least = -1;
    for (const Commit* commit : commits->second) {
      if (commit->ended < read.began) least = std::max(least, commit->offset);
    }
    if (read.offset < least) {
      const bool stale = latest[{read.group, read.partition}].second >= least;
      found.push_back({stale ? "stale-commit-read" : "lost-commit",
                       fmt::format("group {} committed {}, at {:.6f} s it was found at {}", read.group, place_text(read.partition, least),
                                   static_cast<double>(read.ended) / 1e9, read.offset),
                       stale});
    }
  }
}

}  // namespace

void check_sessions(const History& history, const Model& model, std::vector<Anomaly>& found) {
  const Index index(history);
  check_polls(history, model, index, found);
  check_sends(history, found);
}

void check_groups(const History& history, std::vector<Anomaly>& found) {
  std::map<std::tuple<std::string, int, TopicPartition>, std::string> owners;
  for (const auto& assignment : history.assignments) {
    for (const auto& partition : assignment.partitions) {
      const auto [owner, fresh] = owners.emplace(std::tuple{assignment.group, assignment.generation, partition}, assignment.member);
      if (!fresh && owner->second != assignment.member) {
        found.push_back({"two-owners", fmt::format("group {}, generation {}: {} is held by {} and {}", assignment.group, assignment.generation,
                                                   partition.to_string(), owner->second, assignment.member)});
      }
    }
  }
  check_commits(history, found);
}

}  // namespace samsa::sim
