// A short run of the fuzzer's body with a fixed seed: good batches of every codec with a few bytes changed, cut or repeated.
#include "protocol/record_batch_fuzz.h"

#include <gtest/gtest.h>

#include <random>

namespace samsa::protocol {
namespace {

std::vector<Buffer> seeds() {
  std::vector<Buffer> all;
  for (const Codec codec : {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    RecordBatchBuilder builder({.codec = codec, .producer_id = 7, .producer_epoch = 0, .base_sequence = 0});
    const HeaderView headers[] = {{"h", as_bytes("v")}, {"n", std::nullopt}};
    for (int i = 0; i < 20; ++i) builder.append(1000 + i, as_bytes("key"), as_bytes("value value value value"), headers);
    all.push_back(builder.build().value());
  }
  all.push_back(transaction_marker_batch({.producer_id = 1, .commit = true}, 0, 0, 5));
  return all;
}

Buffer mutated(const Buffer& from, std::mt19937_64& random) {
  Buffer bytes = from;
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  for (size_t times = 1 + below(4); times > 0 && !bytes.empty(); --times) {
    const size_t at = below(bytes.size());
    switch (below(5)) {
      case 0: bytes[at] = static_cast<uint8_t>(random()); break;
      case 1: bytes[at] ^= static_cast<uint8_t>(1U << below(8)); break;
      case 2: bytes.resize(at); break;
      case 3: bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), static_cast<uint8_t>(random())); break;
      default: bytes[at] = below(2) == 0 ? 0xff : 0x7f; break;
    }
  }
  // Often with a length that fits, to get further.
  if (bytes.size() >= kBatchHeaderSize && below(3) != 0) store_be(bytes.data() + 8, static_cast<int32_t>(bytes.size() - kBatchOverhead));
  return bytes;
}

TEST(RecordBatchFuzz, FixedSeedRun) {
  std::mt19937_64 random(20260717);  // Fixed: the run is the same every time.
  const auto start = seeds();
  for (const auto& seed : start) fuzz_record_batch(seed);
  for (int i = 0; i < 20000; ++i) fuzz_record_batch(mutated(start[static_cast<size_t>(i) % start.size()], random));
}

TEST(RecordBatchFuzz, NoiseAndNothing) {
  std::mt19937_64 random(7);
  fuzz_record_batch({});
  for (int i = 0; i < 3000; ++i) {
    Buffer noise(static_cast<size_t>(random() % 300));
    for (auto& byte : noise) byte = static_cast<uint8_t>(random());
    if (noise.size() > 16) noise[16] = static_cast<uint8_t>(random() % 3);
    fuzz_record_batch(noise);
  }
}

}  // namespace
}  // namespace samsa::protocol
