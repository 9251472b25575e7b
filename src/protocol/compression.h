// Compression of record batches: gzip, snappy (xerial framing), LZ4 frames and Zstandard, as Kafka's clients write and read them.
//
// Whole buffers in, whole buffers out: a batch is at most a few megabytes. Decompression never believes a size that the data states:
// output grows as it is produced and stops at the caller's limit, so a bomb costs no more memory than the limit and gives an error.
// Contexts of the libraries are kept per thread and used again. Pure functions otherwise; any thread may call them.
// Formats: docs/formats/record_batch.md; KIP-110 (zstd), KIP-57 (LZ4 frame checksum), KIP-390 (levels).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace samsa::protocol {

// The numbers are bits 0-2 of a batch's attributes.
enum class Codec : uint8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };

// "none", "gzip", "snappy", "lz4", "zstd": the names that compression.type uses.
std::string_view codec_name(Codec codec);
std::optional<Codec> codec_from_name(std::string_view name);
// The codec of attribute bits 0-2; nothing for the numbers 5 to 7.
std::optional<Codec> codec_from_bits(int bits);

// Levels as Kafka has them. none and snappy take no level.
struct LevelRange {
  int min;
  int max;
  int standard;  // What the codec uses unless told otherwise.
};
LevelRange level_range(Codec codec);
// Asks for the codec's standard level.
inline constexpr int kStandardLevel = INT32_MIN;

// The most that a batch may decompress to unless the caller says otherwise.
inline constexpr size_t kDecompressLimit = 128U << 20;  // Bytes.

// A growing piece of memory for reuse: unlike a Buffer its bytes are not cleared when it grows. Not thread-safe; one per thread or task.
class Scratch {
 public:
  // At least `size` bytes; what was there before is lost unless `keep` bytes of it are asked for.
  uint8_t* reserve(size_t size, size_t keep = 0);
  [[nodiscard]] uint8_t* data() { return memory_.get(); }
  [[nodiscard]] size_t capacity() const { return capacity_; }
  // Gives memory back if more than `size` bytes are held; call after an unusually large batch.
  void shrink(size_t size);

 private:
  std::unique_ptr<uint8_t[]> memory_;
  size_t capacity_ = 0;  // Bytes.
};

// Appends the compressed form of `from` to `to`. kNone copies. The levels outside level_range are clamped.
// Errors: UNKNOWN_SERVER_ERROR with the library's word, which only lack of memory can cause.
Result<void> compress(Codec codec, int level, Bytes from, Buffer& to);

// Decompresses all of `from` into `scratch`; the view is valid until scratch is used again. kNone gives `from` itself.
// Reads what Java reads: several gzip members, xerial-framed and raw snappy, LZ4 frames with Kafka's old wrong header checksum when
// `old_lz4_checksum` is set (magic 0 batches).
// Errors: CORRUPT_MESSAGE for data that is broken or cut short; MESSAGE_TOO_LARGE when there would be more than `limit` bytes.
Result<Bytes> decompress(Codec codec, Bytes from, Scratch& scratch, size_t limit = kDecompressLimit, bool old_lz4_checksum = false);
// The same, appended to a Buffer. `limit` is for what is added.
Result<void> decompress(Codec codec, Bytes from, Buffer& to, size_t limit = kDecompressLimit);

}  // namespace samsa::protocol
