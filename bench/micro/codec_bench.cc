// Decoding and encoding: the request and the response of every API, filled evenly, and those that the produce and fetch roads see as
// they see them. The limit beside each: what its fields, bytes and arrays cost at the very least.
#include <map>

#include "micro/limits.h"
#include "protocol/api/fetch.h"
#include "protocol/api/metadata.h"
#include "protocol/api/produce.h"
#include "protocol/api_table.h"
#include "protocol/codec.h"
#include "protocol/random_message.h"

namespace samsa::protocol {
namespace {

// To load a field, compare, branch, store it and go on.
constexpr double kInstructionsPerField = 5;
constexpr size_t kElements = 4;
constexpr int kDeepest = 3;  // Arrays that lie deeper have one element.

void* at_offset(void* base, size_t offset) { return static_cast<char*>(base) + offset; }

// What a message has in it.
struct Content {
  size_t fields = 0, arrays = 0;
};

// Walks a message: counts what it has, and fills it before, if asked to.
class Walk {
 public:
  Walk(int16_t version, bool fill) : version_(version), fill_(fill) {}

  Content content;
  void walk(const StructTable& table, void* object, int depth = 0) {
    for (const auto& field : table.fields) {
      if (field.in(version_) && field.tag < 0) walk_field(field, at_offset(object, field.offset), depth);
    }
  }

 private:
  void walk_field(const FieldTable& field, void* to, int depth) {
    ++content.fields;
    if (field.optional) to = fill_ ? field.optional->emplace(to) : const_cast<void*>(field.optional->get(to));
    if (!to) return;
    if (!field.array) return walk_value(field, to, depth);
    if (fill_) field.array->resize(to, depth < kDeepest ? kElements : 1);
    const size_t count = field.array->size(to);
    content.arrays += count > 0;
    auto* element = static_cast<char*>(const_cast<void*>(field.array->data(to)));
    for (size_t i = 0; i < count; ++i) walk_value(field, element + i * field.array->element_size, depth);
  }
  void walk_value(const FieldTable& field, void* to, int depth) {
    if (field.array) ++content.fields;
    if (field.kind == Kind::kStruct) return walk(*field.type, to, depth + 1);
    if (!fill_) return;
    if (field.kind == Kind::kString) *static_cast<Text*>(to) = Text("some-name");
    if (field.kind == Kind::kBytes) *static_cast<Blob*>(to) = Blob(Buffer(16, 7));
    if (field.kind == Kind::kRecords) *static_cast<Records*>(to) = Records::of(Blob(Buffer(1000, 7)));
  }

  int16_t version_;
  bool fill_;
};

// Bytes of records lie where they are: a decoded message views them, an encoded one names them or copies them once.
void set_limit(benchmark::State& state, const Content& content, size_t bytes, bool decoding) {
  const auto& each = micro::limits();
  double least = static_cast<double>(content.fields) * kInstructionsPerField * each.instruction;
  std::string what = std::to_string(bytes) + " bytes, " + std::to_string(content.fields) + " fields";
  if (decoding) {
    least += static_cast<double>(1 + content.arrays) * each.allocation;
    what += ", " + std::to_string(content.arrays) + " arrays";
  } else {
    least += static_cast<double>(bytes) * each.copy_byte + each.allocation;
  }
  micro::set_limit(state, least, what);
}

void decode_one(benchmark::State& state, const MessageTable& table, const Content& content, const Buffer& bytes, int16_t version) {
  for (auto _ : state) {
    AnyMessage message(table);
    benchmark::DoNotOptimize(decode_message(table, message.object, bytes, version));
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * bytes.size()));
  set_limit(state, content, bytes.size(), true);
}
void encode_one(benchmark::State& state, const MessageTable& table, const Content& content, const void* message, size_t bytes,
                int16_t version) {
  for (auto _ : state) {
    Encoder to;
    benchmark::DoNotOptimize(encode_message(table, message, version, to));
    benchmark::DoNotOptimize(to.position());
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * bytes));
  set_limit(state, content, bytes, false);
}

Buffer encoded(const MessageTable& table, const void* message, int16_t version) {
  Encoder to;
  SAMSA_ASSERT(encode_message(table, message, version, to).has_value());
  return to.take();
}

void of_a_table(benchmark::State& state, const MessageTable& table, int16_t version, bool decoding) {
  AnyMessage message(table);
  Walk walk(version, true);
  walk.walk(table.fields, message.object);
  const Buffer bytes = encoded(table, message.object, version);
  if (decoding) return decode_one(state, table, walk.content, bytes, version);
  encode_one(state, table, walk.content, message.object, bytes.size(), version);
}

void register_every_api() {
  std::map<std::pair<int16_t, MessageKind>, const MessageTable*> messages;
  for (const auto* table : all_messages()) {
    if (table->kind == MessageKind::kRequest || table->kind == MessageKind::kResponse) messages[{table->key, table->kind}] = table;
  }
  for (const auto& [key, table] : messages) {
    const ApiInfo* api = find_api(key.first);
    if (!api) continue;
    for (const bool decoding : {true, false}) {
      const std::string name = std::string(decoding ? "decode/" : "encode/") + table->name() + "/v" + std::to_string(api->max_stable());
      const int16_t version = api->max_stable();
      const auto run = [message = table, version, decoding](benchmark::State& state) { of_a_table(state, *message, version, decoding); };
      benchmark::RegisterBenchmark(name.c_str(), run)->MinTime(0.02);
    }
  }
}

// The hot ones.

constexpr int16_t kProduceVersion = 12;
constexpr int16_t kFetchVersion = 17;

ProduceRequest produce_request() {
  ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 30000;
  auto& topic = request.topic_data.emplace_back();
  topic.name = "some-topic";
  topic.partition_data.emplace_back().records = Records::of(Blob(Buffer(1000, 7)));
  return request;
}

FetchRequest fetch_request(int partitions) {
  FetchRequest request;
  auto& topic = request.topics.emplace_back();
  topic.topic_id = {1, 2};
  for (int i = 0; i < partitions; ++i) {
    auto& partition = topic.partitions.emplace_back();
    partition.partition = i;
    partition.fetch_offset = 1000 + i;
    partition.partition_max_bytes = 1 << 20;
  }
  return request;
}

FetchResponse fetch_response(int partitions) {
  FetchResponse response;
  auto& topic = response.responses.emplace_back();
  topic.topic_id = {1, 2};
  for (int i = 0; i < partitions; ++i) {
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = i;
    partition.records = Records::of(Blob(Buffer(100, 7)));
  }
  return response;
}

template <class M>
void of_a_message(benchmark::State& state, M message, int16_t version, bool decoding) {
  Walk walk(version, false);
  walk.walk(M::table().fields, &message);
  const Buffer bytes = encoded(M::table(), &message, version);
  if (decoding) return decode_one(state, M::table(), walk.content, bytes, version);
  encode_one(state, M::table(), walk.content, &message, bytes.size(), version);
}

void decode_produce(benchmark::State& state) { of_a_message(state, produce_request(), kProduceVersion, true); }
void decode_fetch(benchmark::State& state) { of_a_message(state, fetch_request(static_cast<int>(state.range(0))), kFetchVersion, true); }
void decode_fetch_response(benchmark::State& state) { of_a_message(state, fetch_response(50), kFetchVersion, true); }
void encode_produce(benchmark::State& state) { of_a_message(state, produce_request(), kProduceVersion, false); }
void encode_fetch_response(benchmark::State& state) { of_a_message(state, fetch_response(50), kFetchVersion, false); }

BENCHMARK(decode_produce);
BENCHMARK(decode_fetch)->Arg(1)->Arg(50);
BENCHMARK(decode_fetch_response);
BENCHMARK(encode_produce);
BENCHMARK(encode_fetch_response);

}  // namespace
}  // namespace samsa::protocol

int main(int argc, char** argv) {
  samsa::protocol::register_every_api();
  return samsa::micro::run_all(argc, argv);
}
