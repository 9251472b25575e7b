#include "tool/time_text.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <chrono>

namespace samsa::tool {

Result<TimestampMs> parse_datetime(std::string_view text) {
  // Java looks for the parts first, then for a zone, and passes over whatever stands behind the zone.
  const size_t letter = text.find('T');
  if (letter == std::string_view::npos || text.find_first_not_of('T', letter) == std::string_view::npos) {
    return fail(ErrorCode::kInvalidTimestamp, "java.text.ParseException: Error parsing timestamp. It does not contain a 'T' according to ISO8601 format");
  }
  const std::string_view time = text.substr(letter + 1);
  const std::string zoned = std::string(text) + (time.substr(0, time.find('T')).find_first_of("+-Z") == std::string_view::npos ? "Z" : "");
  const auto unparseable = [&zoned] { return fail(ErrorCode::kInvalidTimestamp, fmt::format("java.text.ParseException: Unparseable date: \"{}\"", zoned)); };
  static const re2::RE2 kPattern(R"((\d{1,6})-(\d{1,6})-(\d{1,6})T(\d{1,6}):(\d{1,6}):(\d{1,6})\.(\d{1,6})(?:Z|([+-])(\d{2})(?::(\d{2}))?).*)");
  int year, month, day, hour, minute, second, milli;
  std::string sign, zone_hours, zone_minutes;
  if (!re2::RE2::FullMatch(zoned, kPattern, &year, &month, &day, &hour, &minute, &second, &milli, &sign, &zone_hours, &zone_minutes)) return unparseable();
  if (year > 9999 || month > 12 || day > 31 || hour > 23 || minute > 59 || second > 59 || milli > 999) return unparseable();
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return unparseable();
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  int64_t ms = ((days * 24 + hour) * 60 + minute) * 60'000 + second * 1000 + milli;
  if (!sign.empty()) {
    const int hours = std::stoi(zone_hours), minutes = zone_minutes.empty() ? 0 : std::stoi(zone_minutes);
    if (hours > 23) return unparseable();
    const int64_t offset = (hours * 60 + (minutes > 59 ? 0 : minutes)) * int64_t{60'000};
    ms -= sign == "+" ? offset : -offset;
  }
  return ms;
}

Result<int64_t> parse_duration(std::string_view text) {
  static const re2::RE2 kPattern(R"((?i)([-+]?)P(?:([-+]?\d+)D)?(T(?:([-+]?\d+)H)?(?:([-+]?\d+)M)?(?:([-+]?\d+)(?:\.(\d{0,9}))?S)?)?)");
  std::string sign, days, time, hours, minutes, seconds, fraction;
  const bool matched = re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), kPattern, &sign, &days, &time, &hours, &minutes, &seconds, &fraction);
  if (!matched || (days.empty() && hours.empty() && minutes.empty() && seconds.empty()) || time.size() == 1) {
    return fail(ErrorCode::kInvalidTimestamp, "Text cannot be parsed to a Duration");
  }
  const auto number = [](const std::string& digits) { return digits.empty() ? int64_t{0} : std::stoll(digits.size() > 12 ? digits.substr(0, 12) : digits); };
  fraction.resize(3, '0');
  const int64_t milli = number(fraction) * (seconds.starts_with('-') ? -1 : 1);
  const int64_t ms = ((number(days) * 24 + number(hours)) * 60 + number(minutes)) * 60'000 + number(seconds) * 1000 + milli;
  return sign == "-" ? -ms : ms;
}

}  // namespace samsa::tool
