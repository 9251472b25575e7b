#include "storage/file_pool.h"

#include "base/assert.h"

namespace samsa::storage {

void PooledFile::assign(FilePool& pool, std::string path) {
  close();
  pool_ = &pool;
  path_ = std::move(path);
}

Result<std::shared_ptr<io::File>> PooledFile::get(bool create) {
  SAMSA_ASSERT(pool_ != nullptr);
  used_ = pool_->now_;
  if (file_ != nullptr) {
    if (pool_->newest_ != this) {
      pool_->unlink(*this);
      pool_->link_newest(*this);
    }
    return file_;
  }
  TRY_ASSIGN(file_, pool_->disk_.open(path_, create ? io::OpenMode::kCreate : io::OpenMode::kReadWrite));
  pool_->link_newest(*this);
  auto file = file_;
  pool_->evict();
  return file;
}

void PooledFile::close() {
  if (file_ == nullptr) return;
  pool_->unlink(*this);
  file_ = nullptr;
}

void FilePool::set_limit(size_t limit) {
  limit_ = limit;
  evict();
}

void FilePool::close_idle(io::MonoTime now) {
  constexpr int kAtOnce = 500;  // A loop is not to stand still for thousands.
  now_ = now;
  for (int i = 0; i < kAtOnce && oldest_ != nullptr && oldest_->used_ + kIdle <= now; ++i) {
    PooledFile& file = *oldest_;
    if (!file.kept_) {
      file.close();
      continue;
    }
    unlink(file);
    link_newest(file);
    file.used_ = now;
  }
}

void FilePool::link_newest(PooledFile& file) {
  file.older_ = newest_;
  file.newer_ = nullptr;
  if (newest_ != nullptr) newest_->newer_ = &file;
  newest_ = &file;
  if (oldest_ == nullptr) oldest_ = &file;
  ++count_;
}

void FilePool::unlink(PooledFile& file) {
  (file.newer_ != nullptr ? file.newer_->older_ : newest_) = file.older_;
  (file.older_ != nullptr ? file.older_->newer_ : oldest_) = file.newer_;
  file.newer_ = file.older_ = nullptr;
  --count_;
}

void FilePool::evict() {
  while (count_ > limit_ && oldest_ != newest_) oldest_->close();
}

}  // namespace samsa::storage
