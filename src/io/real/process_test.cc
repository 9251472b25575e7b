#include "io/real/process.h"

#include <ctime>

#include <unistd.h>

#include <gtest/gtest.h>

namespace samsa::io::real {
namespace {

TEST(Process, FiguresAreThisProcess) {
  const int held = ::dup(1);
  const ProcessFigures figures = read_process_figures();
  ::close(held);
  EXPECT_GT(figures.resident_bytes, 1U << 20);
  EXPECT_GT(figures.virtual_bytes, figures.resident_bytes);
  EXPECT_GE(figures.open_fds, 4U);
  EXPECT_GE(figures.max_fds, figures.open_fds);
  EXPECT_EQ(read_process_figures().open_fds, figures.open_fds - 1);
  EXPECT_NEAR(figures.start_seconds, static_cast<double>(::time(nullptr)), 3600);
  EXPECT_GE(figures.cpu_seconds, 0);
}

}  // namespace
}  // namespace samsa::io::real
