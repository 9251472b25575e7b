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
    done_ = false;
    {
      const std::lock_guard held(shared_->mutex);
      shared_->wanted = into;
      shared_->reader = this;
    }
    if (!thread_.joinable()) thread_ = std::thread([shared = shared_, &loop = loop_] { serve(shared, loop); });
    shared_->changed.notify_one();
    while (!done_) co_await read_.wait(loop_);
    if (result_ < 0) co_return fail(ErrorCode::kKafkaStorageError, std::string("cannot read standard input: ") + std::strerror(errno_));
    co_return static_cast<size_t>(result_);
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
  [[nodiscard]] bool interrupted() const override { return interrupted_; }
  void interrupt() { interrupted_ = true; }

 private:
  static constexpr size_t kFlushBytes = 64 * 1024;
  InputThread input_;
  std::string output_;
  bool broken_ = false;
  bool interrupted_ = false;
};

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
  int interrupts = 0;
  node.on_stop_signal([&](int signal) {
    console.interrupt();
    if (++interrupts > 1) ::_exit(128 + signal);
  });
  tool::ToolContext context{.world = node.worlds()[0], .console = console, .name = std::move(name)};
  int code = 1;
  node.run_until_done(run(entry, context, std::move(arguments), code));
  console.flush();
  std::fflush(stderr);
  // The input thread may still sit in a read, so nothing is unwound from here on.
  ::_exit(code);
}

}  // namespace samsa::main
