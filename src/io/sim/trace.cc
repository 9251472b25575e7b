#include "io/sim/trace.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace samsa::io::sim {

void Trace::mix(Bytes bytes) {
  mix(bytes.size());
  while (bytes.size() >= 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    mix(word);
    bytes = bytes.subspan(8);
  }
  uint64_t rest = 0;
  if (!bytes.empty()) std::memcpy(&rest, bytes.data(), bytes.size());
  mix(rest);
}

void Trace::event(int64_t at_ns, std::string_view who, const char* what, uint64_t a, uint64_t b, std::string_view text) {
  mix(static_cast<uint64_t>(at_ns));
  mix(as_bytes(who));
  mix(as_bytes(what));
  mix(a);
  mix(b);
  mix(as_bytes(text));
  ++count_;
  if (events_.size() >= keep) events_.pop_front();
  events_.push_back({at_ns, std::string(who), what, a, b, std::string(text)});
}

std::string Trace::recent(size_t lines) const {
  std::string out;
  for (size_t i = events_.size() - std::min(lines, events_.size()); i < events_.size(); ++i) {
    const Event& e = events_[i];
    out += fmt::format("{:.6f} {} {} {} {} {}\n", static_cast<double>(e.at_ns) / 1e9, e.who, e.what, e.a, e.b, e.text);
  }
  return out;
}

}  // namespace samsa::io::sim
