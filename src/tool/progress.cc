#include "tool/progress.h"

#include <fmt/format.h>

namespace samsa::tool {
namespace {
// Work shorter than this shows nothing.
constexpr std::chrono::milliseconds kPatience{1000};
constexpr std::chrono::milliseconds kInterval{200};
}  // namespace

Progress::Progress(ToolContext& context, std::string what, int64_t total)
    : context_(context), what_(std::move(what)), total_(total), started_(context.world.loop.now()), drawn_(started_) {}

void Progress::add(int64_t count) {
  done_ += count;
  if (!context_.console.error_is_terminal()) return;
  const auto now = context_.world.loop.now();
  if (now < io::after(started_, kPatience) || now < io::after(drawn_, kInterval)) return;
  drawn_ = now;
  draw();
}

void Progress::draw() {
  const double seconds = std::chrono::duration<double>(context_.world.loop.now() - started_).count();
  std::string line = total_ > 0 ? fmt::format("{} of {} {} ({}%)", done_, total_, what_, done_ * 100 / total_) : fmt::format("{} {}", done_, what_);
  if (seconds > 0) line += fmt::format(", {:.0f}/s", static_cast<double>(done_) / seconds);
  context_.console.write_error("\r" + line + "\x1b[K");
  shown_ = true;
}

void Progress::finish() {
  if (!shown_) return;
  draw();
  context_.console.write_error("\n");
  shown_ = false;
}

}  // namespace samsa::tool
