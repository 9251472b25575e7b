#include "io/real/write_watch.h"

#include <sys/resource.h>

namespace samsa::io::real {
namespace {

// How often this thread has given up its processor to wait for something.
long voluntary_switches() {
  rusage usage{};
  return ::getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nvcsw : 0;
}

}  // namespace

WriteWatch::Look::Look(WriteWatch& watch, size_t bytes) : watch_(bytes > kSmallBytes ? &watch : nullptr) {
  if (watch_ == nullptr) return;
  began_ = Clock::now();
  if (began_ < watch_->suspicious_until_) switches_ = voluntary_switches();
}

WriteWatch::Look::~Look() {
  if (watch_ == nullptr) return;
  const auto ended = Clock::now();
  if (ended - began_ < kLong) return;
  watch_->suspicious_until_ = ended + kSuspicion;
  if (switches_ >= 0 && voluntary_switches() != switches_) watch_->standing_until_ = ended + kStanding;
}

WriteWatch::Elsewhere::Elsewhere(bool& stood) : stood_(stood), began_(Clock::now()), switches_(voluntary_switches()) {}

WriteWatch::Elsewhere::~Elsewhere() { stood_ = Clock::now() - began_ >= kLong && voluntary_switches() != switches_; }

void WriteWatch::note(bool stood) {
  if (stood) standing_until_ = Clock::now() + kStanding;
}

}  // namespace samsa::io::real
