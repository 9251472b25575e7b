// rdload: a light load generator on librdkafka for `./dev bench`; the same program loads every broker.
//
//   rdload produce  BOOTSTRAP TOPIC records=N size=BYTES [acks=-1] [linger=10] [batch=131072] [codec=none] [idempotent=0] [keys=0]
//   rdload consume  BOOTSTRAP TOPIC records=N
//   rdload gap      BOOTSTRAP TOPIC rate=PER_SECOND seconds=S size=BYTES [acks=-1] [backoff=100]   "gap": the longest time without an acknowledgement
//   rdload latency  BOOTSTRAP TOPIC rate=PER_SECOND seconds=S size=BYTES [linger=0] [acks=-1]   end to end, one producer, one consumer
//   debug=metadata,broker,...   what librdkafka says of itself, to stderr
//
// Prints one line of JSON: records, bytes, seconds, errors, and for latency p50/p99/p99.9 in milliseconds. Latency is counted from the
// time at which a record was due, not from when it was sent, so a stalled sender is not forgiven (coordinated omission).
#include <librdkafka/rdkafka.h>
#include <sys/prctl.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Options = std::map<std::string, std::string>;

int64_t now_ns() { return Clock::now().time_since_epoch().count(); }

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "rdload: %s\n", why.c_str());
  std::exit(1);
}

std::string option(const Options& options, const std::string& name, const std::string& otherwise) {
  const auto found = options.find(name);
  return found == options.end() ? otherwise : found->second;
}
int64_t number(const Options& options, const std::string& name, int64_t otherwise) {
  return std::atoll(option(options, name, std::to_string(otherwise)).c_str());
}

void set(rd_kafka_conf_t* conf, const char* key, const std::string& value) {
  char error[512];
  if (rd_kafka_conf_set(conf, key, value.c_str(), error, sizeof error) != RD_KAFKA_CONF_OK) die(error);
}

struct Deliveries {
  std::atomic<int64_t> ok{0};
  std::atomic<int64_t> failed{0};
  std::atomic<int64_t> last_ok{0};  // When; and the longest time between two, both in nanoseconds.
  std::atomic<int64_t> longest{0};
};

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto* deliveries = static_cast<Deliveries*>(opaque);
  (message->err ? deliveries->failed : deliveries->ok).fetch_add(1, std::memory_order_relaxed);
  if (message->err) return;
  const int64_t now = now_ns(), before = deliveries->last_ok.exchange(now);
  if (before != 0 && now - before > deliveries->longest) deliveries->longest = now - before;
}

rd_kafka_t* make_producer(const std::string& bootstrap, const Options& options, Deliveries* deliveries) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", bootstrap);
  set(conf, "acks", option(options, "acks", "-1"));
  set(conf, "linger.ms", option(options, "linger", "10"));
  set(conf, "batch.size", option(options, "batch", "131072"));
  set(conf, "compression.codec", option(options, "codec", "none"));
  set(conf, "enable.idempotence", option(options, "idempotent", "0") == "0" ? "false" : "true");
  set(conf, "queue.buffering.max.messages", "2000000");
  set(conf, "queue.buffering.max.kbytes", "524288");
  set(conf, "socket.nagle.disable", "true");
  set(conf, "retry.backoff.ms", option(options, "backoff", "100"));
  if (const std::string debug = option(options, "debug", ""); !debug.empty()) set(conf, "debug", debug);  // librdkafka's own words, to stderr.
  rd_kafka_conf_set_opaque(conf, deliveries);
  rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  char error[512];
  rd_kafka_t* producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
  if (!producer) die(error);
  return producer;
}

rd_kafka_t* make_consumer(const std::string& bootstrap, const std::string& topic, bool from_beginning) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", bootstrap);
  set(conf, "group.id", "rdload-" + std::to_string(now_ns()));
  set(conf, "enable.auto.commit", "false");
  set(conf, "auto.offset.reset", from_beginning ? "earliest" : "latest");
  set(conf, "fetch.wait.max.ms", "500");
  set(conf, "queued.min.messages", "1000000");
  set(conf, "check.crcs", "false");
  char error[512];
  rd_kafka_t* consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
  if (!consumer) die(error);
  rd_kafka_poll_set_consumer(consumer);
  const rd_kafka_metadata_t* metadata = nullptr;
  rd_kafka_topic_t* handle = rd_kafka_topic_new(consumer, topic.c_str(), nullptr);
  if (rd_kafka_metadata(consumer, 0, handle, &metadata, 10000)) die("no metadata of " + topic);
  rd_kafka_topic_partition_list_t* partitions = rd_kafka_topic_partition_list_new(8);
  for (int i = 0; i < metadata->topics[0].partition_cnt; ++i) {
    rd_kafka_topic_partition_list_add(partitions, topic.c_str(), i)->offset =
        from_beginning ? RD_KAFKA_OFFSET_BEGINNING : RD_KAFKA_OFFSET_END;
  }
  rd_kafka_assign(consumer, partitions);
  rd_kafka_topic_partition_list_destroy(partitions);
  rd_kafka_metadata_destroy(metadata);
  rd_kafka_topic_destroy(handle);
  return consumer;
}

// Sends one record, serving delivery reports while the queue is full.
void send(rd_kafka_t* producer, rd_kafka_topic_t* topic, const char* value, size_t size, const std::string* key) {
  while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, const_cast<char*>(value), size, key ? key->data() : nullptr,
                          key ? key->size() : 0, nullptr) != 0) {
    if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) die(rd_kafka_err2str(rd_kafka_last_error()));
    rd_kafka_poll(producer, 10);
  }
}

int run_produce(const std::string& bootstrap, const std::string& topic_name, const Options& options) {
  const int64_t records = number(options, "records", 1000000);
  const auto size = static_cast<size_t>(number(options, "size", 1024));
  const int64_t keys = number(options, "keys", 0);
  Deliveries deliveries;
  rd_kafka_t* producer = make_producer(bootstrap, options, &deliveries);
  rd_kafka_topic_t* topic = rd_kafka_topic_new(producer, topic_name.c_str(), nullptr);
  // Half of every value is random, so that a codec finds about what it finds in logs.
  std::string pool(1 << 20, 'x');
  uint32_t state = 12345;
  for (size_t i = 0; i < pool.size(); i += 2) pool[i] = static_cast<char>('a' + ((state = state * 1664525 + 1013904223) >> 24) % 26);
  const int64_t started = now_ns();
  for (int64_t i = 0; i < records; ++i) {
    const std::string key = keys ? std::to_string(i % keys) : "";
    send(producer, topic, pool.data() + (i * 61) % (pool.size() - size), size, keys ? &key : nullptr);
    if (i % 256 == 0) rd_kafka_poll(producer, 0);
  }
  rd_kafka_flush(producer, 120000);
  const double seconds = static_cast<double>(now_ns() - started) / 1e9;
  std::printf("{\"records\": %ld, \"bytes\": %ld, \"seconds\": %.6f, \"errors\": %ld}\n", deliveries.ok.load(),
              deliveries.ok.load() * static_cast<int64_t>(size), seconds, deliveries.failed.load() + records - deliveries.ok.load());
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(producer);
  return 0;
}

int run_consume(const std::string& bootstrap, const std::string& topic_name, const Options& options) {
  const int64_t records = number(options, "records", 1000000);
  rd_kafka_t* consumer = make_consumer(bootstrap, topic_name, true);
  rd_kafka_queue_t* queue = rd_kafka_queue_get_consumer(consumer);
  std::vector<rd_kafka_message_t*> messages(10000);
  int64_t got = 0, bytes = 0, errors = 0, started = now_ns(), last = started;
  while (got < records && now_ns() - last < 30'000'000'000) {
    const ssize_t n = rd_kafka_consume_batch_queue(queue, 200, messages.data(), messages.size());
    for (ssize_t i = 0; i < n; ++i) {
      if (messages[i]->err) {
        ++errors;
      } else {
        ++got;
        bytes += static_cast<int64_t>(messages[i]->len);
      }
      rd_kafka_message_destroy(messages[i]);
    }
    if (n > 0) last = now_ns();
  }
  std::printf("{\"records\": %ld, \"bytes\": %ld, \"seconds\": %.6f, \"errors\": %ld}\n", got, bytes,
              static_cast<double>(last - started) / 1e9, errors + (got < records ? records - got : 0));
  rd_kafka_queue_destroy(queue);
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
  return 0;
}

int run_gap(const std::string& bootstrap, const std::string& topic_name, Options options) {
  const int64_t rate = number(options, "rate", 200), total = rate * number(options, "seconds", 10);
  const std::string value(static_cast<size_t>(number(options, "size", 100)), 'v');
  options.emplace("linger", "0");
  Deliveries deliveries;
  rd_kafka_t* producer = make_producer(bootstrap, options, &deliveries);
  rd_kafka_topic_t* topic = rd_kafka_topic_new(producer, topic_name.c_str(), nullptr);
  send(producer, topic, value.data(), value.size(), nullptr);
  rd_kafka_flush(producer, 30000);
  const int64_t started = now_ns();
  for (int64_t i = 1; i < total; ++i) {
    const int64_t due = started + i * 1'000'000'000 / rate;
    while (now_ns() < due) rd_kafka_poll(producer, 1);
    send(producer, topic, value.data(), value.size(), nullptr);
  }
  rd_kafka_flush(producer, 60000);
  std::printf("{\"records\": %ld, \"bytes\": %ld, \"seconds\": %.6f, \"errors\": %ld, \"gap\": %.3f}\n", deliveries.ok.load(),
              deliveries.ok.load() * static_cast<int64_t>(value.size()), static_cast<double>(now_ns() - started) / 1e9,
              total - deliveries.ok.load(), static_cast<double>(deliveries.longest.load()) / 1e6);
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(producer);
  return 0;
}

int run_latency(const std::string& bootstrap, const std::string& topic_name, Options options) {
  const int64_t rate = number(options, "rate", 1000);
  const int64_t seconds = number(options, "seconds", 10);
  const auto size = static_cast<size_t>(std::max<int64_t>(16, number(options, "size", 1024)));
  const int64_t total = rate * seconds;
  const int64_t warm_up = std::min<int64_t>(total / 5, rate * 2);
  options.emplace("linger", "0");
  Deliveries deliveries;
  rd_kafka_t* producer = make_producer(bootstrap, options, &deliveries);
  rd_kafka_topic_t* topic = rd_kafka_topic_new(producer, topic_name.c_str(), nullptr);
  rd_kafka_t* consumer = make_consumer(bootstrap, topic_name, false);
  // The consumer must stand at the end before the first record goes out.
  for (int64_t until = now_ns() + 3'000'000'000; now_ns() < until;) {
    if (rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer, 50)) rd_kafka_message_destroy(message);
  }
  std::vector<double> latencies;
  latencies.reserve(static_cast<size_t>(total));
  std::thread receiver([&] {
    int64_t seen = 0;
    for (int64_t last = now_ns(); seen < total && now_ns() - last < 10'000'000'000;) {
      rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer, 100);
      if (!message) continue;
      if (!message->err && message->len >= 16) {
        int64_t due, index;
        std::memcpy(&due, message->payload, 8);
        std::memcpy(&index, static_cast<char*>(message->payload) + 8, 8);
        last = now_ns();
        if (index >= warm_up) latencies.push_back(static_cast<double>(last - due) / 1e6);
        ++seen;
      }
      rd_kafka_message_destroy(message);
    }
  });
  std::string value(size, 'v');
  const int64_t started = now_ns();
  for (int64_t i = 0; i < total; ++i) {
    const int64_t due = started + i * 1'000'000'000 / rate;
    // Sleeps to the point: a generator that spins would take a core from the broker, and real-time scheduling stops who never sleeps.
    rd_kafka_poll(producer, 0);
    if (const int64_t left = due - now_ns(); left > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(left));
    std::memcpy(value.data(), &due, 8);
    std::memcpy(value.data() + 8, &i, 8);
    send(producer, topic, value.data(), size, nullptr);
    rd_kafka_poll(producer, 0);
  }
  rd_kafka_flush(producer, 30000);
  receiver.join();
  std::sort(latencies.begin(), latencies.end());
  const auto at = [&](double q) {
    return latencies.empty() ? -1.0
                             : latencies[std::min(latencies.size() - 1, static_cast<size_t>(q * static_cast<double>(latencies.size())))];
  };
  std::printf("{\"records\": %zu, \"bytes\": %zu, \"seconds\": %.6f, \"errors\": %ld, \"p50\": %.3f, \"p99\": %.3f, \"p999\": %.3f}\n",
              latencies.size(), latencies.size() * size, static_cast<double>(now_ns() - started) / 1e9,
              total - warm_up - static_cast<int64_t>(latencies.size()), at(0.5), at(0.99), at(0.999));
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(producer);
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_TIMERSLACK, 1000);
  if (argc < 4) die("usage: rdload produce|consume|latency|gap BOOTSTRAP TOPIC [name=value...]");
  Options options;
  for (int i = 4; i < argc; ++i) {
    const std::string pair = argv[i];
    const size_t equals = pair.find('=');
    if (equals == std::string::npos) die("not name=value: " + pair);
    options[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  const std::string mode = argv[1];
  if (mode == "produce") return run_produce(argv[2], argv[3], options);
  if (mode == "consume") return run_consume(argv[2], argv[3], options);
  if (mode == "gap") return run_gap(argv[2], argv[3], options);
  if (mode == "latency") return run_latency(argv[2], argv[3], options);
  die("unknown mode " + mode);
}
