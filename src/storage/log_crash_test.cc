// Crashes at every kind of moment and operations of the disk that fail, with a model of what was acknowledged and synced: what was synced is
// there, what is there is what was written, and the log goes on.
#include <cstdlib>

#include "storage/log.h"
#include "storage/test_world.h"

namespace samsa::storage {
namespace {

class CrashRun {
 public:
  explicit CrashRun(uint64_t seed) : random_(seed * 7919 + 1), world_(seed) {
    config_.segment_bytes = static_cast<int32_t>(random_.between(600, 6000));
    config_.index_interval_bytes = static_cast<int32_t>(random_.between(100, 1000));
    config_.file_delete_delay_ms = random_.one_in(2) ? 0 : 60'000;
  }

  void go() {
    open(true);
    for (int life = 0; life < 4 && !testing::Test::HasFailure(); ++life) {
      const uint64_t steps = random_.below(60);
      if (random_.one_in(3)) {
        world_.disk.fail_at = world_.disk.steps + random_.below(200);
      } else if (random_.one_in(2)) {
        arm();
      }
      for (uint64_t i = 0; i < steps && !world_.disk.dead && !uncertain_; ++i) step();
      world_.disk.fault = nullptr;
      stop();
      if (testing::Test::HasFailure()) return;
    }
    world_.loop.run(log_->abandon());
  }

 private:
  void open(bool clean) {
    OpenLog options;
    options.directory = "/data/topic-0";
    options.partition = {"topic", 0};
    options.topic_id = Uuid{1, 200};
    options.config = config_;
    options.clean = clean;
    options.recovery_point = recovery_point_;
    options.log_start_offset = log_start_;
    auto opened = world_.loop.run(Log::open(world_.context, options));
    ASSERT_TRUE(opened.has_value()) << opened.error().describe();
    log_ = std::move(*opened);
  }

  // Any operation may fail from now on: for want of room, or with an error of the device.
  void arm() {
    const uint64_t odds = random_.between(10, 400);
    const bool full = random_.one_in(2);
    world_.disk.fault = [this, odds, full](std::string_view operation, const std::string& path) -> const char* {
      const bool takes_room = operation == "write" || operation == "rename" || operation == "sync" || (operation == "open" && !world_.disk.exists(path));
      if ((full && !takes_room) || !random_.one_in(odds)) return nullptr;
      return full ? io::kNoSpaceWords : "Input/output error";
    };
  }

  void step() {
    switch (random_.below(13)) {
      case 5: read(); break;
      case 0: flush(); break;
      case 1: durable(); break;
      case 2: truncate(); break;
      case 3: log_start(); break;
      case 4: checkpoint(); break;
      default: append(); break;
    }
  }

  void append() {
    BatchSpec spec;
    spec.count = static_cast<int>(random_.between(1, 4));
    spec.value_size = random_.below(300);
    spec.timestamp += static_cast<TimestampMs>(random_.below(1000));
    Buffer batch = make_batch(spec);
    LeaderAppend options;
    options.leader_epoch = epoch_;
    if (random_.one_in(10)) options.leader_epoch = ++epoch_;
    auto info = log_->append_as_leader(batch, options);
    if (random_.one_in(2)) world_.loop.run_ready();
    if (!info) {
      // It was not taken; but whatever failed may have left it on the disk, for the next start to find.
      refused_.push_back(batch);
      return;
    }
    ASSERT_EQ(info->first_offset, model_end_);
    batches_[info->first_offset] = batch;
    model_end_ = info->last_offset + 1;
  }
  void read() {
    const Offset end = log_->log_end_offset();
    const Offset from = random_.between(log_->log_start_offset(), end);
    auto bytes = world_.loop.run(log_->read_bytes({from, 2000, end, true}));
    if (!bytes) return;
    protocol::BatchIterator batches(*bytes);
    for (auto next = batches.next(); next && *next; next = batches.next()) {
      if (!uncertain_) EXPECT_TRUE(batches_.contains((*next)->base_offset())) << "an unacknowledged batch is read";
    }
  }
  void flush() {
    const Offset end = log_->log_end_offset();
    if (world_.loop.run(log_->flush())) synced_ = std::max(synced_, end);
  }
  void durable() {
    const Offset end = log_->log_end_offset();
    if (world_.loop.run(log_->wait_durable(end))) synced_ = std::max(synced_, end);
  }
  void truncate() {
    if (!random_.one_in(3) || model_end_ == log_->log_start_offset()) return;
    auto target = batches_.lower_bound(random_.between(log_->log_start_offset(), model_end_));
    if (target == batches_.end()) return;
    const Offset to = target->first;
    // Whatever comes of it, records behind are promised no more.
    synced_ = std::min(synced_, to);
    recovery_point_ = std::min(recovery_point_, to);
    if (!world_.loop.run(log_->truncate_to(to))) {
      uncertain_ = true;
      return;
    }
    batches_.erase(target, batches_.end());
    model_end_ = to;
  }
  void log_start() {
    if (!random_.one_in(3)) return;
    log_->set_high_watermark(log_->log_end_offset());
    (void)log_->advance_log_start(random_.between(log_->log_start_offset(), log_->high_watermark()));
    (void)log_->delete_old_segments();
    // The checkpoint of it is written at once here; unwritten, old records would only come back.
    log_start_ = log_->log_start_offset();
    log_->remove_deleted_files();
  }
  void checkpoint() { recovery_point_ = log_->recovery_point(); }

  void stop() {
    const bool cleanly = !world_.disk.dead && random_.one_in(4);
    bool clean = false;
    if (cleanly) {
      clean = world_.loop.run(log_->close()).has_value();
      if (clean) {
        synced_ = log_->log_end_offset();
        recovery_point_ = log_->recovery_point();
        log_start_ = log_->log_start_offset();
      }
    }
    world_.loop.run(log_->abandon());
    log_.reset();
    const bool power = random_.one_in(2);
    Offset must_have = synced_;
    if (power) {
      world_.disk.crash(random_);
    } else {
      world_.disk.kill();
      if (!uncertain_) must_have = model_end_;  // The page cache outlives the process.
    }
    open(clean);
    if (log_) verify(must_have);
  }

  void verify(Offset must_have) {
    const Offset end = log_->log_end_offset();
    EXPECT_GE(end, must_have) << "synced records are lost";
    if (!uncertain_ && refused_.empty()) EXPECT_LE(end, last_written_end()) << "records from nowhere";
    EXPECT_EQ(log_->log_start_offset(), std::max(log_start_, log_->first_segment_offset()));
    const Offset acknowledged_end = model_end_;
    Offset at = log_->log_start_offset();
    while (at < end) {
      auto bytes = world_.loop.run(log_->read_bytes({at, 100'000, end, true}));
      ASSERT_TRUE(bytes.has_value()) << bytes.error().describe();
      ASSERT_FALSE(bytes->empty()) << "nothing at " << at << " of " << end;
      protocol::BatchIterator batches(*bytes);
      for (auto next = batches.next(); next && *next; next = batches.next()) {
        ASSERT_TRUE((*next)->crc_matches());
        const auto known = batches_.find((*next)->base_offset());
        if (!uncertain_ && !(known != batches_.end() && std::ranges::equal(known->second, (*next)->bytes()))) {
          // From the CRC on: offset and epoch are those of the try.
          const Bytes found = (*next)->bytes().subspan(17);
          EXPECT_GE((*next)->base_offset(), acknowledged_end);
          EXPECT_TRUE(std::ranges::any_of(refused_, [&](const Buffer& batch) { return std::ranges::equal(Bytes(batch).subspan(17), found); }))
              << "at " << (*next)->base_offset() << " is what nobody wrote";
          batches_[(*next)->base_offset()] = Buffer((*next)->bytes().begin(), (*next)->bytes().end());
        }
        EXPECT_EQ(log_->epoch_of((*next)->last_offset()), (*next)->leader_epoch());
        at = (*next)->next_offset();
      }
    }
    // What is there now is the truth.
    rebuild_model();
  }
  Offset last_written_end() {
    return batches_.empty() ? model_end_ : std::max(model_end_, protocol::BatchHeader(batches_.rbegin()->second.data()).next_offset());
  }
  void rebuild_model() {
    const Offset end = log_->log_end_offset();
    if (uncertain_) {
      batches_.clear();
      for (Offset at = log_->log_start_offset(); at < end;) {
        auto bytes = world_.loop.run(log_->read_bytes({at, 100'000, end, true}));
        protocol::BatchIterator batches(*bytes);
        for (auto next = batches.next(); next && *next; next = batches.next()) {
          batches_[(*next)->base_offset()] = Buffer((*next)->bytes().begin(), (*next)->bytes().end());
          at = (*next)->next_offset();
        }
      }
      uncertain_ = false;
    }
    refused_.clear();
    batches_.erase(batches_.lower_bound(end), batches_.end());
    model_end_ = end;
    synced_ = std::min(synced_, end);
    recovery_point_ = std::min(recovery_point_, log_->recovery_point());
  }

  io::Random random_;
  TestWorld world_;
  LogConfig config_;
  std::unique_ptr<Log> log_;
  std::map<Offset, Buffer> batches_;  // What was acknowledged, by base offset.
  std::vector<Buffer> refused_;       // In this life.
  Offset model_end_ = 0;
  Offset synced_ = 0;
  Offset recovery_point_ = 0;  // As checkpointed.
  Offset log_start_ = 0;       // As checkpointed.
  LeaderEpoch epoch_ = 0;
  bool uncertain_ = false;     // A truncation failed halfway: the end is one of two.
};

TEST(LogCrash, Seeds) {
  const char* more = std::getenv("SAMSA_CRASH_SEEDS");
  const char* one = std::getenv("SAMSA_CRASH_SEED");
  const uint64_t first = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
  const uint64_t count = one != nullptr ? 1 : more != nullptr ? std::strtoull(more, nullptr, 10) : 1000;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    CrashRun(seed).go();
    if (HasFailure()) {
      ADD_FAILURE() << "seed " << seed << ": SAMSA_CRASH_SEED=" << seed << " repeats it";
      return;
    }
  }
}

}  // namespace
}  // namespace samsa::storage
