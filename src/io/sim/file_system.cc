#include "io/sim/file_system.h"

#include <algorithm>
#include <set>

namespace samsa::io::sim {

// Remembers the old content of the sectors that overlap [from, to) and lie below what is (or is becoming) durable.
void FileContent::save_sectors(uint64_t from, uint64_t to) {
  to = std::min({to, base_size(), static_cast<uint64_t>(bytes_.size())});
  for (uint64_t sector = from / kSectorBytes; sector * kSectorBytes < to; ++sector) {
    if (undo_.contains(sector)) continue;
    const uint64_t begin = sector * kSectorBytes;
    const uint64_t end = std::min({begin + kSectorBytes, base_size(), static_cast<uint64_t>(bytes_.size())});
    undo_.emplace(sector, Buffer(bytes_.begin() + static_cast<int64_t>(begin), bytes_.begin() + static_cast<int64_t>(end)));
  }
}

void FileContent::write(std::span<const Bytes> pieces, uint64_t offset) {
  uint64_t size = 0;
  for (const auto& piece : pieces) size += piece.size();
  save_sectors(offset, offset + size);
  if (offset + size > bytes_.size()) bytes_.resize(offset + size);
  // What is written again is dirty again, so a sync that failed before does not matter for it any more.
  const uint64_t whole = (offset + kSectorBytes - 1) / kSectorBytes;
  const uint64_t end = offset + size + (offset + size == bytes_.size() ? kSectorBytes - 1 : 0);  // Nothing of the file follows in its last one.
  limbo_.erase(limbo_.lower_bound(whole), limbo_.lower_bound(std::max(whole, end / kSectorBytes)));
  for (const auto& piece : pieces) {
    std::copy(piece.begin(), piece.end(), bytes_.begin() + static_cast<int64_t>(offset));
    offset += piece.size();
  }
}

void FileContent::resize(uint64_t size) {
  save_sectors(size, UINT64_MAX);
  bytes_.resize(size);
}

void FileContent::begin_sync() {
  syncing_ = std::move(undo_);
  undo_.clear();
  syncing_active_ = true;
  syncing_size_ = bytes_.size();
}

void FileContent::end_sync() {
  if (!syncing_active_) return;
  syncing_active_ = false;
  syncing_.clear();
  durable_size_ = syncing_size_;
  sync_ended.notify_all();
}

void FileContent::fail_sync() {
  if (!syncing_active_) return;
  // The system marks the pages as clean: the next sync succeeds without writing them.
  for (uint64_t at = durable_size_; at < syncing_size_; at += kSectorBytes) limbo_.try_emplace(at / kSectorBytes);
  for (auto& [sector, old] : syncing_) limbo_.try_emplace(sector, std::move(old));
  end_sync();
}

void FileContent::sync_now() {
  const bool waiting = syncing_active_;
  begin_sync();
  end_sync();
  if (waiting) sync_ended.notify_all();
}

// Puts the old bytes, or the last part of them, back; zeros where the old state had none.
void FileContent::revert_sector(Kernel& kernel, uint64_t sector, const Buffer& old, bool always) {
  const uint64_t begin = sector * kSectorBytes;
  if (begin >= bytes_.size()) return;
  const uint64_t length = std::min<uint64_t>(kSectorBytes, bytes_.size() - begin);
  uint64_t keep = length;
  if (always || kernel.chance(kernel.faults.lose_sector)) {
    keep = 0;
  } else if (kernel.chance(kernel.faults.tear_sector)) {
    keep = kernel.random.below(length);
  }
  for (uint64_t i = keep; i < length; ++i) bytes_[begin + i] = i < old.size() ? old[i] : 0;
}

// What was appended: the file may end anywhere in it, and where the file system does not order data before sizes, sectors may be holes.
void FileContent::crash_tail(Kernel& kernel, uint64_t from) {
  if (bytes_.size() <= from) return;
  const uint64_t tail = bytes_.size() - from;
  switch (kernel.random.below(3)) {
    case 0:
      bytes_.resize(from);
      break;
    case 1:
      bytes_.resize(from + kernel.random.below(tail + 1));
      break;
    default:
      break;
  }
  if (kernel.random.below(2) == 0) return;
  for (uint64_t sector = (from + kSectorBytes - 1) / kSectorBytes; sector * kSectorBytes < bytes_.size(); ++sector) {
    revert_sector(kernel, sector, {}, false);
  }
}

void FileContent::crash(Kernel& kernel) {
  if (!kernel.faults.power_fails) {
    // The sync that was under way has promised nothing to anybody; what it was to write is as little durable as before.
    for (auto& [sector, old] : syncing_) undo_[sector] = std::move(old);
    syncing_active_ = false;
    syncing_.clear();
    return;
  }
  if (syncing_active_) {
    if (kernel.random.below(2) == 0) {
      durable_size_ = syncing_size_;  // It was done, and nobody was told.
    } else {
      for (auto& [sector, old] : syncing_) undo_[sector] = std::move(old);
    }
    syncing_active_ = false;
    syncing_.clear();
  }
  if (bytes_.size() < durable_size_ && kernel.random.below(2) == 0) {
    bytes_.resize(durable_size_);  // The truncation was lost, and what it cut is back.
    for (const auto& [sector, old] : undo_) revert_sector(kernel, sector, old, true);
    undo_.clear();
  }
  for (const auto& [sector, old] : undo_) revert_sector(kernel, sector, old, false);
  undo_.clear();
  crash_tail(kernel, durable_size_);
  for (const auto& [sector, old] : limbo_) revert_sector(kernel, sector, old, false);
  limbo_.clear();
  durable_size_ = bytes_.size();
}

namespace {

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> parts;
  size_t at = 0;
  while (at <= path.size()) {
    const size_t slash = std::min(path.find('/', at), path.size());
    std::string part = path.substr(at, slash - at);
    if (part == ".." && !parts.empty()) {
      parts.pop_back();
    } else if (!part.empty() && part != "." && part != "..") {
      parts.push_back(std::move(part));
    }
    at = slash + 1;
  }
  return parts;
}

std::shared_ptr<Inode> descend(std::shared_ptr<Inode> from, std::span<const std::string> parts) {
  for (const auto& part : parts) {
    if (!from->directory) return nullptr;
    const auto entry = from->entries.find(part);
    if (entry == from->entries.end()) return nullptr;
    from = entry->second;
  }
  return from;
}

}  // namespace

std::shared_ptr<Inode> FileSystem::find(const std::string& path) const { return descend(root_, split(path)); }

FileSystem::Place FileSystem::place(const std::string& path) const {
  const auto parts = split(path);
  if (parts.empty()) return {};
  auto directory = descend(root_, std::span(parts).first(parts.size() - 1));
  if (!directory || !directory->directory) return {};
  return {std::move(directory), parts.back()};
}

std::shared_ptr<Inode> FileSystem::create(const std::string& path, bool directory) {
  const Place at = place(path);
  if (!at.directory) return nullptr;
  auto inode = std::make_shared<Inode>();
  inode->directory = directory;
  at.directory->entries[at.name] = inode;
  changes_.push_back({at.directory, at.name, inode, nullptr, {}});
  return inode;
}

bool FileSystem::rename(const std::string& from, const std::string& to) {
  const Place source = place(from);
  const Place target = place(to);
  if (!source.directory || !target.directory) return false;
  const auto entry = source.directory->entries.find(source.name);
  if (entry == source.directory->entries.end()) return false;
  auto inode = entry->second;
  source.directory->entries.erase(entry);
  if (const auto old = target.directory->entries.find(target.name); old != target.directory->entries.end()) forget(*old->second);
  target.directory->entries[target.name] = inode;
  changes_.push_back({target.directory, target.name, inode, source.directory, source.name});
  return true;
}

bool FileSystem::remove(const std::string& path) {
  const Place at = place(path);
  if (!at.directory) return false;
  const auto entry = at.directory->entries.find(at.name);
  if (entry == at.directory->entries.end()) return false;
  forget(*entry->second);
  at.directory->entries.erase(entry);
  changes_.push_back({nullptr, {}, nullptr, at.directory, at.name});
  return true;
}

// Gives the space back. (An open file keeps its bytes, which are then counted no more.)
void FileSystem::forget(const Inode& inode) {
  account(-static_cast<int64_t>(inode.file.bytes().size()));
  for (const auto& [name, child] : inode.entries) forget(*child);
}

void FileSystem::NameChange::apply() const {
  if (from) from->durable_entries.erase(from_name);
  if (to) to->durable_entries[to_name] = inode;
}

void FileSystem::sync_directory(const std::shared_ptr<Inode>& directory) {
  // Within a directory changes become durable in order. One that touches two directories takes the earlier ones of both along.
  std::set<const Inode*> wanted{directory.get()};
  for (auto change = changes_.rbegin(); change != changes_.rend(); ++change) {
    if (!std::any_of(wanted.begin(), wanted.end(), [&](const Inode* d) { return change->touches(d); })) continue;
    if (change->to) wanted.insert(change->to.get());
    if (change->from) wanted.insert(change->from.get());
  }
  std::vector<NameChange> left;
  for (auto& change : changes_) {
    const bool now = (change.to && wanted.contains(change.to.get())) || (change.from && wanted.contains(change.from.get()));
    if (now) {
      change.apply();
    } else {
      left.push_back(std::move(change));
    }
  }
  changes_ = std::move(left);
}

void FileSystem::crash() {
  if (kernel_.faults.power_fails) crash_names();
  used_bytes_ = 0;
  crash_tree(*root_);
}

void FileSystem::crash_names() {
  std::vector<const Inode*> lost;
  const auto is_lost = [&](const std::shared_ptr<Inode>& directory) {
    return directory && std::find(lost.begin(), lost.end(), directory.get()) != lost.end();
  };
  for (const auto& change : changes_) {
    if (is_lost(change.to) || is_lost(change.from) || kernel_.chance(kernel_.faults.lose_name)) {
      if (change.to) lost.push_back(change.to.get());
      if (change.from) lost.push_back(change.from.get());
    } else {
      change.apply();
    }
  }
  changes_.clear();
}

void FileSystem::crash_tree(Inode& inode) {
  inode.locked = false;
  if (!inode.directory) {
    inode.file.crash(kernel_);
    account(static_cast<int64_t>(inode.file.bytes().size()));
    return;
  }
  if (kernel_.faults.power_fails) inode.entries = inode.durable_entries;
  for (auto& [name, child] : inode.entries) crash_tree(*child);
}

}  // namespace samsa::io::sim
