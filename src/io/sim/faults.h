// Faults: how hard the simulated world is. Probabilities are per event and may be changed while it runs. The defaults are a network
// with jitter and fragments, and a disk that keeps nothing that was not synced; errors are off.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "io/loop.h"

namespace samsa::io::sim {

struct Faults {
  // Network, per segment or write.
  Duration min_delay = std::chrono::microseconds(50);  // One way, between two nodes.
  Duration max_delay = std::chrono::milliseconds(2);
  double slow = 0;  // A segment that takes up to slow_delay.
  Duration slow_delay = std::chrono::milliseconds(800);
  double fragment = 0.1;                            // A write is cut into pieces that travel by themselves.
  double reset = 0;                                 // The connection breaks during a write; how much of it arrives is open.
  double half_open = 0;                             // The connection dies in silence during a write; a sender learns it after tcp_timeout.
  double silent_crash = 0.3;                        // Peers of a crashed node are not told.
  Duration tcp_timeout = std::chrono::seconds(15);  // How long unacknowledged bytes are sent again.

  // Disk, per call.
  Duration read_time = std::chrono::microseconds(100);
  Duration sync_time = std::chrono::microseconds(500);
  double slow_sync = 0;  // A sync that takes up to slow_sync_time.
  Duration slow_sync_time = std::chrono::seconds(3);
  double standing_write = 0;     // Writes stand: they are not made on the loop, and take up to slow_sync_time / 20.
  double read_error = 0;         // EIO.
  double write_error = 0;        // EIO; a part may have been written.
  double sync_error = 0;         // EIO; what it was to sync may be lost although later syncs succeed.
  double bit_rot = 0;            // A read finds one bit flipped, for good.
  double misdirected_write = 0;  // The bytes go to another sector of the file.

  // Disk, when a node crashes.
  bool power_fails = true;    // At a crash. False: the process dies alone, and what it wrote stays with the operating system, synced or not.
  double lose_sector = 0.5;   // An unsynced sector has its old content.
  double tear_sector = 0.05;  // A part of an unsynced sector has its old content.
  double lose_name = 0.5;     // An unsynced create, rename or remove did not happen, nor later ones in the same directory.
};

// The probabilities by name, for command lines and traces.
struct NamedFault {
  std::string_view name;
  double Faults::* probability;
};
inline constexpr NamedFault kNamedFaults[] = {
    {"slow", &Faults::slow},
    {"fragment", &Faults::fragment},
    {"reset", &Faults::reset},
    {"half-open", &Faults::half_open},
    {"silent-crash", &Faults::silent_crash},
    {"slow-sync", &Faults::slow_sync},
    {"standing-write", &Faults::standing_write},
    {"read-error", &Faults::read_error},
    {"write-error", &Faults::write_error},
    {"sync-error", &Faults::sync_error},
    {"bit-rot", &Faults::bit_rot},
    {"misdirected-write", &Faults::misdirected_write},
    {"lose-sector", &Faults::lose_sector},
    {"tear-sector", &Faults::tear_sector},
    {"lose-name", &Faults::lose_name},
};

}  // namespace samsa::io::sim
