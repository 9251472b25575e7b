// Record batches: what a leader does with a produced one (CRC, decompression, the walk over the records), and building one.
// Arguments: codec, bytes per value; batches of 64 KiB before compression.
#include "micro/limits.h"
#include "protocol/batch_validation.h"

namespace samsa::protocol {
namespace {

// A record's length, time, offset, and the lengths of key, value and headers: to load each, compare, branch and go on, and the attributes.
constexpr double kInstructionsPerRecord = 7 * 4;
constexpr size_t kBatchBytes = 65536;

Buffer batch_of(Codec codec, size_t value_size) {
  RecordBatchBuilder builder({.codec = codec, .producer_id = 1, .producer_epoch = 0, .base_sequence = 0});
  Buffer value(value_size);
  uint32_t state = 1;
  for (int64_t i = 0; builder.size() < kBatchBytes; ++i) {
    for (size_t at = 0; at < value.size(); ++at) {
      if (at % 3 == 0) state = state * 1664525 + 1013904223;
      value[at] = static_cast<uint8_t>('a' + (state >> 24) % 20);
    }
    builder.append(1000 + i, as_bytes("key"), value);
  }
  return builder.build().value();
}

void validate(benchmark::State& state) {
  const Buffer batch = batch_of(static_cast<Codec>(state.range(0)), static_cast<size_t>(state.range(1)));
  Scratch scratch;
  const ProduceRules rules{.partition = "t-0", .now = 1000};
  int64_t records = 0;
  for (auto _ : state) {
    const auto valid = validate_for_append(batch, rules, scratch);
    records += valid->record_count;
  }
  state.SetItemsProcessed(records);
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * batch.size()));
  const auto& each = micro::limits();
  const double walk = static_cast<double>(records) / static_cast<double>(state.iterations()) * kInstructionsPerRecord * each.instruction;
  const double crc = static_cast<double>(batch.size()) * each.read_byte;
  if (state.range(0) == 0) return micro::set_limit(state, crc + walk, "reading for the CRC, 28 instructions a record");
  micro::set_limit(state, crc + kBatchBytes * each.copy_byte + walk, "the same, and writing what was compressed");
}
BENCHMARK(validate)->ArgsProduct({{0, 1, 2, 3, 4}, {100, 1024}});

void build(benchmark::State& state) {
  const Buffer value(static_cast<size_t>(state.range(0)), 'x');
  int64_t records = 0;
  RecordBatchBuilder builder;
  for (auto _ : state) {
    while (builder.size() < kBatchBytes) {
      builder.append(1000, as_bytes("key"), value);
      ++records;
    }
    benchmark::DoNotOptimize(builder.build());
  }
  state.SetItemsProcessed(records);
  const auto& each = micro::limits();
  const double walk = static_cast<double>(records) / static_cast<double>(state.iterations()) * kInstructionsPerRecord * each.instruction;
  micro::set_limit(state, kBatchBytes * (each.copy_byte + each.read_byte) + walk, "copying, reading for the CRC, 28 instructions a record");
}
BENCHMARK(build)->Arg(100)->Arg(1024);

}  // namespace
}  // namespace samsa::protocol

SAMSA_MICRO_MAIN()
