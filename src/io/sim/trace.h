// Trace: the digest of everything that happens in a simulated world, and the latest events in words. Two runs with the same digest
// did the same, byte for byte: every turn, every byte on the wire and on disk goes into it.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace samsa::io::sim {

class Trace {
 public:
  // How many of the latest events stay in words.
  size_t keep = 5000;

  // Into the digest only.
  void mix(uint64_t value) {
    digest_ = (digest_ ^ value) * 0x9fb21c651e98df25ULL;
    digest_ ^= digest_ >> 32;
  }
  void mix(Bytes bytes);
  // Into the digest and the list of events: who did what, with two numbers.
  void event(int64_t at_ns, std::string_view who, const char* what, uint64_t a = 0, uint64_t b = 0, std::string_view text = {});

  [[nodiscard]] uint64_t digest() const { return digest_; }
  [[nodiscard]] uint64_t events() const { return count_; }
  // The latest events, oldest first, a line each: "12.345678 node what a b text".
  [[nodiscard]] std::string recent(size_t lines = 200) const;

 private:
  struct Event {
    int64_t at_ns;
    std::string who;
    const char* what;
    uint64_t a;
    uint64_t b;
    std::string text;
  };
  uint64_t digest_ = 0x243f6a8885a308d3ULL;
  uint64_t count_ = 0;
  std::deque<Event> events_;
};

}  // namespace samsa::io::sim
