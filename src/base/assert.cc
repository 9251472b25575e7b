#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace samsa {

void assert_failed(const char* condition, const char* file, int line, const char* message) {
  std::fprintf(stderr, "%s:%d: broken invariant: %s %s\n", file, line, condition, message);
  std::fflush(stderr);
  std::abort();
}

}  // namespace samsa
