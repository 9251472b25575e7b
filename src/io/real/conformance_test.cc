#include "io/conformance.h"

#include <cstdlib>
#include <filesystem>

#include "io/real/world.h"

namespace samsa::io {
namespace {

class RealHarness {
 public:
  RealHarness() : node_({.shards = 2}) {
    std::string pattern = std::filesystem::temp_directory_path() / "samsa-io-XXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  ~RealHarness() { std::filesystem::remove_all(directory_); }

  World& world(int shard) { return node_.worlds()[static_cast<size_t>(shard)]; }
  std::string directory() { return directory_; }
  void run(Task<> task) {
    bool ended = false;
    spawn(world(0).loop, run_and_stop(std::move(task), ended));
    spawn(world(0).loop, stop_after(std::chrono::seconds(30)));
    node_.run();
    EXPECT_TRUE(ended) << "the task did not end within 30 s";
  }

 private:
  Task<> run_and_stop(Task<> task, bool& ended) {
    co_await std::move(task);
    ended = true;
    node_.stop();
  }
  Task<> stop_after(Duration time) {
    co_await sleep_for(world(0).loop, time);
    node_.stop();
  }
  std::string directory_;
  real::RealNode node_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Real, Conformance, RealHarness);

}  // namespace
}  // namespace samsa::io
