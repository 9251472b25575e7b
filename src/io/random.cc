#include "io/random.h"

#include <bit>

#include "base/assert.h"

namespace samsa::io {
namespace {

// SplitMix64: spreads a small seed over the whole state.
uint64_t split_mix(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace

Random::Random(uint64_t seed) {
  for (auto& word : state_) word = split_mix(seed);
}

uint64_t Random::next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

uint64_t Random::below(uint64_t bound) {
  SAMSA_ASSERT(bound > 0);
  // Multiply and shift; the few values that would be a little more likely are drawn again.
  const uint64_t reject = -bound % bound;
  while (true) {
    const auto product = static_cast<unsigned __int128>(next()) * bound;
    if (static_cast<uint64_t>(product) >= reject) return static_cast<uint64_t>(product >> 64);
  }
}

int64_t Random::between(int64_t low, int64_t high) {
  SAMSA_ASSERT(low <= high);
  const uint64_t width = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  if (width == UINT64_MAX) return static_cast<int64_t>(next());
  return static_cast<int64_t>(static_cast<uint64_t>(low) + below(width + 1));
}

bool Random::one_in(uint64_t one_in) { return one_in != 0 && below(one_in) == 0; }

double Random::fraction() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

Uuid Random::uuid() {
  while (true) {
    const uint64_t high = (next() & ~0xf000ULL) | 0x4000ULL;
    const uint64_t low = (next() & ~(3ULL << 62)) | (2ULL << 62);
    constexpr uint64_t kDash = 62;  // The digit '-' of base64url; a leading one reads as a flag on a command line.
    if (high >> 58 != kDash) return {high, low};
  }
}

}  // namespace samsa::io
