#include "base/crc32c.h"

#include <immintrin.h>

#include <array>

// The folding is Intel's ("Fast CRC Computation for Generic Polynomials Using PCLMULQDQ", 2009): the message is a polynomial; a block of
// it, multiplied by x^T mod P, may be added to the block T bits further on without changing the remainder. Many blocks are folded side by
// side to hide the latency of the multiplication; what remains at the end is 16 bytes, which the CRC instruction finishes.
namespace samsa {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78U;  // CRC-32C, bits reflected.

constexpr std::array<uint32_t, 256> kTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = c & 1 ? kPolynomial ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
  return table;
}();

// x^n mod P, bits reflected.
constexpr uint64_t power_of_x(unsigned n) {
  uint32_t v = 0x80000000U;
  for (unsigned i = 0; i < n; ++i) v = v & 1 ? kPolynomial ^ (v >> 1) : v >> 1;
  return v;
}

// The two factors that fold 16 bytes over a distance: for their first and their last 8 bytes.
struct FoldBy {
  long long first;
  long long last;
};
constexpr FoldBy fold_by(unsigned bytes) {
  return {static_cast<long long>(power_of_x(8 * bytes + 31)), static_cast<long long>(power_of_x(8 * bytes - 33))};
}
constexpr FoldBy kFold16 = fold_by(16);
constexpr FoldBy kFold64 = fold_by(64);
constexpr FoldBy kFold128 = fold_by(128);
constexpr FoldBy kFold256 = fold_by(256);

// The states below are the register's: the complement of a finished CRC.

[[gnu::target("sse4.2")]] uint32_t by_instruction(uint32_t state, const uint8_t* at, size_t left) {
  uint64_t wide = state;
  for (; left >= 8; left -= 8, at += 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  auto narrow = static_cast<uint32_t>(wide);
  for (; left > 0; --left, ++at) narrow = _mm_crc32_u8(narrow, *at);
  return narrow;
}

#define SAMSA_PCLMUL [[gnu::target("sse4.2,pclmul"), gnu::always_inline]] inline

SAMSA_PCLMUL __m128i load128(const uint8_t* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }

SAMSA_PCLMUL __m128i fold128(__m128i block, __m128i factors, __m128i onto) {
  const __m128i first = _mm_clmulepi64_si128(block, factors, 0x00);
  const __m128i last = _mm_clmulepi64_si128(block, factors, 0x11);
  return _mm_xor_si128(_mm_xor_si128(first, last), onto);
}

// Folds the last block over the rest by sixteens, then finishes it and what is shorter.
SAMSA_PCLMUL uint32_t finish(__m128i block, const uint8_t* at, size_t left) {
  const __m128i factors = _mm_set_epi64x(kFold16.last, kFold16.first);
  for (; left >= 16; left -= 16, at += 16) block = fold128(block, factors, load128(at));
  uint64_t state = _mm_crc32_u64(0, static_cast<uint64_t>(_mm_cvtsi128_si64(block)));
  state = _mm_crc32_u64(state, static_cast<uint64_t>(_mm_extract_epi64(block, 1)));
  return by_instruction(static_cast<uint32_t>(state), at, left);
}

// Eight blocks of 16 bytes side by side.
[[gnu::target("sse4.2,pclmul")]] uint32_t by_pclmul(uint32_t state, const uint8_t* at, size_t left) {
  constexpr size_t kLanes = 8;
  constexpr size_t kStep = kLanes * 16;
  if (left < kStep * 2) return by_instruction(state, at, left);
  __m128i lanes[kLanes];
  for (size_t i = 0; i < kLanes; ++i) lanes[i] = load128(at + i * 16);
  lanes[0] = _mm_xor_si128(lanes[0], _mm_cvtsi32_si128(static_cast<int>(state)));
  const __m128i factors = _mm_set_epi64x(kFold128.last, kFold128.first);
  at += kStep;
  left -= kStep;
  for (; left >= kStep; left -= kStep, at += kStep) {
    for (size_t i = 0; i < kLanes; ++i) lanes[i] = fold128(lanes[i], factors, load128(at + i * 16));
  }
  const __m128i joining = _mm_set_epi64x(kFold16.last, kFold16.first);
  __m128i block = lanes[0];
  for (size_t i = 1; i < kLanes; ++i) block = fold128(block, joining, lanes[i]);
  return finish(block, at, left);
}

#define SAMSA_VPCLMUL [[gnu::target("sse4.2,pclmul,avx512f,avx512vl,avx512dq,vpclmulqdq"), gnu::always_inline]] inline

SAMSA_VPCLMUL __m512i load512(const uint8_t* at) { return _mm512_loadu_si512(at); }

SAMSA_VPCLMUL __m512i fold512(__m512i block, __m512i factors, __m512i onto) {
  const __m512i first = _mm512_clmulepi64_epi128(block, factors, 0x00);
  const __m512i last = _mm512_clmulepi64_epi128(block, factors, 0x11);
  return _mm512_ternarylogic_epi64(first, last, onto, 0x96);  // All three by exclusive or.
}

SAMSA_VPCLMUL __m512i factors512(FoldBy by) { return _mm512_broadcast_i64x2(_mm_set_epi64x(by.last, by.first)); }

// Four blocks of 64 bytes side by side.
[[gnu::target("sse4.2,pclmul,avx512f,avx512vl,avx512dq,vpclmulqdq")]] uint32_t by_vpclmul(uint32_t state, const uint8_t* at, size_t left) {
  constexpr size_t kStep = 256;
  if (left < kStep) return by_pclmul(state, at, left);
  const __m512i start = _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(state)));
  __m512i a = _mm512_xor_si512(load512(at), start);
  __m512i b = load512(at + 64);
  __m512i c = load512(at + 128);
  __m512i d = load512(at + 192);
  const __m512i far = factors512(kFold256);
  at += kStep;
  left -= kStep;
  for (; left >= kStep; left -= kStep, at += kStep) {
    a = fold512(a, far, load512(at));
    b = fold512(b, far, load512(at + 64));
    c = fold512(c, far, load512(at + 128));
    d = fold512(d, far, load512(at + 192));
  }
  const __m512i near = factors512(kFold64);
  a = fold512(fold512(fold512(a, near, b), near, c), near, d);
  for (; left >= 64; left -= 64, at += 64) a = fold512(a, near, load512(at));
  const __m128i joining = _mm_set_epi64x(kFold16.last, kFold16.first);
  __m128i block = _mm512_castsi512_si128(a);
  block = fold128(block, joining, _mm512_extracti32x4_epi32(a, 1));
  block = fold128(block, joining, _mm512_extracti32x4_epi32(a, 2));
  block = fold128(block, joining, _mm512_extracti32x4_epi32(a, 3));
  return finish(block, at, left);
}

uint32_t by_table(uint32_t state, const uint8_t* at, size_t left) {
  for (; left > 0; --left, ++at) state = kTable[(state ^ *at) & 0xff] ^ (state >> 8);
  return state;
}

using Form = uint32_t (*)(uint32_t, const uint8_t*, size_t);

bool runs_here(Crc32cForm form) {
  __builtin_cpu_init();
  const bool instruction = __builtin_cpu_supports("sse4.2") != 0;
  const bool pclmul = instruction && __builtin_cpu_supports("pclmul") != 0;
  switch (form) {
    case Crc32cForm::kTable: return true;
    case Crc32cForm::kInstruction: return instruction;
    case Crc32cForm::kPclmul: return pclmul;
    case Crc32cForm::kVpclmul:
      return pclmul && __builtin_cpu_supports("vpclmulqdq") != 0 && __builtin_cpu_supports("avx512f") != 0 &&
             __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0;
  }
  return false;
}

constexpr Form kForms[] = {by_table, by_instruction, by_pclmul, by_vpclmul};

Form best_form() {
  for (const auto form : {Crc32cForm::kVpclmul, Crc32cForm::kPclmul, Crc32cForm::kInstruction}) {
    if (runs_here(form)) return kForms[static_cast<size_t>(form)];
  }
  return by_table;
}

}  // namespace

uint32_t crc32c(Bytes bytes, uint32_t crc) {
  static const Form kBest = best_form();
  return ~kBest(~crc, bytes.data(), bytes.size());
}

uint32_t crc32c_table(Bytes bytes, uint32_t crc) { return ~by_table(~crc, bytes.data(), bytes.size()); }

std::optional<uint32_t> crc32c_by(Crc32cForm form, Bytes bytes, uint32_t crc) {
  if (!runs_here(form)) return std::nullopt;
  return ~kForms[static_cast<size_t>(form)](~crc, bytes.data(), bytes.size());
}

}  // namespace samsa
