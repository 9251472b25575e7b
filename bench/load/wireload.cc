// wireload: a load generator below any client library, for `./dev bench`; the same program loads every broker.
//
//   wireload produce BOOTSTRAP TOPIC [records=N | seconds=S] [size=1024] [batch=16384] [codec=none] [acks=-1] [connections=1] [inflight=5]
//                                    [spread=0] [idempotent=0] [rate=0] [keys=0]
//   wireload consume BOOTSTRAP TOPIC records=N|again=1 [connections=1] [split=0] [seconds=60]    again: from the start until the time is over
//   wireload tail    BOOTSTRAP TOPIC rate=R seconds=S [size=1024] [connections=1] [consumers=1] [acks=-1]
//   wireload hold    BOOTSTRAP TOPIC connections=N [poll=0]      until standard input ends; poll=1: each waits for records at the end
//
// Batches are made once and sent again and again; what consume gets is counted by batch headers, and the system drops the rest (drain.h): the
// generator costs little beside the broker. A connection is one TCP connection with `inflight` requests under way. spread=1: every request has a
// batch for every partition (producers with keys); otherwise one batch, the partitions by turns. `rate`: requests per second over all connections, on a
// timetable: a request that goes out late is counted from when it was due (coordinated omission). tail: one record a request on the
// timetable; the latency is from due to arrival at a consumer.
// Prints one line of JSON. SIGTERM ends produce and consume as if their time were over.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "client/cluster.h"
#include "drain.h"
#include "io/real/world.h"
#include "protocol/api/fetch.h"
#include "protocol/api/init_producer_id.h"
#include "protocol/api/list_offsets.h"
#include "protocol/api/produce.h"
#include "protocol/record_batch.h"

namespace samsa {
namespace {

using client::Cluster;
using client::Connection;
using io::MonoTime;
using io::Task;

struct Options {
  std::map<std::string, std::string> given;
  [[nodiscard]] std::string text(const std::string& name, const std::string& otherwise) const {
    const auto found = given.find(name);
    return found == given.end() ? otherwise : found->second;
  }
  [[nodiscard]] int64_t number(const std::string& name, int64_t otherwise) const {
    return std::atoll(text(name, std::to_string(otherwise)).c_str());
  }
  // How long the load goes on; parts of a second count.
  [[nodiscard]] io::Duration seconds(int64_t otherwise) const {
    return std::chrono::duration_cast<io::Duration>(std::chrono::duration<double>(std::atof(text("seconds", std::to_string(otherwise)).c_str())));
  }
};

protocol::Codec codec_of(const std::string& name) {
  static const std::map<std::string, protocol::Codec> codecs = {{"none", protocol::Codec::kNone},
                                                                {"gzip", protocol::Codec::kGzip},
                                                                {"snappy", protocol::Codec::kSnappy},
                                                                {"lz4", protocol::Codec::kLz4},
                                                                {"zstd", protocol::Codec::kZstd}};
  const auto found = codecs.find(name);
  if (found == codecs.end()) die("unknown codec " + name);
  return found->second;
}

// What is counted; and the latencies in microseconds.
struct Tally {
  int64_t records = 0;
  int64_t bytes = 0;
  int64_t requests = 0;
  int64_t errors = 0;
  std::string first_error;
  std::vector<float> latencies;
  MonoTime first, last;

  void error(const std::string& what) {
    if (errors++ == 0) first_error = what;
  }
  [[nodiscard]] double at(double q) const {
    if (latencies.empty()) return -1;
    return latencies[std::min(latencies.size() - 1, static_cast<size_t>(q * static_cast<double>(latencies.size())))] / 1e3;
  }
  void print() {
    std::sort(latencies.begin(), latencies.end());
    std::printf(
        "{\"records\": %ld, \"bytes\": %ld, \"requests\": %ld, \"seconds\": %.6f, \"errors\": %ld, \"error\": \"%s\", "
        "\"p50\": %.3f, \"p99\": %.3f, \"p999\": %.3f, \"max\": %.3f}\n",
        records, bytes, requests, static_cast<double>((last - first).count()) / 1e9, errors, first_error.c_str(), at(0.5), at(0.99),
        at(0.999), at(1));
  }
};

std::atomic<bool> told_to_end = false;  // By SIGTERM: as if the time were over.

class Load {
 public:
  Load(io::World world, const std::string& bootstrap, std::string topic, Options options)
      : world_(world), topic_name_(std::move(topic)), options_(std::move(options)), cluster_(world, configuration(bootstrap)) {
    record_size_ = static_cast<size_t>(options_.number("size", 1024));
    acks_ = static_cast<int16_t>(options_.number("acks", -1));
    connections_ = options_.number("connections", 1);
  }

  Task<> produce() {
    co_await learn_topic();
    make_batch();
    spread_ = options_.number("spread", 0) != 0;
    limit_records_ = options_.number("records", INT64_MAX);
    stop_at_ = world_.loop.now_precise() + options_.seconds(3600);
    const int64_t rate = options_.number("rate", 0);
    interval_ = rate > 0 ? 1'000'000'000 / rate : 0;
    auto producers = co_await open_producers();
    tally_.first = started_ = world_.loop.now_precise();
    io::TaskGroup group(world_.loop);
    if (interval_ > 0) group.spawn(stay_awake());
    const int64_t inflight = options_.number("inflight", 5);
    for (auto& producer : producers) {
      for (int64_t i = 0; i < inflight; ++i) group.spawn(run_producer(*producer));
    }
    co_await group.join();
    if (acks_ == 0) {  // What was sent before on a connection is served before.
      acks_ = 1;
      for (auto& producer : producers) co_await send(*producer, world_.loop.now_precise());
    }
    tally_.last = world_.loop.now_precise();
    tally_.print();
  }

  Task<> consume() {
    co_await learn_topic();
    const bool split = options_.number("split", 0) != 0;
    again_ = options_.number("again", 0) != 0;
    limit_records_ = again_ ? INT64_MAX : options_.number("records", 1);
    const auto version = (co_await open(leader_of(0)))->version_of<protocol::FetchRequest>();
    if (!version || *version < 13) die("the broker serves no version of Fetch from 13 on");
    fetch_version_ = *version;
    std::vector<std::unique_ptr<Drain>> connections;
    for (int64_t i = 0; i < connections_; ++i) connections.push_back(co_await Drain::open(world_, leader_of(0), connections_ == 1));
    tally_.first = world_.loop.now_precise();
    stop_at_ = tally_.first + options_.seconds(60);
    io::TaskGroup group(world_.loop);
    for (int64_t i = 0; i < connections_; ++i) {
      std::vector<int64_t> offsets(partitions(), -1);
      for (size_t p = 0; p < offsets.size(); ++p) {
        if (!split || static_cast<int64_t>(p) % connections_ == i) offsets[p] = 0;
      }
      group.spawn(run_drain(*connections[static_cast<size_t>(i)], std::move(offsets), split ? &tally_.records : nullptr));
    }
    co_await group.join();
    const bool all_came = tally_.records >= (split ? limit_records_ : limit_records_ * connections_);
    if (!again_ && !all_came && !told_to_end) tally_.error("only " + std::to_string(tally_.records) + " records came");
    tally_.last = world_.loop.now_precise();
    tally_.print();
  }

  Task<> tail() {
    co_await learn_topic();
    batch_size_ = 0;  // One record.
    make_batch();
    const int64_t rate = std::max<int64_t>(1, options_.number("rate", 1000)), seconds = options_.number("seconds", 5);
    const int64_t consumers = options_.number("consumers", 1);
    interval_ = 1'000'000'000 / rate;
    limit_records_ = rate * seconds;
    warm_up_ = std::min<int64_t>(limit_records_ / 5, rate * 2);
    auto producers = co_await open_producers();
    io::TaskGroup group(world_.loop);
    stop_at_ = world_.loop.now_precise() + std::chrono::seconds(seconds + 20);
    expected_ = limit_records_ * consumers;
    for (int64_t i = 0; i < consumers; ++i) group.spawn(run_consumer(co_await open(leader_of(0)), ends_, true));
    co_await io::sleep_for(world_.loop, std::chrono::milliseconds(300));
    tally_.first = started_ = world_.loop.now_precise() + std::chrono::milliseconds(50);
    group.spawn(stay_awake());
    io::TaskGroup sending(world_.loop);
    for (auto& producer : producers) {
      for (int64_t i = 0; i < 64; ++i) sending.spawn(run_producer(*producer));
    }
    co_await sending.join();
    sent_all_ = true;
    co_await group.join();
    tally_.last = world_.loop.now_precise();
    if (received_ < expected_) tally_.error("only " + std::to_string(received_) + " of " + std::to_string(expected_) + " arrived");
    tally_.print();
  }

  Task<> hold() {
    co_await learn_topic();
    const bool poll = options_.number("poll", 0) != 0;
    stop_at_ = world_.loop.now_precise() + std::chrono::hours(1);
    limit_records_ = INT64_MAX;
    std::vector<std::shared_ptr<Connection>> connections;
    io::TaskGroup group(world_.loop);
    tally_.first = world_.loop.now_precise();
    for (int64_t i = 0; i < connections_; ++i) {
      connections.push_back(co_await open(leader_of(0)));
      if (poll) group.spawn(run_consumer(connections.back(), ends_, false));
    }
    tally_.last = world_.loop.now_precise();
    tally_.requests = connections_;
    tally_.print();
    std::fflush(stdout);
    for (pollfd input{STDIN_FILENO, POLLIN, 0}; ::poll(&input, 1, 0) == 0;)
      co_await io::sleep_for(world_.loop, std::chrono::milliseconds(50));
    std::_Exit(0);  // Twenty thousand connections are ended by the system.
  }

 private:
  struct Producer {
    std::shared_ptr<Connection> connection;
    Buffer batch;  // Its own where it is changed for each request.
    int64_t producer_id = kNoProducerId;
    int16_t epoch = -1;
    std::vector<int32_t> sequences;
    size_t next_partition = 0;
  };

  static client::ClusterConfig configuration(const std::string& bootstrap) {
    client::ClusterConfig config;
    config.bootstrap = *client::parse_bootstrap_servers(bootstrap);
    config.connection.client_id = "wireload";
    config.connection.request_timeout = std::chrono::seconds(60);
    return config;
  }
  [[nodiscard]] size_t partitions() const { return topic_.partitions.size(); }
  [[nodiscard]] io::Address leader_of(size_t partition) const {
    const auto found = cluster_.brokers().find(topic_.partitions[partition].leader);
    if (found == cluster_.brokers().end()) die("no leader of partition " + std::to_string(partition));
    return found->second.address;
  }

  Task<> learn_topic() {
    auto topic = co_await cluster_.topic(topic_name_);
    if (!topic) die(topic_name_ + ": " + topic.error().text());
    topic_ = std::move(*topic);
    ends_ = co_await end_offsets();
  }

  Task<std::shared_ptr<Connection>> open(io::Address address) {
    auto connection = co_await Connection::open(world_, address, cluster_.config().connection);
    if (!connection) die("cannot connect: " + connection.error().text());
    co_return *connection;
  }

  Task<std::vector<std::unique_ptr<Producer>>> open_producers() {
    std::vector<std::unique_ptr<Producer>> producers;
    const bool idempotent = options_.number("idempotent", 0) != 0;
    for (int64_t i = 0; i < connections_; ++i) {
      auto producer = std::make_unique<Producer>();
      producer->next_partition = static_cast<size_t>(i) % partitions();
      producer->connection = co_await open(leader_of(producer->next_partition));
      producer->sequences.assign(partitions(), 0);
      if (idempotent) {
        protocol::InitProducerIdRequest request;
        request.transactional_id.reset();
        request.transaction_timeout_ms = INT32_MAX;
        auto reply = co_await producer->connection->call(request);
        for (int tries = 0; reply && (*reply)->error_code != 0 && tries < 500; ++tries) {  // Its coordinator or ids may not be there yet.
          co_await io::sleep_for(world_.loop, std::chrono::milliseconds(20));
          reply = co_await producer->connection->call(request);
        }
        if (!reply || (*reply)->error_code != 0) die("no producer id");
        producer->producer_id = (*reply)->producer_id;
        producer->epoch = (*reply)->producer_epoch;
      }
      producer->batch = batch_;
      producers.push_back(std::move(producer));
    }
    co_return producers;
  }

  // Half of every value is random letters, so that a codec finds about what it finds in logs.
  void make_batch() {
    const auto size = static_cast<int64_t>(batch_size_ == SIZE_MAX ? options_.number("batch", 16384) : static_cast<int64_t>(batch_size_));
    protocol::RecordBatchBuilder builder({.codec = codec_of(options_.text("codec", "none"))});
    Buffer value(std::max<size_t>(16, record_size_), 'x');
    uint32_t state = 12345;
    const int64_t keys = options_.number("keys", 0);
    do {
      for (size_t i = 0; i < value.size(); i += 2)
        value[i] = static_cast<uint8_t>('a' + ((state = state * 1664525 + 1013904223) >> 24) % 26);
      const std::string key = keys > 0 ? "key-" + std::to_string(builder.count() % keys) : "";
      builder.append(world_.loop.wall_ms(), keys > 0 ? std::optional<Bytes>(as_bytes(key)) : std::nullopt, value);
    } while (static_cast<int64_t>(builder.size_with(0, record_size_)) <= size);
    records_per_batch_ = builder.count();
    batch_ = *builder.build();
    shared_batch_ = protocol::Blob(batch_);
  }

  // Timetables finer than a millisecond need a loop that does not sleep; but one that never does would be stopped where it is scheduled
  // in real time, and would take a core from the broker.
  Task<> stay_awake() {
    for (MonoTime since = world_.loop.now_precise(); !over() && !sent_all_;) {
      if (world_.loop.now_precise() - since > std::chrono::microseconds(600)) {
        ::usleep(150);
        since = world_.loop.now_precise();
      }
      co_await io::yield(world_.loop);
    }
  }
  [[nodiscard]] bool time_is_up() const { return told_to_end || world_.loop.now_precise() >= stop_at_; }
  [[nodiscard]] bool over() const { return issued_ >= limit_records_ || time_is_up(); }

  Task<> run_producer(Producer& producer) {
    while (!over() && producer.connection->alive()) {
      MonoTime due = world_.loop.now_precise();
      if (interval_ > 0) {
        due = started_ + io::Duration(interval_ * timetable_++);
        if (due >= stop_at_ || told_to_end) co_return;
        while (world_.loop.now_precise() < due) co_await io::yield(world_.loop);
      }
      co_await send(producer, due);
    }
  }

  void add_partition(protocol::ProduceRequest& request, Producer& producer, size_t partition, MonoTime due, int64_t index) {
    auto& data = request.topic_data[0].partition_data.emplace_back();
    data.index = static_cast<int32_t>(partition);
    if (producer.producer_id < 0 && batch_size_ != 0) {
      data.records = protocol::Records::of(shared_batch_);
      return;
    }
    Buffer batch = producer.batch;
    if (batch_size_ == 0) {  // The value starts with the time and the number.
      uint8_t* value = batch.data() + batch.size() - 1 - std::max<size_t>(16, record_size_);
      std::memcpy(value, &due.ns, 8);
      std::memcpy(value + 8, &index, 8);
    }
    if (producer.producer_id >= 0) {
      protocol::set_producer(batch, producer.producer_id, producer.epoch, producer.sequences[partition], false);
      producer.sequences[partition] += records_per_batch_;
    } else {
      protocol::refresh_crc(batch);
    }
    data.records = protocol::Records::of(protocol::Blob(std::move(batch)));
  }

  Task<> send(Producer& producer, MonoTime due) {
    protocol::ProduceRequest request;
    request.acks = acks_;
    request.timeout_ms = 30'000;
    auto& data = request.topic_data.emplace_back();
    data.name = protocol::Text::view_of(topic_name_);
    data.topic_id = topic_.id;
    const int64_t index = issued_;
    if (spread_) {
      for (size_t p = 0; p < partitions(); ++p) add_partition(request, producer, p, due, index);
    } else {
      add_partition(request, producer, producer.next_partition, due, index);
      // A connection keeps to its leader.
      const auto leader = topic_.partitions[producer.next_partition].leader;
      do {
        producer.next_partition = (producer.next_partition + 1) % partitions();
      } while (topic_.partitions[producer.next_partition].leader != leader);
    }
    const auto batches = static_cast<int64_t>(data.partition_data.size());
    const int64_t records = batches * records_per_batch_;
    issued_ += records;
    if (acks_ == 0) {
      const auto sent = co_await producer.connection->send_only(request);
      if (!sent) tally_.error(sent.error().text());
    } else {
      const auto reply = co_await producer.connection->call(request);
      if (!reply) {
        tally_.error(reply.error().text());
        co_return;
      }
      for (const auto& answer : (*reply)->responses[0].partition_responses) {
        if (answer.error_code != 0) tally_.error("error code " + std::to_string(answer.error_code));
      }
      if (batch_size_ != 0) tally_.latencies.push_back(static_cast<float>((world_.loop.now_precise() - due).count()) / 1e3F);
    }
    ++tally_.requests;
    if (batch_size_ != 0) {
      tally_.records += records;
      tally_.bytes += records * static_cast<int64_t>(record_size_);
    }
  }

  // The end of every partition. Asked again until every leader knows that it is one: just after a topic was made it may not.
  Task<std::vector<int64_t>> end_offsets() {
    std::vector<int64_t> offsets(partitions(), -1);
    for (int tries = 0; std::ranges::find(offsets, -1) != offsets.end(); ++tries) {
      if (tries == 1000) die("a partition of " + topic_name_ + " has no leader that serves it");
      if (tries > 0) co_await io::sleep_for(world_.loop, std::chrono::milliseconds(20));
      std::map<int32_t, std::vector<size_t>> by_leader;
      for (size_t p = 0; p < partitions(); ++p) {
        if (offsets[p] < 0) by_leader[topic_.partitions[p].leader].push_back(p);
      }
      for (const auto& [leader, members] : by_leader) co_await ask_ends(members, offsets);
    }
    co_return offsets;
  }

  Task<> ask_ends(std::vector<size_t> members, std::vector<int64_t>& offsets) {
    protocol::ListOffsetsRequest request;
    request.replica_id = -1;
    auto& topic = request.topics.emplace_back();
    topic.name = protocol::Text::view_of(topic_name_);
    for (const size_t p : members) {
      auto& partition = topic.partitions.emplace_back();
      partition.partition_index = static_cast<int32_t>(p);
      partition.timestamp = -1;
    }
    auto connection = co_await open(leader_of(members[0]));
    auto reply = co_await connection->call(request);
    if (!reply) die("no end offsets: " + reply.error().text());
    for (const auto& partition : (*reply)->topics[0].partitions) {
      if (partition.error_code == 0) offsets[static_cast<size_t>(partition.partition_index)] = partition.offset;
    }
    connection->close();
  }

  // Counts and, with `timed`, reads the time out of what has come; gives the partition's next offset.
  int64_t take(const protocol::Records& records, int64_t next, bool timed) {
    protocol::BatchIterator batches(records.memory.view());
    while (true) {
      auto batch = batches.next();
      if (!batch || !*batch) break;
      const auto& header = **batch;
      if (header.last_offset() < next) continue;
      next = header.next_offset();
      if (timed) {
        const uint8_t* value = header.bytes().data() + header.bytes().size() - 1 - std::max<size_t>(16, record_size_);
        int64_t due, index;
        std::memcpy(&due, value, 8);
        std::memcpy(&index, value + 8, 8);
        ++received_;
        if (index < warm_up_) continue;
        tally_.latencies.push_back(static_cast<float>(world_.loop.now_precise().ns - due) / 1e3F);
      }
      tally_.records += header.record_count();
      tally_.bytes += header.record_count() * static_cast<int64_t>(record_size_);
    }
    return next;
  }

  // `offsets`: -1 for partitions that it leaves to others.
  [[nodiscard]] protocol::FetchRequest fetch_from(const std::vector<int64_t>& offsets) const {
    protocol::FetchRequest request;
    request.max_wait_ms = 500;
    request.min_bytes = 1;
    request.max_bytes = 52428800;
    auto& topic = request.topics.emplace_back();
    topic.topic = protocol::Text::view_of(topic_name_);
    topic.topic_id = topic_.id;
    for (size_t p = 0; p < offsets.size(); ++p) {
      if (offsets[p] < 0) continue;
      auto& partition = topic.partitions.emplace_back();
      partition.partition = static_cast<int32_t>(p);
      partition.fetch_offset = offsets[p];
      partition.partition_max_bytes = 1048576;
    }
    return request;
  }

  // Ends when `counter` (its own count otherwise) has reached the limit.
  Task<> run_drain(Drain& connection, std::vector<int64_t> offsets, const int64_t* counter) {
    int64_t own = 0;
    if (!counter) counter = &own;
    bool failed = false;
    const auto note_error = [&](int16_t code) {
      if (code == 0) return;
      tally_.error("error code " + std::to_string(code));
      failed = true;
    };
    while (*counter < limit_records_ && !time_is_up() && !failed) {
      connection.send(fetch_from(offsets), fetch_version_);
      const auto on_batch = [&](const Drain::Partition& partition, const protocol::BatchHeader& batch) {
        auto& next = offsets[static_cast<size_t>(partition.index)];
        if (batch.last_offset() < next) return;
        own += batch.next_offset() - next;
        next = batch.next_offset();
        tally_.records += batch.record_count();
        tally_.bytes += batch.record_count() * static_cast<int64_t>(record_size_);
      };
      note_error(co_await connection.read_fetch([&](const Drain::Partition& partition) { note_error(partition.error_code); }, on_batch));
      ++tally_.requests;
      for (size_t p = 0; p < offsets.size(); ++p) {
        if (again_ && offsets[p] >= ends_[p]) offsets[p] = 0;
      }
    }
  }

  // Takes what arrives, and when, until the limit.
  Task<> run_consumer(std::shared_ptr<Connection> connection, std::vector<int64_t> offsets, bool timed) {
    int64_t own = 0;
    while (own < limit_records_ && !time_is_up() && !(timed && sent_all_ && received_ >= expected_)) {
      const protocol::FetchRequest request = fetch_from(offsets);
      const auto reply = co_await connection->call(request);
      if (!reply) {
        tally_.error(reply.error().text());
        co_return;
      }
      ++tally_.requests;
      if ((*reply)->error_code != 0) tally_.error("error code " + std::to_string((*reply)->error_code));
      for (const auto& answered : (*reply)->responses) {
        for (const auto& data : answered.partitions) {
          auto& next = offsets[static_cast<size_t>(data.partition_index)];
          if (data.error_code != 0) {
            tally_.error("error code " + std::to_string(data.error_code));
            co_return;
          }
          const int64_t before = next;
          next = take(data.records, next, timed);
          own += next - before;
        }
      }
    }
  }

  io::World world_;
  std::string topic_name_;
  Options options_;
  Cluster cluster_;
  client::TopicInfo topic_;
  std::vector<int64_t> ends_;  // Of its partitions, before the load.
  size_t record_size_ = 0;
  size_t batch_size_ = SIZE_MAX;
  int16_t acks_ = -1;
  int64_t connections_ = 1;
  bool spread_ = false;
  bool again_ = false;
  int16_t fetch_version_ = 0;
  Buffer batch_;
  protocol::Blob shared_batch_;
  int32_t records_per_batch_ = 0;
  int64_t limit_records_ = 0;
  int64_t issued_ = 0;
  int64_t interval_ = 0;  // Nanoseconds between requests; 0: as fast as answers come.
  int64_t timetable_ = 0;
  int64_t warm_up_ = 0;
  int64_t received_ = 0;
  int64_t expected_ = 0;
  bool sent_all_ = false;
  MonoTime started_, stop_at_;
  Tally tally_;
};

Task<> run(Load& load, std::string mode) {
  if (mode == "produce")
    co_await load.produce();
  else if (mode == "consume")
    co_await load.consume();
  else if (mode == "tail")
    co_await load.tail();
  else if (mode == "hold")
    co_await load.hold();
  else
    die("unknown mode " + mode);
  std::fflush(stdout);
  std::_Exit(0);
}

}  // namespace
}  // namespace samsa

int main(int argc, char** argv) {
  using namespace samsa;
  if (argc < 4) die("usage: wireload produce|consume|tail|hold BOOTSTRAP TOPIC [name=value...]");
  Options options;
  for (int i = 4; i < argc; ++i) {
    const std::string pair = argv[i];
    const size_t equals = pair.find('=');
    if (equals == std::string::npos) die("not name=value: " + pair);
    options.given[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  prctl(PR_SET_TIMERSLACK, 1000);
  const std::string mode = argv[1];
  struct sigaction once {};
  once.sa_handler = [](int) { told_to_end = true; };
  once.sa_flags = static_cast<int>(SA_RESETHAND);  // A second one ends the program.
  if (mode == "produce" || mode == "consume") sigaction(SIGTERM, &once, nullptr);
  io::real::RealNode node({.shards = 1});
  Load load(node.worlds()[0], argv[2], argv[3], std::move(options));
  node.run_until_done(run(load, mode));
}
