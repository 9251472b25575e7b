#include "base/error_code.h"

#include <array>

#include "base/result.h"

namespace samsa {
namespace {

struct Entry {
  ErrorCode code;
  std::string_view name;
  std::string_view text;
  bool retriable;
};

constexpr Entry kTable[] = {
#define SAMSA_ERROR(constant, name, code, retriable, text) {ErrorCode::constant, #name, text, retriable},
#include "base/errors.def"
#undef SAMSA_ERROR
};

const Entry& entry(ErrorCode code) {
  for (const auto& e : kTable) {
    if (e.code == code) return e;
  }
  return kTable[0];
}

}  // namespace

std::string_view error_name(ErrorCode code) { return entry(code).name; }
std::string_view error_text(ErrorCode code) { return entry(code).text; }
bool error_is_retriable(ErrorCode code) { return entry(code).retriable; }
ErrorCode error_from_wire(int16_t code) { return entry(static_cast<ErrorCode>(code)).code; }

std::string Error::text() const { return message.empty() ? std::string(error_text(code)) : message; }
std::string Error::describe() const { return std::string(error_name(code)) + ": " + text(); }

}  // namespace samsa
