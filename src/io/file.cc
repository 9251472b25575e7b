#include "io/file.h"

namespace samsa::io {

Error storage_error(const std::string& operation, const std::string& path, const std::string& words) {
  return {ErrorCode::kKafkaStorageError, "cannot " + operation + " " + path + ": " + words};
}

bool is_no_space(const Error& error) {
  return error.code == ErrorCode::kKafkaStorageError && error.message.find(kNoSpaceWords) != std::string::npos;
}

namespace {

bool is_of_an_operation(const Error& error) { return error.code == ErrorCode::kKafkaStorageError && error.message.starts_with("cannot "); }

}  // namespace

bool is_shortage(const Error& error) {
  if (!is_of_an_operation(error)) return false;
  for (const char* words : {kNoSpaceWords, "Disk quota exceeded", "Too many open files", "Too many open files in system", "Cannot allocate memory"}) {
    if (error.message.ends_with(words)) return true;
  }
  return false;
}

bool is_device_error(const Error& error) { return is_of_an_operation(error) && !is_shortage(error); }

Result<Buffer> read_file(Disk& disk, const std::string& path) {
  TRY_ASSIGN(auto file, disk.open(path, OpenMode::kRead));
  TRY_ASSIGN(const uint64_t size, file->size());
  Buffer content(size);
  TRY_ASSIGN(const size_t read, file->read_at(content, 0));
  content.resize(read);
  return content;
}

Result<void> write_file_atomically(Disk& disk, const std::string& path, Bytes content) {
  const std::string temporary = path + ".tmp";
  {
    TRY_ASSIGN(auto file, disk.open(temporary, OpenMode::kCreateTruncate));
    TRY(file->write_at(content, 0));
    TRY(file->sync_now());
  }
  TRY(disk.rename(temporary, path));
  return disk.sync_directory(parent_path(path));
}

Task<Result<void>> write_file_atomically_async(Disk& disk, std::string path, std::string content) {
  const std::string temporary = path + ".tmp";
  CO_TRY_ASSIGN(auto file, disk.open(temporary, OpenMode::kCreateTruncate));
  CO_TRY(file->write_at(as_bytes(content), 0));
  CO_TRY(co_await file->sync());
  CO_TRY(co_await disk.rename_async(temporary, path));
  co_return co_await disk.sync_directory_async(parent_path(path));
}

std::string parent_path(const std::string& path) {
  const size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return path.empty() ? "." : "/";
  const size_t slash = path.rfind('/', end);
  if (slash == std::string::npos) return ".";
  const size_t last = path.find_last_not_of('/', slash);
  return last == std::string::npos ? "/" : path.substr(0, last + 1);
}

std::string join_path(const std::string& directory, const std::string& name) {
  if (directory.empty()) return name;
  return directory.back() == '/' ? directory + name : directory + "/" + name;
}

}  // namespace samsa::io
