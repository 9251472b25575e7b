#include "protocol/compression.h"

#define XXH_INLINE_ALL
#define ZSTD_STATIC_LINKING_ONLY
#include <fmt/format.h>
#include <libdeflate.h>
#include <lz4frame.h>
#include <snappy.h>
#include <xxhash.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace samsa::protocol {
namespace {

constexpr size_t kScratchKept = 16U << 20;   // Bytes that a scratch may hold on to between batches.
constexpr size_t kXerialBlock = 32U << 10;   // What Java's snappy stream writes per block.
constexpr size_t kXerialHeader = 16;         // Magic 8, version 4, compatible version 4.
constexpr uint8_t kXerialMagic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
constexpr int kGzipStandardLevel = 6;
constexpr int kLz4StandardLevel = 9;         // Stands for the fast compressor, as in Java.
// The most that one compressed byte can become: bounds the memory that a stated size may ask for.
constexpr size_t kDeflateMaxRatio = 1032;
constexpr size_t kLz4MaxRatio = 255;
constexpr size_t kSnappyMaxRatio = 64;

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* what) const {
    Free(what);
  }
};
using GzipCompressor = std::unique_ptr<libdeflate_compressor, Freer<libdeflate_free_compressor>>;
using GzipDecompressor = std::unique_ptr<libdeflate_decompressor, Freer<libdeflate_free_decompressor>>;
using ZstdCompressor = std::unique_ptr<ZSTD_CCtx, Freer<ZSTD_freeCCtx>>;
using ZstdDecompressor = std::unique_ptr<ZSTD_DCtx, Freer<ZSTD_freeDCtx>>;
using Lz4Compressor = std::unique_ptr<LZ4F_cctx, Freer<LZ4F_freeCompressionContext>>;
using Lz4Decompressor = std::unique_ptr<LZ4F_dctx, Freer<LZ4F_freeDecompressionContext>>;

// The libraries' contexts of this thread, made at first use. They hold no state between calls, so no result depends on them.
struct Contexts {
  std::array<GzipCompressor, 13> gzip;
  GzipDecompressor gunzip;
  ZstdCompressor zstd;
  ZstdDecompressor unzstd;
  Lz4Compressor lz4;
  Lz4Decompressor unlz4;
};
Contexts& contexts() {
  thread_local Contexts here;
  return here;
}

std::unexpected<Error> corrupt(std::string_view codec, std::string_view why) {
  return fail(ErrorCode::kCorruptMessage, fmt::format("{} data cannot be decompressed: {}", codec, why));
}
std::unexpected<Error> too_large(std::string_view codec, size_t limit) {
  return fail(ErrorCode::kMessageTooLarge, fmt::format("{} data decompresses to more than {} bytes", codec, limit));
}
std::unexpected<Error> broken_library(std::string_view codec, std::string_view why) {
  return fail(ErrorCode::kUnknownServerError, fmt::format("{} compression failed: {}", codec, why));
}

// Capacity for `wanted` more bytes after `used`, within the limit.
size_t room_for(size_t used, size_t wanted, size_t limit) { return used + std::min(wanted, limit - used); }

Result<void> compress_gzip(int level, Bytes from, Buffer& to) {
  if (level < 1) level = kGzipStandardLevel;
  auto& context = contexts().gzip[static_cast<size_t>(level)];
  if (!context) context.reset(libdeflate_alloc_compressor(level));
  SAMSA_ASSERT(context != nullptr, "no memory for a gzip compressor");
  const size_t at = to.size();
  to.resize(at + libdeflate_gzip_compress_bound(context.get(), from.size()));
  const size_t size = libdeflate_gzip_compress(context.get(), from.data(), from.size(), to.data() + at, to.size() - at);
  if (size == 0) return broken_library("gzip", "no room for the result");
  to.resize(at + size);
  return {};
}

// The uncompressed size that the trailer states (modulo 2^32), made plausible.
size_t gzip_size_hint(Bytes from) {
  uint32_t stated = 0;
  if (from.size() >= 4) std::memcpy(&stated, from.data() + from.size() - 4, 4);
  return std::min<size_t>(std::max<size_t>(stated, 64), from.size() * kDeflateMaxRatio);
}

Result<Bytes> decompress_gzip(Bytes from, Scratch& scratch, size_t limit) {
  auto& context = contexts().gunzip;
  if (!context) context.reset(libdeflate_alloc_decompressor());
  SAMSA_ASSERT(context != nullptr, "no memory for a gzip decompressor");
  size_t used = 0;
  size_t capacity = room_for(0, gzip_size_hint(from), limit);
  scratch.reserve(capacity);
  bool first = true;
  // Members after the first are read as well; what follows them and is no member is left alone, as Java does.
  while (first || (from.size() > 2 && from[0] == 0x1f && from[1] == 0x8b)) {
    size_t consumed = 0;
    size_t produced = 0;
    const auto result = libdeflate_gzip_decompress_ex(context.get(), from.data(), from.size(), scratch.data() + used, capacity - used,
                                                      &consumed, &produced);
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE) {
      if (capacity >= limit) return too_large("gzip", limit);
      capacity = std::min(limit, capacity * 2 + 64);
      scratch.reserve(capacity, used);
      continue;
    }
    if (result != LIBDEFLATE_SUCCESS) return corrupt("gzip", "bad or truncated stream");
    used += produced;
    from = from.subspan(consumed);
    first = false;
  }
  return Bytes{scratch.data(), used};
}

Result<void> compress_snappy(Bytes from, Buffer& to) {
  append(to, kXerialMagic);
  append_be<int32_t>(to, 1);
  append_be<int32_t>(to, 1);
  while (!from.empty()) {
    const Bytes block = from.first(std::min(from.size(), kXerialBlock));
    from = from.subspan(block.size());
    const size_t at = to.size();
    to.resize(at + 4 + snappy::MaxCompressedLength(block.size()));
    size_t size = 0;
    snappy::RawCompress(reinterpret_cast<const char*>(block.data()), block.size(), reinterpret_cast<char*>(to.data() + at + 4), &size);
    store_be(to.data() + at, static_cast<int32_t>(size));
    to.resize(at + 4 + size);
  }
  return {};
}

// One raw snappy block behind the `used` bytes of scratch.
Result<void> decompress_snappy_block(Bytes block, Scratch& scratch, size_t& used, size_t limit) {
  const auto* data = reinterpret_cast<const char*>(block.data());
  size_t size = 0;
  if (!snappy::GetUncompressedLength(data, block.size(), &size)) return corrupt("snappy", "no length");
  if (size > block.size() * kSnappyMaxRatio) return corrupt("snappy", "impossible length");
  if (size > limit - used) return too_large("snappy", limit);
  if (used + size > scratch.capacity()) scratch.reserve(std::max(used + size, std::min(limit, used * 2)), used);
  if (!snappy::RawUncompress(data, block.size(), reinterpret_cast<char*>(scratch.data() + used))) return corrupt("snappy", "bad block");
  used += size;
  return {};
}

bool starts_with_xerial(Bytes from) {
  return from.size() >= sizeof kXerialMagic && std::memcmp(from.data(), kXerialMagic, sizeof kXerialMagic) == 0;
}

Result<Bytes> decompress_snappy(Bytes from, Scratch& scratch, size_t limit) {
  size_t used = 0;
  scratch.reserve(64);
  if (!starts_with_xerial(from)) {
    TRY(decompress_snappy_block(from, scratch, used, limit));
    return Bytes{scratch.data(), used};
  }
  while (!from.empty()) {
    if (starts_with_xerial(from)) {  // Also between blocks: streams may stand one behind the other.
      if (from.size() < kXerialHeader) return corrupt("snappy", "truncated header");
      if (load_be<int32_t>(from.data() + 8) < 1) return corrupt("snappy", "unknown version of the framing");
      from = from.subspan(kXerialHeader);
      continue;
    }
    if (from.size() < 4) return corrupt("snappy", "truncated block length");
    const auto size = load_be<int32_t>(from.data());
    from = from.subspan(4);
    if (size < 0 || static_cast<size_t>(size) > from.size()) return corrupt("snappy", "a block ends behind the data");
    TRY(decompress_snappy_block(from.first(static_cast<size_t>(size)), scratch, used, limit));
    from = from.subspan(static_cast<size_t>(size));
  }
  return Bytes{scratch.data(), used};
}

Result<void> compress_lz4(int level, Bytes from, Buffer& to) {
  auto& context = contexts().lz4;
  if (!context) {
    LZ4F_cctx* fresh = nullptr;
    if (LZ4F_isError(LZ4F_createCompressionContext(&fresh, LZ4F_VERSION)) != 0) return broken_library("lz4", "no memory");
    context.reset(fresh);
  }
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;  // Java reads no other.
  preferences.compressionLevel = level == kLz4StandardLevel ? 0 : std::clamp(level, 3, LZ4F_compressionLevel_max());
  preferences.autoFlush = 1;
  const size_t at = to.size();
  to.resize(at + LZ4F_HEADER_SIZE_MAX + LZ4F_compressBound(from.size(), &preferences));
  size_t used = at;
  const auto step = [&](size_t result) {
    if (LZ4F_isError(result) != 0) return false;
    used += result;
    return true;
  };
  const bool ok = step(LZ4F_compressBegin(context.get(), to.data() + used, to.size() - used, &preferences)) &&
                  step(LZ4F_compressUpdate(context.get(), to.data() + used, to.size() - used, from.data(), from.size(), nullptr)) &&
                  step(LZ4F_compressEnd(context.get(), to.data() + used, to.size() - used, nullptr));
  if (!ok) {
    context.reset();
    to.resize(at);
    return broken_library("lz4", "frame error");
  }
  to.resize(used);
  return {};
}

struct Lz4Header {
  std::array<uint8_t, LZ4F_HEADER_SIZE_MAX> bytes{};
  size_t size = 0;
  size_t content_size = 0;  // 0: not stated.
};

// Reads the frame's header; with `mend` its checksum is made right (Kafka's clients before 0.10 counted it over the wrong bytes).
Result<Lz4Header> lz4_header(Bytes from, bool mend) {
  static constexpr uint8_t kMagic[4] = {0x04, 0x22, 0x4d, 0x18};
  if (from.size() < 7 || std::memcmp(from.data(), kMagic, 4) != 0) return corrupt("lz4", "not a frame");
  const uint8_t flags = from[4];
  if ((flags & 0x20) == 0) return corrupt("lz4", "blocks that depend on each other are not supported");
  Lz4Header header;
  header.size = 7 + ((flags & 0x08) != 0 ? 8 : 0) + ((flags & 0x01) != 0 ? 4 : 0);
  if (from.size() < header.size) return corrupt("lz4", "truncated header");
  std::memcpy(header.bytes.data(), from.data(), header.size);
  if (mend) header.bytes[header.size - 1] = static_cast<uint8_t>(XXH32(header.bytes.data() + 4, header.size - 5, 0) >> 8);
  if ((flags & 0x08) != 0) {
    uint64_t stated = 0;
    std::memcpy(&stated, from.data() + 6, 8);
    header.content_size = static_cast<size_t>(std::min<uint64_t>(stated, from.size() * kLz4MaxRatio));
  }
  return header;
}

Result<Bytes> decompress_lz4(Bytes from, Scratch& scratch, size_t limit, bool old_checksum) {
  auto& context = contexts().unlz4;
  if (!context) {
    LZ4F_dctx* fresh = nullptr;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&fresh, LZ4F_VERSION)) != 0) return broken_library("lz4", "no memory");
    context.reset(fresh);
  }
  LZ4F_resetDecompressionContext(context.get());
  TRY_ASSIGN(const auto header, lz4_header(from, old_checksum));
  size_t header_size = header.size;
  size_t nothing = 0;
  size_t result = LZ4F_decompress(context.get(), nullptr, &nothing, header.bytes.data(), &header_size, nullptr);
  if (LZ4F_isError(result) != 0) return corrupt("lz4", LZ4F_getErrorName(result));
  from = from.subspan(header_size);

  size_t used = 0;
  const size_t guess = std::max<size_t>({header.content_size, from.size() * 4, 64U << 10});
  size_t capacity = room_for(0, guess, limit);
  scratch.reserve(capacity);
  LZ4F_decompressOptions_t options{};
  options.stableDst = 1;
  while (result != 0) {
    size_t produced = capacity - used;
    size_t consumed = from.size();
    result = LZ4F_decompress(context.get(), scratch.data() + used, &produced, from.data(), &consumed, &options);
    if (LZ4F_isError(result) != 0) return corrupt("lz4", LZ4F_getErrorName(result));
    used += produced;
    from = from.subspan(consumed);
    if (result == 0 || produced > 0 || consumed > 0) continue;
    if (used < capacity) return corrupt("lz4", "truncated frame");
    if (capacity >= limit) return too_large("lz4", limit);
    capacity = std::min(limit, capacity * 2);
    scratch.reserve(capacity, used);
  }
  return Bytes{scratch.data(), used};
}

Result<void> compress_zstd(int level, Bytes from, Buffer& to) {
  auto& context = contexts().zstd;
  if (!context) context.reset(ZSTD_createCCtx());
  SAMSA_ASSERT(context != nullptr, "no memory for a zstd compressor");
  const size_t at = to.size();
  to.resize(at + ZSTD_compressBound(from.size()));
  const size_t size = ZSTD_compressCCtx(context.get(), to.data() + at, to.size() - at, from.data(), from.size(), level);
  if (ZSTD_isError(size) != 0) {
    to.resize(at);
    return broken_library("zstd", ZSTD_getErrorName(size));
  }
  to.resize(at + size);
  return {};
}

Result<Bytes> decompress_zstd(Bytes from, Scratch& scratch, size_t limit) {
  auto& context = contexts().unzstd;
  if (!context) context.reset(ZSTD_createDCtx());
  SAMSA_ASSERT(context != nullptr, "no memory for a zstd decompressor");
  // The bound comes from the block headers, so it is there also for streams, which do not state their size.
  const auto bound = ZSTD_decompressBound(from.data(), from.size());
  if (bound == ZSTD_CONTENTSIZE_ERROR) return corrupt("zstd", "bad or truncated frame");
  const size_t capacity = room_for(0, static_cast<size_t>(bound), limit);
  scratch.reserve(std::max<size_t>(capacity, 1));
  const size_t size = ZSTD_decompressDCtx(context.get(), scratch.data(), capacity, from.data(), from.size());
  if (ZSTD_isError(size) != 0) {
    if (ZSTD_getErrorCode(size) == ZSTD_error_dstSize_tooSmall && bound > limit) return too_large("zstd", limit);
    return corrupt("zstd", ZSTD_getErrorName(size));
  }
  return Bytes{scratch.data(), size};
}

}  // namespace

std::string_view codec_name(Codec codec) {
  static constexpr std::string_view kNames[] = {"none", "gzip", "snappy", "lz4", "zstd"};
  return kNames[static_cast<size_t>(codec)];
}

std::optional<Codec> codec_from_name(std::string_view name) {
  for (int bits = 0; bits <= 4; ++bits) {
    if (codec_name(static_cast<Codec>(bits)) == name) return static_cast<Codec>(bits);
  }
  return std::nullopt;
}

std::optional<Codec> codec_from_bits(int bits) {
  if (bits < 0 || bits > 4) return std::nullopt;
  return static_cast<Codec>(bits);
}

LevelRange level_range(Codec codec) {
  switch (codec) {
    case Codec::kGzip: return {1, 9, -1};
    case Codec::kLz4: return {1, 17, kLz4StandardLevel};
    case Codec::kZstd: return {ZSTD_minCLevel(), ZSTD_maxCLevel(), 3};
    default: return {0, 0, 0};
  }
}

uint8_t* Scratch::reserve(size_t size, size_t keep) {
  if (size <= capacity_) return memory_.get();
  auto fresh = std::make_unique_for_overwrite<uint8_t[]>(size);
  if (keep > 0) std::memcpy(fresh.get(), memory_.get(), keep);
  memory_ = std::move(fresh);
  capacity_ = size;
  return memory_.get();
}

void Scratch::shrink(size_t size) {
  if (capacity_ <= size) return;
  memory_.reset();
  capacity_ = 0;
}

Result<void> compress(Codec codec, int level, Bytes from, Buffer& to) {
  const auto range = level_range(codec);
  if (level == kStandardLevel) {
    level = range.standard;
  } else if (level != range.standard) {
    level = std::clamp(level, range.min, range.max);
  }
  switch (codec) {
    case Codec::kNone: append(to, from); return {};
    case Codec::kGzip: return compress_gzip(level, from, to);
    case Codec::kSnappy: return compress_snappy(from, to);
    case Codec::kLz4: return compress_lz4(level, from, to);
    case Codec::kZstd: return compress_zstd(level, from, to);
  }
  return fail(ErrorCode::kUnsupportedCompressionType);
}

Result<Bytes> decompress(Codec codec, Bytes from, Scratch& scratch, size_t limit, bool old_lz4_checksum) {
  if (codec != Codec::kNone) scratch.shrink(kScratchKept);
  switch (codec) {
    case Codec::kNone:
      if (from.size() > limit) return too_large("uncompressed", limit);
      return from;
    case Codec::kGzip: return decompress_gzip(from, scratch, limit);
    case Codec::kSnappy: return decompress_snappy(from, scratch, limit);
    case Codec::kLz4: return decompress_lz4(from, scratch, limit, old_lz4_checksum);
    case Codec::kZstd: return decompress_zstd(from, scratch, limit);
  }
  return fail(ErrorCode::kUnsupportedCompressionType);
}

Result<void> decompress(Codec codec, Bytes from, Buffer& to, size_t limit) {
  Scratch scratch;
  TRY_ASSIGN(const Bytes plain, decompress(codec, from, scratch, limit));
  append(to, plain);
  return {};
}

}  // namespace samsa::protocol
