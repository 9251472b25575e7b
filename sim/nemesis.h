// Nemesis: what happens to a cluster while its clients work. Every kind of fault has a name and a rate; a seed draws which kinds its
// run has (few kinds at a time reach further than all at once), when they strike, whom, and how long they last.
//
// The atlas: faults stay within what the replication factor promises to survive. Losing what was not synced, or a disk, may befall one
// broker at a time (min.insync.replicas - 1), while all others are in sync, and no other process dies before it is back in every ISR:
// the controller cannot tell a process that died from a machine that lost its power, and when none is left that ended cleanly, the
// last leader is elected (KIP-966). With samsa.durable.appends power loss harms nobody. A controlled stop
// that takes too long is not cut short meanwhile either. Otherwise processes may die, and in any case
// hang and be cut off, in any number. Bit rot befalls only brokers that are not controllers: their disk is replaced afterwards, as an
// operator would: when others have what it has.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/cluster.h"

namespace samsa::sim {

enum class FaultKind : uint8_t {
  kCrash,         // The process dies and starts again.
  kPower,         // The machine loses its power.
  kTorn,          // The machine loses its power while sectors are written: most of what was not synced is torn.
  kStop,          // A controlled shutdown and a start.
  kPause,         // The processor stands still.
  kClockJump,     // The wall clock jumps.
  kClockDrift,    // Its clocks run fast or slow.
  kIsolate,       // Cut off from everyone, both ways.
  kOneWay,        // What it sends to one other does not arrive.
  kSplit,         // The cluster falls into two halves.
  kReset,         // Connections between two break.
  kFlaky,         // For a while: resets, half-open connections, segments that take very long.
  kHalfOpen,      // For a while: connections die in silence, and one side does not learn of it for long.
  kDelay,         // For a while: every segment takes up to some hundred milliseconds, each its own, so connections overtake each other.
  kSlowDisk,      // For a while: syncs take seconds.
  kDiskError,     // For a while: EIO of reads, writes and syncs on one node.
  kDiskFull,      // ENOSPC on one node, until there is room again.
  kBitRot,        // Bits flip at rest in one broker's records, where the CRC covers them.
  kMisdirected,   // For a while: writes go to another sector on one broker. Only by name: see below.
};

struct FaultRate {
  FaultKind kind;
  std::string_view name;
  double per_minute;  // Of virtual time, when the run has this kind.
  // Beyond what Kafka's format can notice (a batch's base offset and length stand outside of its CRC, and offsets may have gaps), so
  // readers may be told lies: neither "default" nor "all" has it.
  bool beyond = false;
};
inline constexpr FaultRate kFaultRates[] = {
    {FaultKind::kCrash, "crash", 8},         {FaultKind::kPower, "power", 6},
    {FaultKind::kStop, "stop", 4},           {FaultKind::kPause, "pause", 8},
    {FaultKind::kClockJump, "clock-jump", 6}, {FaultKind::kClockDrift, "clock-drift", 6},
    {FaultKind::kIsolate, "isolate", 8},     {FaultKind::kOneWay, "one-way", 10},
    {FaultKind::kSplit, "split", 6},         {FaultKind::kReset, "reset", 20},
    {FaultKind::kFlaky, "flaky", 6},         {FaultKind::kSlowDisk, "slow-disk", 6},
    {FaultKind::kDiskError, "disk-error", 4}, {FaultKind::kDiskFull, "disk-full", 3},
    {FaultKind::kBitRot, "bit-rot", 4},      {FaultKind::kMisdirected, "misdirected", 4, true},
    {FaultKind::kTorn, "torn-write", 4},     {FaultKind::kHalfOpen, "half-open", 4},
    {FaultKind::kDelay, "delay", 5},
};

// Which kinds a run has, at which rate.
struct FaultPlan {
  std::vector<FaultRate> rates;
  [[nodiscard]] std::string to_string() const;
};
// "none"; "all"; "default": a draw of the seed; or "crash,power=20,...": these, at their own rate or so many per minute.
// Nothing where a name is not known.
std::optional<FaultPlan> parse_faults(std::string_view text, io::Random& random);

class Nemesis {
 public:
  Nemesis(SimCluster& cluster, FaultPlan plan, bool durable);

  // Faults come from now on.
  void begin();
  // Does what is due now. To be called every few milliseconds of virtual time.
  void act();
  // Ends every fault: all nodes run, the network is whole, the clocks are right (drift ends; jumps stay). Then act() only starts nodes
  // again that ended by themselves.
  void heal();
  // Faults so far, by name.
  [[nodiscard]] const std::map<std::string_view, int>& count() const { return count_; }
  // What a node may not do: ending by itself without a disk fault. Texts for the report.
  [[nodiscard]] const std::vector<std::string>& unexpected() const { return unexpected_; }
  // The node whose disk tells lies, until it has a new one; -1: none.
  [[nodiscard]] int lying() const { return lies_ ? damaged_ : -1; }

 private:
  struct Later {
    int64_t at_ns;
    uint64_t number;
    std::function<void()> run;
  };
  void strike(FaultKind kind);
  bool strike_process(FaultKind kind, size_t victim);
  bool strike_network(FaultKind kind, size_t victim);
  bool strike_disk(FaultKind kind, size_t victim);
  bool rot(io::sim::SimNode& machine);
  void after(io::Duration low, io::Duration high, std::function<void()> run);
  // Another node than this one has lost data, or may have, and is not in every ISR again.
  [[nodiscard]] bool other_is_damaged(size_t index) const;
  // Whether this node may lose data now; marks it.
  bool may_damage(size_t index);
  void watch_damage();
  void watch_ends();
  void start_again(size_t index);
  void mend_disk(size_t index);
  io::sim::SimWorld& world() { return cluster_.world(); }
  io::Random& random() { return world().random(); }

  SimCluster& cluster_;
  FaultPlan plan_;
  const bool durable_;
  const io::sim::Faults calm_;
  std::vector<int64_t> next_ns_;  // Per rate.
  std::vector<Later> later_;
  uint64_t numbers_ = 0;
  std::map<std::string_view, int> count_;
  std::vector<std::string> unexpected_;
  int damaged_ = -1;
  int damaged_starts_ = 0;    // How often it had started when it was damaged.
  bool replace_ = false;      // Its disk is to be replaced.
  bool lies_ = false;         // What is on its disk may be wrong.
  bool disk_faults_ = false;  // The damaged node's disk misbehaves, or did.
  bool begun_ = false;
  bool healing_ = false;
};

}  // namespace samsa::sim
