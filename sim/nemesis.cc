#include "sim/nemesis.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "protocol/record_batch.h"

namespace samsa::sim {
namespace {

using namespace std::chrono_literals;

// Time to the next event of so many per minute, in nanoseconds.
int64_t draw_gap(io::Random& random, double per_minute) {
  const double u = std::max(1e-9, 1.0 - random.fraction());
  return static_cast<int64_t>(-std::log(u) * 60e9 / per_minute);
}

const FaultRate* find_rate(std::string_view name) {
  const auto* found = std::find_if(std::begin(kFaultRates), std::end(kFaultRates), [&](const FaultRate& rate) { return rate.name == name; });
  return found == std::end(kFaultRates) ? nullptr : found;
}

std::string_view name_of(FaultKind kind) {
  for (const auto& rate : kFaultRates) {
    if (rate.kind == kind) return rate.name;
  }
  return "?";
}

}  // namespace

std::string FaultPlan::to_string() const {
  if (rates.empty()) return "none";
  std::string text;
  for (const auto& rate : rates) text += fmt::format("{}{}={:g}", text.empty() ? "" : ",", rate.name, rate.per_minute);
  return text;
}

std::optional<FaultPlan> parse_faults(std::string_view text, io::Random& random) {
  FaultPlan plan;
  if (text == "none") return plan;
  if (text == "all" || text == "default") {
    for (const auto& rate : kFaultRates) {
      const bool drawn = text == "all" || random.one_in(3);
      if (drawn && !rate.beyond) plan.rates.push_back(rate);
    }
    return plan;
  }
  while (!text.empty()) {
    const size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    const size_t equals = part.find('=');
    const FaultRate* known = find_rate(part.substr(0, equals));
    if (known == nullptr) return std::nullopt;
    FaultRate rate = *known;
    if (equals != std::string_view::npos) {
      const std::string_view number = part.substr(equals + 1);
      const auto parsed = std::from_chars(number.data(), number.data() + number.size(), rate.per_minute);
      if (parsed.ec != std::errc{} || parsed.ptr != number.data() + number.size() || rate.per_minute <= 0) return std::nullopt;
    }
    plan.rates.push_back(rate);
  }
  return plan;
}

Nemesis::Nemesis(SimCluster& cluster, FaultPlan plan, bool durable)
    : cluster_(cluster), plan_(std::move(plan)), durable_(durable), calm_(cluster.world().faults()) {}

void Nemesis::begin() {
  begun_ = true;
  for (const auto& rate : plan_.rates) next_ns_.push_back(cluster_.now_ns() + draw_gap(random(), rate.per_minute));
}

void Nemesis::after(io::Duration low, io::Duration high, std::function<void()> run) {
  later_.push_back({cluster_.now_ns() + random().between(low.count(), high.count()), ++numbers_, std::move(run)});
}

void Nemesis::act() {
  watch_damage();
  watch_ends();
  std::vector<Later> due;
  for (auto& later : later_) {
    if (later.at_ns <= cluster_.now_ns()) due.push_back(std::move(later));
  }
  std::erase_if(later_, [](const Later& later) { return !later.run; });
  std::sort(due.begin(), due.end(), [](const Later& a, const Later& b) { return std::tie(a.at_ns, a.number) < std::tie(b.at_ns, b.number); });
  for (auto& later : due) later.run();
  if (!begun_ || healing_) return;
  for (size_t i = 0; i < plan_.rates.size(); ++i) {
    if (next_ns_[i] > cluster_.now_ns()) continue;
    next_ns_[i] = cluster_.now_ns() + draw_gap(random(), plan_.rates[i].per_minute);
    strike(plan_.rates[i].kind);
  }
}

void Nemesis::strike(FaultKind kind) {
  const auto victim = static_cast<size_t>(random().below(cluster_.size()));
  bool done = false;
  switch (kind) {
    case FaultKind::kCrash:
    case FaultKind::kPower:
    case FaultKind::kTorn:
    case FaultKind::kStop:
    case FaultKind::kPause:
    case FaultKind::kClockJump:
    case FaultKind::kClockDrift:
      done = strike_process(kind, victim);
      break;
    case FaultKind::kIsolate:
    case FaultKind::kOneWay:
    case FaultKind::kSplit:
    case FaultKind::kReset:
    case FaultKind::kFlaky:
    case FaultKind::kHalfOpen:
    case FaultKind::kDelay:
      done = strike_network(kind, victim);
      break;
    case FaultKind::kSlowDisk:
    case FaultKind::kDiskError:
    case FaultKind::kDiskFull:
    case FaultKind::kBitRot:
    case FaultKind::kMisdirected:
      done = strike_disk(kind, victim);
      break;
  }
  if (!done) return;
  ++count_[name_of(kind)];
  world().note(cluster_.member(victim).machine->name(), fmt::format("nemesis: {}", name_of(kind)));
}

bool Nemesis::strike_process(FaultKind kind, size_t victim) {
  Member& member = cluster_.member(victim);
  if (!member.machine->up() || member.paused || member.stopping) return false;
  switch (kind) {
    case FaultKind::kCrash:
    case FaultKind::kPower:
    case FaultKind::kTorn:
      if (kind != FaultKind::kCrash && !durable_ && !may_damage(victim)) return false;
      if (other_is_damaged(victim)) return false;
      cluster_.crash(victim, kind == FaultKind::kCrash ? CrashKind::kProcess : (kind == FaultKind::kTorn ? CrashKind::kTorn : CrashKind::kPower));
      after(100ms, random().one_in(3) ? 8s : 1s, [this, victim] { start_again(victim); });
      return true;
    case FaultKind::kStop:
      if (!member.serves()) return false;
      cluster_.stop(victim);
      after(8s, 12s, [this, victim] { start_again(victim); });
      return true;
    case FaultKind::kPause:
      cluster_.pause(victim);
      after(100ms, 6s, [this, victim] {
        if (cluster_.member(victim).paused) cluster_.resume(victim);
      });
      return true;
    case FaultKind::kClockJump:
      world().jump_wall_clock(*member.machine, std::chrono::milliseconds(random().between(-600'000, 600'000)));
      return true;
    case FaultKind::kClockDrift:
      world().set_clock_drift(*member.machine, random().between(-100'000, 100'000));
      return true;
    default: return false;
  }
}

bool Nemesis::strike_network(FaultKind kind, size_t victim) {
  auto& machine = *cluster_.member(victim).machine;
  const auto other = static_cast<size_t>(random().below(cluster_.size()));
  auto& peer = *cluster_.member(other).machine;
  switch (kind) {
    case FaultKind::kIsolate:
      world().isolate(machine);
      if (random().one_in(2)) world().heal(machine, cluster_.client());  // Clients still reach it.
      break;
    case FaultKind::kOneWay:
      if (other == victim) return false;
      world().block(machine, peer);
      break;
    case FaultKind::kSplit:
      for (size_t i = 0; i < cluster_.size(); ++i) {
        for (size_t j = i + 1; j < cluster_.size(); ++j) {
          if (i % 2 != j % 2) world().partition(*cluster_.member(i).machine, *cluster_.member(j).machine);
        }
      }
      break;
    case FaultKind::kReset:
      world().reset_connections(machine, random().one_in(3) ? cluster_.client() : peer);
      return true;
    case FaultKind::kFlaky: {
      auto& faults = world().faults();
      faults.reset = 0.01;
      faults.half_open = random().one_in(2) ? 0.002 : 0;
      faults.slow = 0.05;
      faults.fragment = 0.3;
      after(500ms, 8s, [this] {
        auto& now = world().faults();
        now.reset = calm_.reset;
        now.half_open = calm_.half_open;
        now.slow = calm_.slow;
        now.fragment = calm_.fragment;
      });
      return true;
    }
    case FaultKind::kHalfOpen:
      world().faults().half_open = 0.005;
      after(500ms, 5s, [this] { world().faults().half_open = calm_.half_open; });
      return true;
    case FaultKind::kDelay:
      world().faults().max_delay = std::chrono::milliseconds(random().between(10, 400));
      after(500ms, 8s, [this] { world().faults().max_delay = calm_.max_delay; });
      return true;
    default: return false;
  }
  after(200ms, 8s, [this] { world().heal_all(); });
  return true;
}

bool Nemesis::strike_disk(FaultKind kind, size_t victim) {
  Member& member = cluster_.member(victim);
  auto& machine = *member.machine;
  if (kind == FaultKind::kSlowDisk) {
    world().faults().slow_sync = 0.1;
    world().faults().standing_write = 0.5;
    after(500ms, 6s, [this] {
      world().faults().slow_sync = calm_.slow_sync;
      world().faults().standing_write = calm_.standing_write;
    });
    return true;
  }
  if (kind == FaultKind::kDiskFull) {  // The process may end of it.
    if (!member.serves() || !may_damage(victim)) return false;
    machine.files().capacity_bytes = machine.files().used_bytes() + static_cast<uint64_t>(random().between(0, 20'000));
    after(1s, 8s, [this, &machine] {
      machine.files().capacity_bytes = 1ULL << 40;
      --damaged_starts_;  // It need not have ended.
    });
    return true;
  }
  const bool rots = kind != FaultKind::kDiskError;
  if (rots && member.controller()) return false;
  if (!member.serves() || !may_damage(victim)) return false;
  disk_faults_ = true;
  replace_ = replace_ || rots;
  lies_ = lies_ || rots;
  io::sim::Faults own = world().faults();
  if (kind == FaultKind::kDiskError) {
    own.read_error = 0.005;
    own.write_error = 0.01;
    own.sync_error = 0.05;
  } else if (kind == FaultKind::kMisdirected) {
    own.misdirected_write = 0.02;
  }
  machine.host().disk_faults = own;
  if (kind == FaultKind::kBitRot) rot(machine);
  after(500ms, 5s, [this, victim] { mend_disk(victim); });
  return true;
}

// Its operator starts it anew, on a new disk where the old one told lies. An old disk that has the only copy stays until there is another.
void Nemesis::mend_disk(size_t index) {
  auto& machine = *cluster_.member(index).machine;
  machine.host().disk_faults.reset();
  if (replace_ && cluster_.alone_in_sync(index)) {
    if (!machine.up()) cluster_.restart(index);
    after(200ms, 1s, [this, index] { mend_disk(index); });
    return;
  }
  if (machine.up()) cluster_.crash(index);
  start_again(index);
}

// Flips a few bits in the records of the machine's logs, each behind the header of some batch.
bool Nemesis::rot(io::sim::SimNode& machine) {
  const auto data = machine.files().find("/data");
  std::vector<std::shared_ptr<io::sim::Inode>> files;
  for (const auto& [directory, inode] : data->entries) {
    if (!inode->directory || directory.starts_with("__cluster_metadata")) continue;
    for (const auto& [name, file] : inode->entries) {
      if (name.ends_with(".log") && file->file.bytes().size() > protocol::kBatchHeaderSize) files.push_back(file);
    }
  }
  for (int64_t left = files.empty() ? 0 : random().between(1, 5); left > 0; --left) {
    auto& content = files[random().below(files.size())]->file;
    const uint64_t wanted = random().below(content.bytes().size());
    uint64_t at = 0;
    while (true) {  // To the batch in which that byte stands.
      const uint64_t length = 12 + static_cast<uint64_t>(load_be<uint32_t>(content.bytes().data() + at + 8));
      if (at + length > content.bytes().size()) break;
      if (wanted < at + length) {
        const uint64_t covered = std::max(wanted, at + 21);  // Offset, length, epoch, magic and CRC come first.
        if (covered < at + length) content.flip_bit(covered, static_cast<int>(random().below(8)));
        break;
      }
      at += length;
      if (at + protocol::kBatchHeaderSize > content.bytes().size()) break;
    }
  }
  return !files.empty();
}

bool Nemesis::other_is_damaged(size_t index) const { return damaged_ >= 0 && static_cast<size_t>(damaged_) != index; }

bool Nemesis::may_damage(size_t index) {
  if (other_is_damaged(index)) return false;
  if (damaged_ < 0 && !cluster_.whole()) return false;
  damaged_ = static_cast<int>(index);
  damaged_starts_ = cluster_.member(index).starts;
  return true;
}

// The damage is over when the node came up again and everything is in sync; a disk that only failed for a while counts as mended when
// its node was started anew.
void Nemesis::watch_damage() {
  if (damaged_ < 0) return;
  const Member& member = cluster_.member(static_cast<size_t>(damaged_));
  if (disk_faults_ && member.machine->host().disk_faults) return;
  if (!member.serves() || member.starts <= damaged_starts_ || !cluster_.whole()) return;
  damaged_ = -1;
  disk_faults_ = replace_ = false;
}

// A process that ended by itself is dead from then on, and its supervisor starts it again.
void Nemesis::watch_ends() {
  for (size_t i = 0; i < cluster_.size(); ++i) {
    Member& member = cluster_.member(i);
    if (!member.ended || !member.machine->up() || member.paused) continue;
    const std::string why = *member.ended;
    const bool disk = (disk_faults_ && static_cast<size_t>(damaged_) == i) || member.machine->files().capacity_bytes < (1ULL << 40);
    // A node gives up its start when it finds no controller for long; that is what its registration timeout is for.
    const bool waited = why.find("timed out") != std::string::npos || why.find("REQUEST_TIMED_OUT") != std::string::npos;
    if (!disk && !waited && !member.stopping) unexpected_.push_back(fmt::format("n{} ended: {}", member.id, why));
    const bool keep_down = member.stopping && !healing_;
    cluster_.crash(i);
    member.ended = why;
    world().note(member.machine->name(), "ended: " + why);
    if (!keep_down) after(200ms, 1s, [this, i] { start_again(i); });
  }
}

void Nemesis::start_again(size_t index) {
  Member& member = cluster_.member(index);
  const bool to_replace = replace_ && damaged_ == static_cast<int>(index) && !member.machine->host().disk_faults && !cluster_.alone_in_sync(index);
  if (member.serves() && !member.stopping && !to_replace) return;
  if (member.machine->up() && !member.stopping && !member.ended && !to_replace) return;  // It is starting.
  if (member.stopping && !member.ended && member.machine->up() && other_is_damaged(index)) {  // To kill it now would be one death too many.
    after(200ms, 1s, [this, index] { start_again(index); });
    return;
  }
  if (member.machine->up()) cluster_.crash(index);
  if (to_replace) {
    cluster_.replace_disk(index);
    replace_ = lies_ = false;
    damaged_starts_ = member.starts;
    world().note(member.machine->name(), "nemesis: a new disk");
  }
  cluster_.restart(index);
}

void Nemesis::heal() {
  healing_ = true;
  later_.clear();
  world().heal_all();
  world().faults() = calm_;
  for (size_t i = 0; i < cluster_.size(); ++i) {
    Member& member = cluster_.member(i);
    member.machine->host().disk_faults.reset();
    member.machine->files().capacity_bytes = 1ULL << 40;
    if (member.paused) cluster_.resume(i);
    world().set_clock_drift(*member.machine, 0);
    if (replace_ && damaged_ == static_cast<int>(i)) {
      mend_disk(i);
    } else {
      start_again(i);
    }
  }
}

}  // namespace samsa::sim
