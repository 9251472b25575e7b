// Result: a value or an Error. The only way a failure travels between modules; exceptions do not cross them.
//
// An Error is Kafka's error code (base/errors.def) with an optional text for people. TRY(expr) returns the error of a failed
// Result<void>; TRY_ASSIGN(lhs, expr) unwraps a value. In coroutines use CO_TRY and CO_TRY_ASSIGN.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "base/error_code.h"

namespace samsa {

struct Error {
  ErrorCode code = ErrorCode::kUnknownServerError;
  std::string message;  // Empty: the table's text is used.

  // The message, or the table's text where there is none.
  [[nodiscard]] std::string text() const;
  // "NAME: text", for logs and the command line.
  [[nodiscard]] std::string describe() const;
};

template <class T = void>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(ErrorCode code, std::string message = {}) {
  return std::unexpected<Error>(Error{code, std::move(message)});
}
[[nodiscard]] inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }

}  // namespace samsa

#define SAMSA_CONCAT_(a, b) a##b
#define SAMSA_CONCAT(a, b) SAMSA_CONCAT_(a, b)

#define SAMSA_TRY_(tmp, ret, expr) \
  do {                             \
    auto tmp = (expr);             \
    if (!tmp) [[unlikely]]         \
      ret ::samsa::fail(std::move(tmp).error()); \
  } while (0)
#define SAMSA_TRY_ASSIGN_(tmp, ret, lhs, expr) \
  auto tmp = (expr);                           \
  if (!tmp) [[unlikely]]                       \
    ret ::samsa::fail(std::move(tmp).error()); \
  lhs = std::move(tmp).value()

#define TRY(expr) SAMSA_TRY_(SAMSA_CONCAT(samsa_try_, __COUNTER__), return, expr)
#define TRY_ASSIGN(lhs, expr) SAMSA_TRY_ASSIGN_(SAMSA_CONCAT(samsa_try_, __COUNTER__), return, lhs, expr)
#define CO_TRY(expr) SAMSA_TRY_(SAMSA_CONCAT(samsa_try_, __COUNTER__), co_return, expr)
#define CO_TRY_ASSIGN(lhs, expr) SAMSA_TRY_ASSIGN_(SAMSA_CONCAT(samsa_try_, __COUNTER__), co_return, lhs, expr)
