// Decoding and encoding of what the produce and fetch roads see: a Produce and a Fetch request, a Fetch response of 50 partitions.
#include <benchmark/benchmark.h>

#include "protocol/api/fetch.h"
#include "protocol/api/metadata.h"
#include "protocol/api/produce.h"
#include "protocol/codec.h"

namespace samsa::protocol {
namespace {

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
void decode_all(benchmark::State& state, const M& message, int16_t version) {
  const Buffer bytes = encode_to_buffer(message, version);
  for (auto _ : state) benchmark::DoNotOptimize(decode<M>(bytes, version));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * bytes.size()));
}
template <class M>
void encode_all(benchmark::State& state, const M& message, int16_t version) {
  for (auto _ : state) {
    Encoder to;
    benchmark::DoNotOptimize(encode(message, version, to));
    benchmark::DoNotOptimize(to.position());
  }
}

void decode_produce(benchmark::State& state) { decode_all(state, produce_request(), kProduceVersion); }
void decode_fetch(benchmark::State& state) { decode_all(state, fetch_request(static_cast<int>(state.range(0))), kFetchVersion); }
void decode_fetch_response(benchmark::State& state) { decode_all(state, fetch_response(50), kFetchVersion); }
void encode_produce(benchmark::State& state) { encode_all(state, produce_request(), kProduceVersion); }
void encode_fetch_response(benchmark::State& state) { encode_all(state, fetch_response(50), kFetchVersion); }

BENCHMARK(decode_produce);
BENCHMARK(decode_fetch)->Arg(1)->Arg(50);
BENCHMARK(decode_fetch_response);
BENCHMARK(encode_produce);
BENCHMARK(encode_fetch_response);

}  // namespace
}  // namespace samsa::protocol

BENCHMARK_MAIN();
