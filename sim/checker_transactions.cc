// Transactions: nothing is read too early, all or nothing is there, nobody reads in a circle.
#include <fmt/format.h>

#include <algorithm>

#include "sim/checker.h"
#include "sim/checker_index.h"

namespace samsa::sim {
namespace {

void check_precommitted(const History& history, const Model& model, const Index& index, std::vector<Anomaly>& found) {
  for (const auto& poll : history.polls) {
    for (const auto& seen : poll.seen) {
      const Send* send = index.send_of(seen.value);
      if (send == nullptr || send->transaction == kNoTransaction || send->transaction == poll.transaction) continue;
      const auto& transaction = history.transactions[static_cast<size_t>(send->transaction)];
      if (transaction.outcome == Outcome::kFailed || poll.ended >= transaction.commit_began) continue;
      found.push_back({"precommitted-read", fmt::format("client {} read {} at {} before the commit of its transaction {} was asked for",
                                                        poll.client, seen.value, place_text(seen.partition, seen.offset), send->transaction),
                       !model.read_committed});
    }
  }
}

void check_torn(const History& history, const Model& model, const Index& index, std::vector<Anomaly>& found) {
  if (!model.final_reads) return;
  struct Count {
    std::vector<Value> seen;
    std::vector<Value> missing;
  };
  std::map<int, Count> by_transaction;
  for (const auto& send : history.sends) {
    if (send.transaction == kNoTransaction || send.outcome != Outcome::kOk) continue;
    const bool seen = index.values.at(send.value).seen_finally;
    auto& count = by_transaction[send.transaction];
    (seen ? count.seen : count.missing).push_back(send.value);
  }
  for (const auto& [number, count] : by_transaction) {
    if (count.seen.empty() || count.missing.empty()) continue;
    found.push_back({"torn-transaction", fmt::format("of transaction {} the values {} are there, {} are not", number, fmt::join(count.seen, ", "),
                                                     fmt::join(count.missing, ", ")),
                     !model.read_committed && history.transactions[static_cast<size_t>(number)].outcome != Outcome::kOk});
  }
}

using Edges = std::map<int, std::set<int>>;

// Strongly connected components of more than one transaction (Tarjan), with an explicit stack: histories are long.
class Circles {
 public:
  explicit Circles(const Edges& edges) : edges_(edges) {
    for (const auto& [from, to] : edges) {
      if (!number_.contains(from)) visit(from);
    }
  }
  std::vector<std::vector<int>> found;

 private:
  struct Frame {
    int node;
    std::vector<int> next;
    size_t at = 0;
  };
  void enter(int node, std::vector<Frame>& frames) {
    number_[node] = low_[node] = static_cast<int>(number_.size());
    stack_.push_back(node);
    on_stack_.insert(node);
    const auto out = edges_.find(node);
    frames.push_back({node, out == edges_.end() ? std::vector<int>{} : std::vector<int>(out->second.begin(), out->second.end())});
  }
  void visit(int root) {
    std::vector<Frame> frames;
    enter(root, frames);
    while (!frames.empty()) {
      Frame& frame = frames.back();
      if (frame.at < frame.next.size()) {
        const int to = frame.next[frame.at++];
        if (!number_.contains(to)) {
          enter(to, frames);
        } else if (on_stack_.contains(to)) {
          low_[frame.node] = std::min(low_[frame.node], number_[to]);
        }
        continue;
      }
      const int node = frame.node;
      frames.pop_back();
      if (!frames.empty()) low_[frames.back().node] = std::min(low_[frames.back().node], low_[node]);
      if (low_[node] == number_[node]) take(node);
    }
  }
  void take(int node) {
    std::vector<int> circle;
    for (int last = -1; last != node;) {
      last = stack_.back();
      stack_.pop_back();
      on_stack_.erase(last);
      circle.push_back(last);
    }
    if (circle.size() < 2) return;
    std::sort(circle.begin(), circle.end());
    found.push_back(std::move(circle));
  }
  const Edges& edges_;
  std::map<int, int> number_;
  std::map<int, int> low_;
  std::vector<int> stack_;
  std::set<int> on_stack_;
};

void check_circles(const History& history, const Index& index, std::vector<Anomaly>& found) {
  Edges reads;  // From the writer to the reader of a value.
  for (const auto& poll : history.polls) {
    if (poll.transaction == kNoTransaction) continue;
    for (const auto& seen : poll.seen) {
      const Send* send = index.send_of(seen.value);
      if (send != nullptr && send->transaction != kNoTransaction && send->transaction != poll.transaction) {
        reads[send->transaction].insert(poll.transaction);
      }
    }
  }
  for (const auto& circle : Circles(reads).found) {
    found.push_back({"G1c", fmt::format("the transactions {} read each other's writes", fmt::join(circle, ", "))});
  }
  Edges all = reads;  // And from each write of a partition to the next.
  for (const auto& [partition, offsets] : index.offsets) {
    int last = kNoTransaction;
    for (const auto& [offset, values] : offsets) {
      const Send* send = index.send_of(*values.begin());
      if (send == nullptr || send->transaction == kNoTransaction) continue;
      if (last != kNoTransaction && last != send->transaction) all[last].insert(send->transaction);
      last = send->transaction;
    }
  }
  for (const auto& circle : Circles(all).found) {
    found.push_back({"G1c-ww", fmt::format("the transactions {} go in a circle over reads and the order of writes", fmt::join(circle, ", ")), true});
  }
}

}  // namespace

void check_transactions(const History& history, const Model& model, std::vector<Anomaly>& found) {
  if (history.transactions.empty()) return;
  const Index index(history);
  check_precommitted(history, model, index, found);
  check_torn(history, model, index, found);
  check_circles(history, index, found);
}

}  // namespace samsa::sim
