#include "main/console.h"

#include <csignal>
#include <cstring>
#include <thread>

#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "io/real/world.h"
#include "io/sync.h"
#include "main/log_output.h"

namespace samsa::main {

namespace {

// Standard input may be a terminal, pipe or file, none of which may stop the loop: a thread of its own reads on demand.
class InputThread {
 public:
  explicit InputThread(io::Loop& loop) : loop_(loop) {}
  ~InputThread() {
    // A read of a terminal cannot be called back; the thread ends with the process.
    if (thread_.joinable()) thread_.detach();
  }

  io::Task<Result<size_t>> read(MutableBytes into) {
    if (ended_) co_return size_t{0};
    done_ = false;
    {
      const std::lock_guard held(shared_->mutex);
      shared_->wanted = into;
      shared_->reader = this;
    }
    if (!thread_.joinable()) thread_ = std::thread([shared = shared_, &loop = loop_] { serve(shared, loop); });
    shared_->changed.notify_one();
    while (!done_ && !ended_) co_await read_.wait(loop_);
    if (ended_) co_return size_t{0};
    if (result_ < 0) co_return fail(ErrorCode::kKafkaStorageError, std::string("cannot read standard input: ") + std::strerror(errno_));
    co_return static_cast<size_t>(result_);
  }
  // From now on there is nothing more to read.
  void end() {
    ended_ = true;
    read_.notify_all();
  }

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    MutableBytes wanted;
    InputThread* reader = nullptr;
  };

  static void serve(const std::shared_ptr<Shared>& shared, io::Loop& loop) {
    for (;;) {
      MutableBytes into;
      InputThread* reader = nullptr;
      {
        std::unique_lock held(shared->mutex);
        shared->changed.wait(held, [&] { return shared->reader != nullptr; });
        into = shared->wanted;
        reader = std::exchange(shared->reader, nullptr);
      }
      ssize_t got = 0;
      do got = ::read(STDIN_FILENO, into.data(), into.size());
      while (got < 0 && errno == EINTR);
      const int error = errno;
      loop.post_remote([reader, got, error] {
        reader->result_ = got;
        reader->errno_ = error;
        reader->done_ = true;
        reader->read_.notify_all();
      });
    }
  }

  io::Loop& loop_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::thread thread_;
  io::Signal read_;
  bool done_ = false;
  bool ended_ = false;
  ssize_t result_ = 0;
  int errno_ = 0;
};

class RealConsole final : public tool::Console {
 public:
  explicit RealConsole(io::Loop& loop) : input_(loop) {}
  ~RealConsole() override { flush(); }

  io::Task<Result<size_t>> read(MutableBytes into) override { return input_.read(into); }
  bool write(std::string_view text) override {
    output_.append(text);
    if (output_.size() >= kFlushBytes) flush();
    return !broken_;
  }
  void flush() override {
    for (size_t at = 0; at < output_.size() && !broken_;) {
      const ssize_t wrote = ::write(STDOUT_FILENO, output_.data() + at, output_.size() - at);
      if (wrote > 0) {
        at += static_cast<size_t>(wrote);
      } else if (errno != EINTR) {
        broken_ = true;
      }
    }
    output_.clear();
  }
  void write_error(std::string_view text) override {
    flush();
    const auto written = std::fwrite(text.data(), 1, text.size(), stderr);
    (void)written;
  }
  [[nodiscard]] bool error_is_terminal() const override { return ::isatty(STDERR_FILENO) == 1; }
  void log(std::string_view level, std::string_view text) override { write_error(log_line(level, text)); }
  [[nodiscard]] bool interrupted() const override { return interrupted_; }
  void mind_interrupts() override { minds_ = true; }
  // False: the tool does not care, and the program is to end now.
  bool interrupt() {
    if (!minds_ || interrupted_) return false;
    interrupted_ = true;
    input_.end();
    return true;
  }

 private:
  static constexpr size_t kFlushBytes = 64 * 1024;
  InputThread input_;
  std::string output_;
  bool broken_ = false;
  bool interrupted_ = false;
  bool minds_ = false;
};

// A tool that minds interrupts has this long to end.
constexpr std::chrono::seconds kGrace{5};

[[noreturn]] void end_now(RealConsole& console, int signal) {
  console.flush();
  ::_exit(128 + signal);
}

io::Task<> end_later(io::Loop& loop, RealConsole& console, int signal) {
  co_await io::sleep_for(loop, kGrace);
  end_now(console, signal);
}

io::Task<> run(const tool::ToolEntry& entry, tool::ToolContext& context, tool::Arguments arguments, int& code) {
  code = co_await entry.run(context, std::move(arguments));
  context.console.flush();
}

}  // namespace

int run_tool(const tool::ToolEntry& entry, std::string name, std::vector<std::string> arguments) {
  std::signal(SIGPIPE, SIG_IGN);
  install_tool_log();
  io::real::RealNode node({.shards = 1, .read_threads = 1, .sync_threads = 1});
  RealConsole console(node.worlds()[0].loop);
  int ended_by = 0;
  node.on_stop_signal([&](int signal) {
    if (!console.interrupt()) end_now(console, signal);
    ended_by = signal;
    io::spawn_now(node.worlds()[0].loop, end_later(node.worlds()[0].loop, console, signal));
  });
  tool::ToolContext context{.world = node.worlds()[0], .console = console, .name = std::move(name), .version = SAMSA_VERSION};
  int code = 1;
  node.run_until_done(run(entry, context, std::move(arguments), code));
  console.flush();
  std::fflush(stderr);
  if (ended_by != 0) code = 128 + ended_by;
  // The input thread may still sit in a read, so nothing is unwound from here on.
  ::_exit(code);
}

}  // namespace samsa::main
