// The log workload: traffic alone. In the end every acknowledged value is there, once and in order.
#include "sim/traffic.h"

namespace samsa::sim {
namespace {

class LogWorkload final : public Workload {
 public:
  std::vector<TopicPlan> topics(io::Random& random) override { return traffic_.topics(random); }
  void start(SimCluster& /*cluster*/, ClientSide& clients) override {
    traffic_.start(clients, clients.random().between(1, 4), clients.random().between(1, 3));
  }
  std::vector<TopicPartition> final_partitions() override { return traffic_.partitions(); }

 private:
  Traffic traffic_;
};

}  // namespace

std::unique_ptr<Workload> make_log_workload() { return std::make_unique<LogWorkload>(); }

}  // namespace samsa::sim
