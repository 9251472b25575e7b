// samsa-check FILE...: judges histories that clients of real processes wrote (./dev chaos), with the checkers of the simulation. Lines of words:
//   send CLIENT TOPIC PARTITION VALUE BEGAN ENDED ok|unknown|failed OFFSET
//   poll CLIENT SESSION BEGAN ENDED final|goes-on, then for each record TOPIC PARTITION OFFSET VALUE
// Times in nanoseconds of one clock. Exit code 0: nothing that Kafka's model does not allow. 1: an anomaly. 2: a file that cannot be read.
#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "sim/checker.h"

namespace samsa::sim {
namespace {

bool read_send(std::istringstream& words, History& history) {
  Send send;
  std::string outcome;
  words >> send.client >> send.partition.topic >> send.partition.partition >> send.value >> send.began >> send.ended >> outcome >> send.offset;
  if (!words || (outcome != "ok" && outcome != "unknown" && outcome != "failed")) return false;
  send.outcome = outcome == "ok" ? Outcome::kOk : outcome == "failed" ? Outcome::kFailed : Outcome::kUnknown;
  history.sends.push_back(std::move(send));
  return true;
}

bool read_poll(std::istringstream& words, History& history) {
  Poll poll;
  std::string end;
  if (!(words >> poll.client >> poll.session >> poll.began >> poll.ended >> end)) return false;
  poll.final = end == "final";
  Seen seen;
  while (words >> seen.partition.topic) {
    if (!(words >> seen.partition.partition >> seen.offset >> seen.value)) return false;
    poll.seen.push_back(seen);
  }
  history.polls.push_back(std::move(poll));
  return true;
}

bool read(const char* path, History& history) {
  std::ifstream file(path);
  if (!file) return false;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    if (kind == "send" ? read_send(words, history) : kind == "poll" && read_poll(words, history)) continue;
    fmt::print("{}:{}: not a line of a history: {}\n", path, number, line);
    return false;
  }
  return true;
}

}  // namespace
}  // namespace samsa::sim

int main(int count, char** words) {
  using namespace samsa::sim;
  History history;
  for (int i = 1; i < count; ++i) {
    if (!read(words[i], history)) return 2;
  }
  size_t seen = 0;
  for (const auto& poll : history.polls) seen += poll.seen.size();
  bool bad = false;
  for (const auto& anomaly : check(history)) {
    fmt::print("{}{}: {}\n", anomaly.allowed ? "(allowed) " : "", anomaly.kind, anomaly.text);
    bad = bad || !anomaly.allowed;
  }
  fmt::print("{} sent, {} acknowledged, {} records read: {}\n", history.sends.size(), history.acknowledged(), seen, bad ? "ANOMALIES" : "good");
  return bad || history.acknowledged() == 0 ? 1 : 0;
}
