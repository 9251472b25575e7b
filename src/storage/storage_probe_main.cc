// For tests/storage: `samsa_storage_probe write DIR` makes log directories with everything that segments can hold, on the real disk;
// `samsa_storage_probe read PARTITION_DIR clean|killed` opens one that another program wrote and tells what is in it;
// `samsa_storage_probe bench DIR` times appends and reads.
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include "base/log.h"
#include "io/real/world.h"
#include "protocol/control_batch.h"
#include "storage/file_pool.h"
#include "storage/log.h"

namespace samsa::storage {
namespace {

constexpr TimestampMs kTime = 1'700'000'000'000;

void must(const Result<void>& result, const char* what) {
  if (result) return;
  fmt::print(stderr, "{}: {}\n", what, result.error().describe());
  std::exit(1);
}
template <class T>
T must(Result<T> result, const char* what) {
  if (result) return std::move(*result);
  fmt::print(stderr, "{}: {}\n", what, result.error().describe());
  std::exit(1);
}

struct Producer {
  int64_t id = kNoProducerId;
  int16_t epoch = kNoProducerEpoch;
  int32_t sequence = kNoSequence;
  bool transactional = false;
};

Buffer batch_of(int count, size_t value_size, TimestampMs timestamp, protocol::Codec codec, const Producer& producer = {}) {
  protocol::BatchOptions options;
  options.codec = codec;
  options.producer_id = producer.id;
  options.producer_epoch = producer.epoch;
  options.base_sequence = producer.sequence;
  options.transactional = producer.transactional;
  protocol::RecordBatchBuilder builder(options);
  for (int i = 0; i < count; ++i) {
    builder.append(timestamp + i, as_bytes(fmt::format("key-{}", i)), as_bytes(std::string(value_size, static_cast<char>('a' + i % 26))));
  }
  return must(builder.build(), "build");
}

class Probe {
 public:
  Probe(io::World& world, std::string root) : world_(world), pool_(world.disk, 64), context_{world.loop, world.disk, pool_}, root_(std::move(root)) {
    context_.verify_transactions = false;
  }

  io::Task<std::unique_ptr<Log>> open(const std::string& name, LogConfig config, bool clean) {
    OpenLog options;
    options.directory = io::join_path(root_, name);
    options.partition = {name.substr(0, name.rfind('-')), 0};
    options.config = config;
    options.clean = clean;
    if (!clean || !world_.disk.exists(options.directory)) options.topic_id = Uuid{0x1234, 0x5678};
    co_return must(co_await Log::open(context_, options), "open");
  }

  io::Task<> write() {
    for (const auto codec : {protocol::Codec::kNone, protocol::Codec::kGzip, protocol::Codec::kSnappy, protocol::Codec::kLz4, protocol::Codec::kZstd}) {
      LogConfig config;
      config.segment_bytes = 100'000;
      auto log = co_await open(fmt::format("{}-0", protocol::codec_name(codec)), config, true);
      for (int i = 0; i < 100; ++i) append(*log, batch_of(50, 100, kTime + i * 100, codec), {.leader_epoch = i / 40});
      must(co_await log->close(), "close");
    }
    co_await write_producers("producers-0", true);
    co_await write_producers("killed-0", false);
  }

  // Idempotent and transactional producers, commits and aborts over several segments.
  io::Task<> write_producers(const std::string& name, bool close) {
    LogConfig config;
    config.segment_bytes = 20'000;
    auto log = co_await open(name, config, true);
    Producer producers[] = {{1000, 0, 0, false}, {1001, 3, 0, true}, {1002, 0, 0, true}};
    for (int i = 0; i < 200; ++i) {
      Producer& producer = producers[i % 3];
      append(*log, batch_of(3, 100, kTime + i * 10, protocol::Codec::kNone, producer), {.leader_epoch = 5});
      producer.sequence += 3;
      if (i % 12 == 11) end(*log, producers[1], i % 24 == 11);
      if (i % 30 == 29) end(*log, producers[2], i % 60 == 29);
    }
    if (close) {
      must(co_await log->close(), "close");
    } else {
      co_await log->abandon();
    }
  }

  io::Task<> read(const std::string& name, bool clean) {
    auto log = co_await open(name, LogConfig(), clean);
    log->set_high_watermark(log->log_end_offset());
    fmt::print("start {} end {} stable {} epoch {} segments {}\n", log->log_start_offset(), log->log_end_offset(), log->last_stable_offset(),
               log->latest_epoch(), log->segment_count());
    Offset at = log->log_start_offset();
    int64_t records = 0;
    protocol::Scratch scratch;
    while (at < log->log_end_offset()) {
      const Buffer bytes = must(co_await log->read_bytes({at, 1 << 20, log->log_end_offset(), true}), "read");
      if (bytes.empty()) break;
      protocol::BatchIterator batches(bytes);
      while (auto batch = must(batches.next(), "batch")) {
        if (!batch->crc_matches()) fmt::print("wrong crc at {}\n", batch->base_offset());
        auto reader = must(protocol::RecordReader::open(*batch, scratch), "records");
        protocol::Record record;
        while (must(reader.next(record), "record")) records += batch->is_control() ? 0 : 1;
        at = batch->next_offset();
      }
    }
    fmt::print("records {}\n", records);
    for (const auto& producer : log->active_producers()) {
      fmt::print("producer {} epoch {} sequence {} transaction {}\n", producer.producer_id, producer.producer_epoch, producer.last_sequence,
                 producer.transaction_start.value_or(-1));
    }
    for (const auto& aborted : must(log->aborted_transactions(0, log->log_end_offset()), "aborted")) {
      fmt::print("aborted {} {}\n", aborted.producer_id, aborted.first_offset);
    }
    if (const auto newest = must(co_await log->offset_of_max_timestamp(), "timestamp")) fmt::print("newest {} at {}\n", newest->timestamp, newest->offset);
    must(co_await log->close(), "close");
  }

  io::Task<> bench() {
    for (const auto& [count, value] : {std::pair(1000, 100), std::pair(120, 1000), std::pair(15, 1000), std::pair(1, 100)}) {
      auto log = co_await open(fmt::format("bench{}x{}-0", count, value), LogConfig(), true);
      const Buffer batch = batch_of(count, static_cast<size_t>(value), world_.loop.wall_ms(), protocol::Codec::kNone);
      const int times = std::max<int>(1000, static_cast<int>((512U << 20) / batch.size() / 4));
      Buffer bytes = batch;
      const auto start = world_.loop.now_precise();
      for (int i = 0; i < times; ++i) {
        std::copy(batch.begin(), batch.begin() + 61, bytes.begin());
        must(log->append_as_leader(bytes, {}), "append");
      }
      const double append_s = static_cast<double>((world_.loop.now_precise() - start).count()) / 1e9;
      const auto middle = world_.loop.now_precise();
      Offset at = log->log_end_offset() - count;
      for (int i = 0; i < times; ++i) (void)must(co_await log->read({at, 1 << 20, log->log_end_offset(), true}), "read");
      const double tail_s = static_cast<double>((world_.loop.now_precise() - middle).count()) / 1e9;
      const auto cold = world_.loop.now_precise();
      for (int i = 0; i < 1000; ++i) {
        at = static_cast<Offset>(world_.loop.random().below(static_cast<uint64_t>(log->log_end_offset())));
        (void)must(co_await log->read({at, 1 << 20, log->log_end_offset(), true}), "read");
      }
      const double random_s = static_cast<double>((world_.loop.now_precise() - cold).count()) / 1e9;
      const double mb = static_cast<double>(times) * static_cast<double>(batch.size()) / 1e6;
      fmt::print("batches of {} x {} B: append {:.0f} MB/s, {:.0f} ns a record, {:.2f} us a batch; tail read {:.2f} us, random read {:.2f} us\n", count, value,
                 mb / append_s, append_s * 1e9 / times / count, append_s * 1e6 / times, tail_s * 1e6 / times, random_s * 1e6 / 1000);
      co_await log->abandon();
    }
  }

 private:
  void append(Log& log, Buffer batch, const LeaderAppend& options) {
    must(log.append_as_leader(batch, options), "append");
    log.set_high_watermark(log.log_end_offset());
  }
  void end(Log& log, const Producer& producer, bool commit) {
    append(log, protocol::transaction_marker_batch({producer.id, producer.epoch, commit, 7}, 0, 0, kTime),
           {.leader_epoch = 5, .origin = AppendOrigin::kMarker});
  }

  io::World& world_;
  FilePool pool_;
  LogContext context_;
  std::string root_;
};

io::Task<> go(io::World& world, std::vector<std::string> arguments) {
  if (arguments[0] == "write") {
    Probe probe(world, arguments[1]);
    co_await probe.write();
  } else if (arguments[0] == "read" && arguments.size() == 3) {
    Probe probe(world, io::parent_path(arguments[1]));
    co_await probe.read(arguments[1].substr(arguments[1].rfind('/') + 1), arguments[2] == "clean");
  } else if (arguments[0] == "bench") {
    Probe probe(world, arguments[1]);
    co_await probe.bench();
  }
}

}  // namespace
}  // namespace samsa::storage

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: samsa_storage_probe write DIR | read PARTITION_DIR clean|killed | bench DIR\n");
    return 2;
  }
  samsa::io::real::RealNodeOptions options;
  options.shards = 1;
  samsa::io::real::RealNode node(options);
  node.run_until_done(samsa::storage::go(node.worlds()[0], std::vector<std::string>(argv + 1, argv + argc)));
  return 0;
}
