#include "tool/time_text.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <chrono>

namespace samsa::tool {

Result<TimestampMs> parse_datetime(std::string_view text) {
  static const re2::RE2 kPattern(R"((\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})\.(\d{3})(?:Z|([+-])(\d{2}):?(\d{2})?)?)");
  int year, month, day, hour, minute, second, milli;
  std::string sign, zone_hours, zone_minutes;
  if (!re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), kPattern, &year, &month, &day, &hour, &minute, &second, &milli, &sign, &zone_hours,
                           &zone_minutes)) {
    if (text.find('T') == std::string_view::npos) {
      return fail(ErrorCode::kInvalidTimestamp, "Error parsing timestamp. It does not contain a 'T' according to ISO8601 format");
    }
    return fail(ErrorCode::kInvalidTimestamp, fmt::format("Unparseable date: \"{}\": it must be YYYY-MM-DDThh:mm:ss.sss", text));
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return fail(ErrorCode::kInvalidRequest, fmt::format("Unparseable date: \"{}\"", text));
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  int64_t ms = ((days * 24 + hour) * 60 + minute) * 60'000 + second * 1000 + milli;
  if (!sign.empty()) {
    const int64_t offset = (std::stoi(zone_hours) * 60 + (zone_minutes.empty() ? 0 : std::stoi(zone_minutes))) * 60'000;
    ms -= sign == "+" ? offset : -offset;
  }
  return ms;
}

Result<int64_t> parse_duration(std::string_view text) {
  static const re2::RE2 kPattern(R"((?i)([-+]?)P(?:([-+]?\d+)D)?(T(?:([-+]?\d+)H)?(?:([-+]?\d+)M)?(?:([-+]?\d+)(?:\.(\d{0,9}))?S)?)?)");
  std::string sign, days, time, hours, minutes, seconds, fraction;
  const bool matched = re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), kPattern, &sign, &days, &time, &hours, &minutes, &seconds, &fraction);
  if (!matched || (days.empty() && hours.empty() && minutes.empty() && seconds.empty()) || time.size() == 1) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("Text cannot be parsed to a Duration: {}", text));
  }
  const auto number = [](const std::string& digits) { return digits.empty() ? int64_t{0} : std::stoll(digits.size() > 12 ? digits.substr(0, 12) : digits); };
  fraction.resize(3, '0');
  const int64_t milli = number(fraction) * (seconds.starts_with('-') ? -1 : 1);
  const int64_t ms = ((number(days) * 24 + number(hours)) * 60 + number(minutes)) * 60'000 + number(seconds) * 1000 + milli;
  return sign == "-" ? -ms : ms;
}

}  // namespace samsa::tool
