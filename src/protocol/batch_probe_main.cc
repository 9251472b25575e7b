// Record batches on a pipe, for tests/wire/test_batches.py: one line in, one line out.
//   write     "B magic codec level base epoch lat pid pepoch seq txn horizon | offset ts key value headers | ..." → hex of the batch
//             "M pid pepoch commit coordinator_epoch offset epoch ts" → hex of the transaction marker
//   read      hex of batches → the batch's fields and records in words, or "error CODE"
//   validate  "version compacted lat now before after max target" and hex → "ok rewrite|keep count max_timestamp" or the error's code
// Bytes are hex; "." is empty and "-" null; headers are key:value pairs with commas.
#include <fmt/format.h>

#include <charconv>
#include <iostream>
#include <sstream>

#include "protocol/batch_validation.h"
#include "protocol/control_batch.h"
#include "protocol/legacy_batch.h"

namespace samsa::protocol {
namespace {

std::string to_hex(Bytes bytes) {
  std::string text;
  for (const uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}
Buffer from_hex(std::string_view text) {
  Buffer bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    uint8_t byte = 0;
    std::from_chars(text.data() + i, text.data() + i + 2, byte, 16);
    bytes.push_back(byte);
  }
  return bytes;
}
std::string word(const std::optional<Bytes>& bytes) { return !bytes ? "-" : bytes->empty() ? "." : to_hex(*bytes); }
std::optional<Buffer> bytes_of(std::string_view text) {
  if (text == "-") return std::nullopt;
  return text == "." ? Buffer{} : from_hex(text);
}
std::optional<Bytes> view(const std::optional<Buffer>& bytes) { return bytes ? std::optional<Bytes>(*bytes) : std::nullopt; }
std::optional<int64_t> number_or_none(const std::string& text) { return text == "-" ? std::nullopt : std::optional(std::stoll(text)); }

struct OwnedHeader {
  Buffer key;
  std::optional<Buffer> value;
};
std::vector<OwnedHeader> headers_of(const std::string& text) {
  std::vector<OwnedHeader> headers;
  if (text == "-") return headers;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const size_t colon = part.find(':');
    headers.push_back({*bytes_of(part.substr(0, colon)), bytes_of(part.substr(colon + 1))});
  }
  return headers;
}

std::string write_batch(std::istringstream& line) {
  BatchOptions options;
  std::string codec;
  std::string stamp;
  std::string horizon;
  std::string separator;
  int magic = 0;
  line >> magic >> codec >> options.level >> options.base_offset >> options.leader_epoch >> stamp >> options.producer_id >>
      options.producer_epoch >> options.base_sequence >> options.transactional >> horizon >> separator;
  options.codec = codec_from_name(codec).value_or(Codec::kNone);
  options.log_append_time = number_or_none(stamp);
  options.delete_horizon = number_or_none(horizon);
  RecordBatchBuilder builder(options);
  Offset offset = 0;
  TimestampMs timestamp = 0;
  for (std::string key, value, headers; line >> offset >> timestamp >> key >> value >> headers; line >> separator) {
    const auto owned = headers_of(headers);
    std::vector<HeaderView> views;
    for (const auto& header : owned) views.push_back({as_text(header.key), view(header.value)});
    const auto key_bytes = bytes_of(key);
    const auto value_bytes = bytes_of(value);
    builder.append_at(offset, timestamp, view(key_bytes), view(value_bytes), views);
  }
  return to_hex(builder.build().value());
}

std::string write(const std::string& text) {
  std::istringstream line(text);
  std::string kind;
  line >> kind;
  if (kind == "B") return write_batch(line);
  TransactionMarker marker;
  Offset offset = 0;
  LeaderEpoch epoch = 0;
  TimestampMs timestamp = 0;
  line >> marker.producer_id >> marker.producer_epoch >> marker.commit >> marker.coordinator_epoch >> offset >> epoch >> timestamp;
  return to_hex(transaction_marker_batch(marker, offset, epoch, timestamp));
}

std::string print_record(const Record& record) {
  std::string headers;
  for (const auto& header : record.headers) {
    headers += fmt::format("{}{}:{}", headers.empty() ? "" : ",", word(as_bytes(header.key)), word(header.value));
  }
  return fmt::format(" | {} {} {} {} {}", record.offset, record.timestamp, word(record.key), word(record.value), headers.empty() ? "-" : headers);
}

std::string error_line(const Error& error) { return fmt::format("error {}", error_name(error.code)); }

std::string read_legacy(Bytes bytes) {
  std::string text = fmt::format("legacy {}", any_crc_matches(bytes) ? "crc-ok" : "crc-several");
  Scratch scratch;
  while (!bytes.empty()) {
    const auto summary = summarize_batch(bytes);
    if (!summary || !*summary) return "error";
    std::vector<Record> records;
    const auto result = read_legacy_entry(bytes.first((*summary)->size), scratch, records);
    if (!result) return error_line(result.error());
    for (const auto& record : records) text += print_record(record);
    bytes = bytes.subspan((*summary)->size);
  }
  return text;
}

std::string read(const std::string& hex) {
  const Buffer bytes = from_hex(hex);
  if (bytes.size() > 16 && bytes[16] < 2) return read_legacy(bytes);
  const auto batch = BatchView::parse(bytes);
  if (!batch) return error_line(batch.error());
  std::string text = fmt::format("{} {} {} {} {} {} {} {} {} {} {}", batch->base_offset(), batch->leader_epoch(), batch->magic(),
                                 batch->attributes(), batch->last_offset_delta(), batch->max_timestamp(), batch->producer_id(),
                                 batch->producer_epoch(), batch->base_sequence(), batch->record_count(), batch->crc_matches());
  Scratch scratch;
  auto reader = RecordReader::open(*batch, scratch);
  if (!reader) return error_line(reader.error());
  Record record;
  while (true) {
    const auto more = reader->next(record);
    if (!more) return error_line(more.error());
    if (!*more) return text;
    text += print_record(record);
  }
}

std::string validate(const std::string& text) {
  std::istringstream line(text);
  ProduceRules rules{.partition = "t-0"};
  bool log_append_time = false;
  std::string target;
  std::string hex;
  line >> rules.produce_version >> rules.compacted >> log_append_time >> rules.now >> rules.timestamp_before_max_ms >>
      rules.timestamp_after_max_ms >> rules.max_batch_size >> target >> hex;
  if (log_append_time) rules.timestamp_type = TimestampType::kLogAppendTime;
  if (target != "producer") rules.target_codec = codec_from_name(target);
  const Buffer bytes = from_hex(hex);
  Scratch scratch;
  const auto valid = validate_for_append(bytes, rules, scratch);
  if (!valid) {
    std::string records;
    for (const auto& fault : valid.error().records) records += fmt::format(" {}", fault.batch_index);
    return fmt::format("{}{}", error_name(valid.error().error.code), records);
  }
  return fmt::format("ok {} {} {}", valid->rewrite ? "rewrite" : "keep", valid->record_count, valid->max_timestamp);
}

int run(std::string_view mode) {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << (mode == "write" ? write(line) : mode == "read" ? read(line) : validate(line)) << '\n';
  }
  return 0;
}

}  // namespace
}  // namespace samsa::protocol

int main(int argc, char** argv) { return argc == 2 ? samsa::protocol::run(argv[1]) : 2; }
