#include "io/sim/file_system.h"

#include <gtest/gtest.h>

#include "io/conformance.h"

namespace samsa::io::sim {
namespace {

// What must hold of a file after a crash: sectors that nobody touched since the last completed sync are as they were, the size is one
// that the file has had since, and in sectors that were touched every byte is one it has had, or zero.
class FileModel {
 public:
  explicit FileModel(uint64_t seed) : kernel_(seed, Faults{}) { kernel_.faults.tear_sector = 0.3; }

  void run() {
    for (int step = 0; step < 60; ++step) {
      switch (kernel_.random.below(6)) {
        case 0:
          truncate();
          break;
        case 1:
          if (!file_.syncing()) begin_sync();
          break;
        case 2:
          if (file_.syncing()) end_sync();
          break;
        default:
          write();
          break;
      }
    }
    file_.crash(kernel_);
    check();
  }

 private:
  void remember() { states_.push_back(file_.bytes()); }

  void write() {
    const uint64_t offset = kernel_.random.below(file_.bytes().size() + 300);
    const Buffer bytes = conformance::pattern(1 + kernel_.random.below(2000), static_cast<uint32_t>(kernel_.random.next()));
    const Bytes piece = bytes;
    file_.write({&piece, 1}, offset);
    remember();
  }
  void truncate() {
    file_.resize(kernel_.random.below(file_.bytes().size() + 1));
    remember();
  }
  void begin_sync() {
    file_.begin_sync();
    sync_began_at_ = states_.size() - 1;  // The state that it makes durable.
  }
  // From here on only what was written after the sync began can be lost.
  void end_sync() {
    file_.end_sync();
    states_.erase(states_.begin(), states_.begin() + static_cast<int64_t>(sync_began_at_));
  }

  void check() {
    const Buffer& after = file_.bytes();
    uint64_t smallest = UINT64_MAX;
    uint64_t largest = 0;
    for (const auto& state : states_) {
      smallest = std::min<uint64_t>(smallest, state.size());
      largest = std::max<uint64_t>(largest, state.size());
    }
    ASSERT_GE(after.size(), smallest);
    ASSERT_LE(after.size(), largest);
    for (uint64_t at = 0; at < after.size(); ++at) {
      bool seen = false;
      bool always = true;  // Whether it had one value all the time.
      for (const auto& state : states_) {
        const int value = at < state.size() ? state[at] : -1;
        seen |= value == after[at];
        always &= value == (at < states_[0].size() ? states_[0][at] : -1);
      }
      ASSERT_TRUE(seen || after[at] == 0) << "byte " << at << " was never so";
      if (always) ASSERT_EQ(after[at], states_[0][at]) << "byte " << at << " was not touched";
    }
  }

  Kernel kernel_;
  FileContent file_;
  std::vector<Buffer> states_{{}};  // Since the last completed sync began, oldest first.
  size_t sync_began_at_ = 0;
};

TEST(FileContent, CrashesKeepWhatWasSynced) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    FileModel model(seed);
    model.run();
    if (testing::Test::HasFatalFailure()) FAIL() << "seed " << seed;
  }
}

}  // namespace
}  // namespace samsa::io::sim
