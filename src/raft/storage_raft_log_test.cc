#include "raft/storage_raft_log.h"

#include <gtest/gtest.h>

#include "io/sim/world.h"
#include "protocol/record_batch.h"

namespace samsa::raft {
namespace {

class StorageRaftLogTest : public testing::Test {
 protected:
  StorageRaftLogTest() {
    config_.node_id = 1;
    config_.metadata_dir = "/data";
    EXPECT_TRUE(world().disk.create_directories("/data").has_value());
  }
  io::World world() { return node_.worlds()[0]; }

  // Runs the task to its end.
  template <class F>
  void run(F body) {
    bool done = false;
    const auto all = [](F& inner, bool& finished) -> io::Task<> {
      co_await inner();
      finished = true;
    };
    io::spawn_now(world().loop, all(body, done));
    ASSERT_TRUE(sim_.run_until([&] { return done; }, std::chrono::seconds(60)));
  }
  io::Task<> open() {
    log_.reset();
    auto opened = co_await StorageRaftLog::open(world(), config_);
    EXPECT_TRUE(opened.has_value()) << (opened ? "" : opened.error().text());
    if (opened) log_ = std::move(*opened);
  }
  void append(int records, size_t size = 10) {
    const Buffer value(size, 'x');
    for (int i = 0; i < records; ++i) {
      protocol::RecordBatchBuilder builder({});
      builder.append(1, std::nullopt, value);
      EXPECT_TRUE(log_->append(builder.build().value(), 1).has_value());
    }
  }
  std::string note() {
    const auto content = io::read_file(world().disk, kNote);
    return content ? std::string(as_text(*content)) : "none";
  }
  // Begins with the offset.
  int64_t noted() { return std::atoll(note().c_str()); }
  void put_back(const std::string& text) {
    auto file = world().disk.open(kNote, io::OpenMode::kCreateTruncate);
    ASSERT_TRUE(file.has_value());
    EXPECT_TRUE((*file)->write_at(as_bytes(text), 0).has_value());
  }

  static constexpr const char* kNote = "/data/__cluster_metadata-0/synced";
  io::sim::SimWorld sim_{1};
  io::sim::SimNode& node_{sim_.add_node("node", 1)};
  RaftConfig config_;
  std::unique_ptr<StorageRaftLog> log_;
};

TEST_F(StorageRaftLogTest, AStopNotesHowFarTheLogIsSynced) {
  run([this]() -> io::Task<> {
    co_await open();
    append(5);
    EXPECT_TRUE((co_await log_->close()).has_value());
    EXPECT_EQ(noted(), 5);
  });
}

TEST_F(StorageRaftLogTest, ANoteAboveTheEndIsTakenBack) {
  run([this]() -> io::Task<> {
    co_await open();
    append(5);
    EXPECT_TRUE((co_await log_->close()).has_value());
    const std::string all = note();
    co_await open();
    EXPECT_TRUE((co_await log_->truncate(2)).has_value());
    EXPECT_EQ(note(), "none");
    EXPECT_TRUE((co_await log_->close()).has_value());
    put_back(all);  // As a power failure does, before the folder is synced; or another node worked here.
    co_await open();
    EXPECT_EQ(log_->end_offset(), 2);
    EXPECT_EQ(noted(), 2);
    EXPECT_TRUE((co_await log_->close()).has_value());
  });
}

TEST_F(StorageRaftLogTest, ASyncUnderWayNotesNothingThatIsCut) {
  run([this]() -> io::Task<> {
    co_await open();
    append(2, 20'000);  // So much that the next sync writes a note.
    EXPECT_TRUE((co_await log_->sync()).has_value());
    append(2, 20'000);
    bool synced = false;
    const auto sync = [](StorageRaftLog& log, bool& done) -> io::Task<> {
      EXPECT_TRUE((co_await log.sync()).has_value());
      done = true;
    };
    io::spawn_now(world().loop, sync(*log_, synced));
    EXPECT_FALSE(synced);
    EXPECT_TRUE((co_await log_->truncate(1)).has_value());
    while (!synced) co_await io::sleep_for(world().loop, std::chrono::milliseconds(1));
    EXPECT_LE(noted(), 1);
    EXPECT_TRUE((co_await log_->close()).has_value());
  });
}

}  // namespace
}  // namespace samsa::raft
