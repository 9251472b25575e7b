#include "storage/index_file.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/assert.h"

namespace samsa::storage {
namespace {

constexpr size_t kMostPending = 1536;  // Bytes of entries before they are written.

}  // namespace

Result<void> IndexFile::load() {
  pending_.clear();
  last_.reset();
  written_ = stale_ = 0;
  auto info = pool_.disk().stat(path());
  exists_ = info.has_value();
  if (!info) {
    if (info.error().code == ErrorCode::kResourceNotFound) return {};
    return fail(std::move(info).error());
  }
  written_ = info->size / entry_size_;
  odd_ = info->size % entry_size_ != 0;
  if (info->size % entry_size_ != 0) {
    return fail(ErrorCode::kCorruptMessage, fmt::format("{}: size {} is no multiple of {}", path(), info->size, entry_size_));
  }
  return {};
}

Result<void> IndexFile::clear() {
  pending_.clear();
  last_.reset();
  if (!odd_) {
    rebuild_from(0);
    return {};
  }
  TRY_ASSIGN(auto file, file_.get());
  TRY(file->truncate(0));
  written_ = stale_ = 0;
  odd_ = false;
  dirty_ = true;
  return {};
}

void IndexFile::rebuild_from(size_t count) {
  if (count >= this->count()) return;
  last_.reset();
  pending_.resize(count > written_ ? (count - written_) * entry_size_ : 0);
  if (count >= written_) return;
  stale_ += written_ - count;
  written_ = count;
  dirty_ = true;
}

Result<void> IndexFile::create() {
  if (exists_) return {};
  TRY(pool_.disk().open(path(), io::OpenMode::kCreate));  // Not kept open: most partitions are idle.
  fresh_ = true;
  exists_ = true;
  dirty_ = true;
  return {};
}

Result<void> IndexFile::read(size_t index, uint8_t* into) {
  SAMSA_ASSERT(index < count());
  if (index >= written_) {
    std::memcpy(into, pending_.data() + (index - written_) * entry_size_, entry_size_);
    return {};
  }
  TRY_ASSIGN(auto file, file_.get());
  TRY_ASSIGN(const size_t got, file->read_at(MutableBytes(into, entry_size_), index * entry_size_));
  if (got != entry_size_) return fail(ErrorCode::kKafkaStorageError, path() + ": shorter than it was");
  return {};
}

Result<std::optional<Buffer>> IndexFile::last() {
  if (count() == 0) return std::optional<Buffer>();
  if (!last_) {
    Buffer entry(entry_size_);
    TRY(read(count() - 1, entry.data()));
    last_ = std::move(entry);
  }
  return last_;
}

Result<void> IndexFile::append(Bytes entry) {
  SAMSA_ASSERT(entry.size() == entry_size_);
  samsa::append(pending_, entry);
  if (!last_) last_.emplace();
  last_->assign(entry.begin(), entry.end());
  if (pending_.size() < kMostPending) return {};
  auto written = write_pending();
  // On a full disk they stay here, until there is room or a sync needs them.
  if (!written && io::is_no_space(written.error())) return {};
  return written;
}

Result<size_t> IndexFile::partition_point(const Below& below) {
  if (pending_.empty() || !below(pending_.data())) return written_ == 0 ? 0 : search_file(written_, below);
  return written_ + first_not_below(pending_.data(), pending_.size() / entry_size_, below);
}

size_t IndexFile::first_not_below(const uint8_t* entries, size_t count, const Below& below) const {
  size_t low = 0;
  size_t high = count;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (below(entries + middle * entry_size_)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

Result<void> IndexFile::read_page(size_t index, size_t end, Page& into) {
  into.from = index * kPageEntries;
  into.count = std::min(kPageEntries, end - into.from);
  TRY_ASSIGN(auto file, file_.get());
  TRY_ASSIGN(const size_t got, file->read_at(MutableBytes(into.entries, into.count * entry_size_), into.from * entry_size_));
  if (got != into.count * entry_size_) return fail(ErrorCode::kKafkaStorageError, path() + ": shorter than it was");
  return {};
}

// Who reads a log from front to back looks into the same page each time: it is tried before a page is searched for by its first entry. Where all of
// it is below, the next one's first entry may end the search there, as it does where the same search went before beside the loop.
Result<size_t> IndexFile::search_file(size_t end, const Below& below) {
  Page page;
  size_t low_page = 0;
  size_t high_page = (end - 1) / kPageEntries;
  const size_t tried = std::min(searched_page_, high_page);
  TRY(read_page(tried, end, page));
  uint8_t first[kMostEntrySize];
  if (!below(page.entries)) {
    high_page = tried > 0 ? tried - 1 : 0;
  } else if (tried == high_page || !below(page.entries + (page.count - 1) * entry_size_)) {
    low_page = high_page = tried;
  } else {
    TRY(read((tried + 1) * kPageEntries, first));
    const bool next = below(first);
    low_page = next ? tried + 1 : tried;
    high_page = next ? high_page : tried;
  }
  while (low_page < high_page) {
    const size_t middle = (low_page + high_page + 1) / 2;
    TRY(read(middle * kPageEntries, first));
    (below(first) ? low_page : high_page) = below(first) ? middle : middle - 1;
  }
  if (low_page != tried) TRY(read_page(low_page, end, page));
  searched_page_ = low_page;
  return page.from + first_not_below(page.entries, page.count, below);
}

io::Task<Result<std::optional<Buffer>>> IndexFile::last_below(Below below) {
  // What stays in memory is looked at first: nothing suspends before.
  for (size_t at = pending_.size(); at >= entry_size_; at -= entry_size_) {
    const uint8_t* entry = pending_.data() + at - entry_size_;
    if (below(entry)) co_return std::optional(Buffer(entry, entry + entry_size_));
  }
  if (written_ == 0) co_return std::optional<Buffer>();
  const size_t written = written_;
  CO_TRY_ASSIGN(auto file, file_.get());
  // The same walk as search_file(), but that the file may be cut meanwhile: what is not there is not below.
  const size_t page_size = kPageEntries * entry_size_;
  Buffer page(page_size);
  Buffer first(entry_size_);
  const auto begins_below = [&](size_t index) -> io::Task<Result<bool>> {
    CO_TRY_ASSIGN(const size_t got, co_await file->read_at_async(first, index * page_size));
    co_return got == entry_size_ && below(first.data());
  };
  size_t low_page = 0;
  size_t high_page = (written - 1) / kPageEntries;
  const size_t tried = std::min(searched_page_, high_page);
  CO_TRY_ASSIGN(size_t got, co_await file->read_at_async(page, tried * page_size));
  if (got < entry_size_ || !below(page.data())) {
    high_page = tried > 0 ? tried - 1 : 0;
  } else if (tried == high_page || got < page_size || !below(page.data() + page_size - entry_size_)) {
    low_page = high_page = tried;
  } else {
    CO_TRY_ASSIGN(const bool next, co_await begins_below(tried + 1));
    low_page = next ? tried + 1 : tried;
    high_page = next ? high_page : tried;
  }
  while (low_page < high_page) {
    const size_t middle = (low_page + high_page + 1) / 2;
    CO_TRY_ASSIGN(const bool there, co_await begins_below(middle));
    (there ? low_page : high_page) = there ? middle : middle - 1;
  }
  if (low_page != tried) {
    CO_TRY_ASSIGN(got, co_await file->read_at_async(page, low_page * page_size));
  }
  searched_page_ = low_page;
  for (size_t at = std::min(got / entry_size_, written - low_page * kPageEntries); at > 0; --at) {
    const uint8_t* entry = page.data() + (at - 1) * entry_size_;
    if (below(entry)) co_return std::optional(Buffer(entry, entry + entry_size_));
  }
  co_return std::optional<Buffer>();
}

io::Task<Result<void>> IndexFile::warm_last() {
  if (last_ || !pending_.empty() || written_ == 0) co_return Result<void>();
  CO_TRY_ASSIGN(auto file, file_.get());
  Buffer entry(entry_size_);
  CO_TRY(co_await file->read_at_async(entry, (written_ - 1) * entry_size_));
  co_return Result<void>();
}

Result<void> IndexFile::visit(const std::function<bool(const uint8_t*)>& take) {
  Buffer page(kPageEntries * entry_size_);
  for (size_t index = 0; index < count();) {
    size_t entries = std::min(kPageEntries, index < written_ ? written_ - index : count() - index);
    if (index < written_) {
      TRY_ASSIGN(auto file, file_.get());
      TRY_ASSIGN(const size_t got, file->read_at(MutableBytes(page).first(entries * entry_size_), index * entry_size_));
      entries = got / entry_size_;
      if (entries == 0) return fail(ErrorCode::kKafkaStorageError, path() + ": shorter than it was");
    } else {
      std::memcpy(page.data(), pending_.data() + (index - written_) * entry_size_, entries * entry_size_);
    }
    for (size_t i = 0; i < entries; ++i) {
      if (!take(page.data() + i * entry_size_)) return {};
    }
    index += entries;
  }
  return {};
}

Result<void> IndexFile::truncate(size_t keep) {
  if (keep >= count()) return {};
  last_.reset();
  if (keep >= written_) {
    pending_.resize((keep - written_) * entry_size_);
    return {};
  }
  pending_.clear();
  TRY_ASSIGN(auto file, file_.get());
  TRY(file->truncate(keep * entry_size_));
  written_ = keep;
  stale_ = 0;
  dirty_ = true;
  return {};
}

Result<void> IndexFile::write_pending() {
  if (pending_.empty()) return {};
  TRY_ASSIGN(auto file, file_.get(true));
  fresh_ = fresh_ || !exists_;
  exists_ = true;
  dirty_ = true;
  if (auto done = file->write_at(Bytes(pending_), written_ * entry_size_); !done) {
    // What was written in part; where that does not go it is stale, too.
    stale_ = file->truncate(written_ * entry_size_) ? 0 : std::max<size_t>(stale_, 1);
    return done;
  }
  written_ += pending_.size() / entry_size_;
  stale_ -= std::min(stale_, pending_.size() / entry_size_);
  pending_.clear();
  return {};
}

Result<void> IndexFile::write_out() {
  TRY(write_pending());
  if (stale_ == 0) return {};
  TRY_ASSIGN(auto file, file_.get());
  TRY(file->truncate(written_ * entry_size_));
  stale_ = 0;
  return {};
}

io::Task<Result<void>> IndexFile::sync() {
  CO_TRY(write_out());
  if (!exists_ || !dirty_) co_return Result<void>();
  CO_TRY_ASSIGN(auto file, file_.get());
  dirty_ = false;
  auto synced = co_await file->sync();
  if (!synced) dirty_ = true;
  co_return synced;
}

}  // namespace samsa::storage
