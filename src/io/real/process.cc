#include "io/real/process.h"

#include <charconv>
#include <cstring>
#include <string>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace samsa::io::real {

namespace {

std::string read_all(const char* path) {
  std::string text;
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  char piece[4096];
  for (ssize_t got = 0; (got = ::read(fd, piece, sizeof piece)) > 0;) text.append(piece, static_cast<size_t>(got));
  ::close(fd);
  return text;
}

uint64_t number_at(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The number after "name:" at the start of a line.
uint64_t field(std::string_view text, std::string_view name) {
  for (size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    if (at == 0 || text[at - 1] == '\n') return number_at(text.substr(at + name.size()));
  }
  return 0;
}

uint64_t count_fds() {
  uint64_t count = 0;
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  while (const dirent* entry = ::readdir(directory)) count += entry->d_name[0] == '.' ? 0 : 1;
  ::closedir(directory);
  return count - 1;  // The one it was counted with.
}

// Fields of /proc/self/stat are numbered from 1; the second, a name in brackets, may hold anything.
uint64_t stat_field(std::string_view stat, int wanted) {
  const size_t bracket = stat.rfind(')');
  if (bracket == std::string_view::npos) return 0;
  stat.remove_prefix(bracket + 1);
  for (int field = 3; !stat.empty(); ++field) {
    stat.remove_prefix(1);
    if (field == wanted) return number_at(stat);
    const size_t space = stat.find(' ');
    if (space == std::string_view::npos) break;
    stat.remove_prefix(space);
  }
  return 0;
}

}  // namespace

ProcessFigures read_process_figures() {
  ProcessFigures figures;
  const std::string stat = read_all("/proc/self/stat");
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  figures.virtual_bytes = stat_field(stat, 23);
  figures.resident_bytes = stat_field(stat, 24) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  figures.start_seconds = static_cast<double>(field(read_all("/proc/stat"), "btime")) + static_cast<double>(stat_field(stat, 22)) / ticks;
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    figures.cpu_seconds = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                          static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.max_fds = limit.rlim_cur;
  figures.open_fds = count_fds();
  const std::string io = read_all("/proc/self/io");
  figures.disk_read_bytes = field(io, "read_bytes:");
  figures.disk_write_bytes = field(io, "write_bytes:");
  return figures;
}

}  // namespace samsa::io::real
