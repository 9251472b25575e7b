#include "io/conformance.h"

#include "io/sim/world.h"

namespace samsa::io {
namespace {

class SimHarness {
 public:
  World& world(int shard) { return node_.worlds()[static_cast<size_t>(shard)]; }
  std::string directory() {
    EXPECT_TRUE(world(0).disk.create_directories("/data"));
    return "/data";
  }
  void run(Task<> task) { EXPECT_TRUE(sim_.run_task(world(0).loop, std::move(task), std::chrono::seconds(60))) << sim_.trace().recent(50); }

 private:
  sim::SimWorld sim_{20260101};
  sim::SimNode& node_{sim_.add_node("node", 2)};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sim, Conformance, SimHarness);

}  // namespace
}  // namespace samsa::io
