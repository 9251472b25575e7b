// SAMSA_ASSERT: what the program itself guarantees, checked in release builds too. Never for what a client, a peer or a disk says.
#pragma once

namespace samsa {
// Prints the failed condition with its place and aborts.
[[noreturn]] void assert_failed(const char* condition, const char* file, int line, const char* message);
}  // namespace samsa

#define SAMSA_ASSERT(condition, ...)                                                    \
  do {                                                                                  \
    if (!(condition)) [[unlikely]]                                                      \
      ::samsa::assert_failed(#condition, __FILE__, __LINE__, "" __VA_ARGS__);           \
  } while (0)
