#include "storage/reserved_disk.h"

#include <algorithm>

#include "base/log.h"

namespace samsa::storage {
namespace {

constexpr uint64_t kPiece = 64 << 10;              // Bytes given up at a time.
constexpr std::chrono::seconds kFillEvery(10);     // How often room is looked for to fill it up again.
constexpr uint64_t kPlenty = 4;                    // So many times the reserve must be free for that.
constexpr uint64_t kSmallDisk = 50;                // At most this part of a disk is kept.

}  // namespace

class ReservedDisk::Reserve {
 public:
  Reserve(io::Loop& loop, io::Disk& disk, const std::string& directory, uint64_t bytes)
      : loop_(loop), disk_(disk), directory_(directory), path_(io::join_path(directory, kFileName)), wanted_(bytes) {
    if (const auto info = disk_.stat(path_)) kept_ = info->size;
    fill();
  }

  [[nodiscard]] uint64_t kept() const { return kept_; }

  // Does it; where there is no room, gives up pieces of the reserve until there is or nothing is left to give.
  template <typename Function>
  auto within(Function function) -> decltype(function()) {
    auto done = function();
    while (!done && io::is_no_space(done.error()) && give_up()) done = function();
    if (done && loop_.now() >= next_fill_) fill();
    return done;
  }

 private:
  bool give_up() {
    if (kept_ == 0) return false;
    if (!giving_) SAMSA_LOG_WARN("{}: the disk is full; the metadata log goes on out of {} bytes that were kept for it", directory_, kept_);
    giving_ = true;
    const uint64_t left = kept_ > kPiece ? kept_ - kPiece : 0;
    auto file = disk_.open(path_, io::OpenMode::kReadWrite);
    if (!file || !(*file)->truncate(left)) return false;
    kept_ = left;
    return true;
  }

  void fill() {
    next_fill_ = io::after(loop_.now(), kFillEvery);
    const auto space = disk_.space(directory_);
    if (!space) return;
    const uint64_t wanted = std::min(wanted_, space->total_bytes / kSmallDisk);
    if (wanted <= kept_) return;
    if (space->usable_bytes < kPlenty * wanted) return;
    auto file = disk_.open(path_, io::OpenMode::kCreate);
    if (!file) return;
    const Buffer zeros(kPiece);
    while (kept_ < wanted) {
      const uint64_t size = std::min<uint64_t>(kPiece, wanted - kept_);
      if (!(*file)->write_at(Bytes(zeros).first(size), kept_)) return;
      kept_ += size;
    }
    if (giving_) SAMSA_LOG_INFO("{}: there is room again; {} bytes are kept for the metadata log", directory_, kept_);
    giving_ = false;
  }

  io::Loop& loop_;
  io::Disk& disk_;
  const std::string directory_;
  const std::string path_;
  const uint64_t wanted_;
  uint64_t kept_ = 0;
  bool giving_ = false;  // Said so in the log.
  io::MonoTime next_fill_;
};

class ReservedDisk::ReservedFile final : public io::File {
 public:
  ReservedFile(std::shared_ptr<io::File> file, std::shared_ptr<Reserve> reserve) : file_(std::move(file)), reserve_(std::move(reserve)) {}

  Result<size_t> read_at(MutableBytes into, uint64_t offset) override { return file_->read_at(into, offset); }
  io::Task<Result<size_t>> read_at_async(MutableBytes into, uint64_t offset) override { return file_->read_at_async(into, offset); }
  using File::write_at;
  Result<void> write_at(std::span<const Bytes> pieces, uint64_t offset) override {
    return reserve_->within([&] { return file_->write_at(pieces, offset); });
  }
  Result<void> truncate(uint64_t size) override { return reserve_->within([&] { return file_->truncate(size); }); }
  Result<uint64_t> size() override { return file_->size(); }
  io::Task<Result<void>> sync() override { return file_->sync(); }
  Result<void> sync_now() override { return file_->sync_now(); }
  [[nodiscard]] int native_handle() const override { return file_->native_handle(); }
  [[nodiscard]] const std::string& path() const override { return file_->path(); }

 private:
  std::shared_ptr<io::File> file_;
  std::shared_ptr<Reserve> reserve_;
};

ReservedDisk::ReservedDisk(io::Loop& loop, io::Disk& disk, const std::string& directory, uint64_t bytes)
    : disk_(disk), reserve_(std::make_shared<Reserve>(loop, disk, directory, bytes)) {}
ReservedDisk::~ReservedDisk() = default;

uint64_t ReservedDisk::kept() const { return reserve_->kept(); }

Result<std::shared_ptr<io::File>> ReservedDisk::open(const std::string& path, io::OpenMode mode) {
  TRY_ASSIGN(auto file, reserve_->within([&] { return disk_.open(path, mode); }));
  return std::make_shared<ReservedFile>(std::move(file), reserve_);
}

Result<void> ReservedDisk::create_directories(const std::string& path) {
  return reserve_->within([&] { return disk_.create_directories(path); });
}

Result<void> ReservedDisk::rename(const std::string& from, const std::string& to) {
  return reserve_->within([&] { return disk_.rename(from, to); });
}

}  // namespace samsa::storage
