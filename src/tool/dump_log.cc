// kafka-dump-log.sh: what is in segments, snapshots and indexes.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "protocol/compression.h"
#include "protocol/legacy_batch.h"
#include "protocol/message_json.h"
#include "tool/commands.h"
#include "tool/dump_log_decoders.h"
#include "tool/dump_log_files.h"
#include "tool/options.h"

namespace samsa::tool {
namespace {

constexpr const char* kStringDecoder = "org.apache.kafka.tools.api.StringDecoder";

struct DumpOptions {
  std::vector<std::string> files;
  bool deep = false;
  bool contents = false;
  bool skip_metadata = false;
  uint64_t max_bytes = INT32_MAX;
  IndexMode index;
  std::unique_ptr<RecordDecoder> decoder;
  std::optional<Error> no_decoder;  // Said when the first log is looked at.
};

Options declare() {
  Options options("This tool helps to parse a log file and dump its contents to the console, useful for debugging a seemingly corrupt log segment.");
  options.flag("print-data-log", "Print the records' keys and values too. Follows from any decoder.")
      .flag("verify-index-only", "Hold indexes against the log without printing them.")
      .flag("index-sanity-check", "Only check what a node checks at its start before it uses an index.")
      .value("files", "file1, file2, ...", "REQUIRED: The files to show, separated by commas.")
      .value("max-message-size", "size", "Size of the largest batch that indexes point to.", "5242880")
      .value("max-bytes", "size", "Stop after that many bytes of each log.", "2147483647")
      .flag("deep-iteration", "Show records, not only batches. Follows from --print-data-log.")
      .optional_value("value-decoder-class", "class", "A class of org.apache.kafka.tools.api: StringDecoder, IntegerDecoder, LongDecoder, DefaultDecoder.")
      .optional_value("key-decoder-class", "class", "The same for keys.")
      .flag("offsets-decoder", "The log is one of __consumer_offsets.")
      .flag("transaction-log-decoder", "The log is one of __transaction_state.")
      .flag("cluster-metadata-decoder", "The log is __cluster_metadata or a snapshot of it.")
      .flag("remote-log-metadata-decoder", "The log is one of __remote_log_metadata.")
      .flag("share-group-state-decoder", "The log is one of __share_group_state.")
      .flag("skip-record-metadata", "Print keys and values without offsets and sizes. Control records are left out.");
  return options;
}

Result<DumpOptions> evaluate(const Options& options) {
  TRY(options.single());
  DumpOptions dump;
  std::string list = options.get_or("files", "");
  for (size_t at = 0; at <= list.size();) {
    const size_t comma = std::min(list.find(',', at), list.size());
    if (comma > at) dump.files.push_back(list.substr(at, comma - at));
    at = comma + 1;
  }
  dump.contents = options.has("print-data-log") || options.has("value-decoder-class") || options.has("key-decoder-class");
  constexpr std::pair<const char*, RecordKind> kKinds[] = {{"offsets-decoder", RecordKind::kOffsets},
                                                           {"transaction-log-decoder", RecordKind::kTransactions},
                                                           {"cluster-metadata-decoder", RecordKind::kClusterMetadata},
                                                           {"remote-log-metadata-decoder", RecordKind::kRemoteLogMetadata},
                                                           {"share-group-state-decoder", RecordKind::kShareGroupState}};
  for (const auto& [name, kind] : kKinds) {
    if (!options.has(name)) continue;
    dump.contents = true;
    if (!dump.decoder) dump.decoder = make_record_decoder(kind);
  }
  if (!dump.decoder) {
    auto plain = make_plain_decoder(options.get_or("key-decoder-class", kStringDecoder), options.get_or("value-decoder-class", kStringDecoder));
    if (plain) {
      dump.decoder = *std::move(plain);
    } else {
      dump.no_decoder = plain.error();
    }
  }
  dump.deep = dump.contents || options.has("deep-iteration");
  dump.skip_metadata = options.has("skip-record-metadata");
  dump.index.verify_only = options.has("verify-index-only");
  dump.index.sanity_only = options.has("index-sanity-check");
  TRY_ASSIGN(const auto max_message_size, options.number("max-message-size", 0, INT32_MAX));
  dump.index.max_message_size = static_cast<uint64_t>(*max_message_size);
  TRY_ASSIGN(const auto max_bytes, options.number("max-bytes", 0, INT32_MAX));
  dump.max_bytes = static_cast<uint64_t>(*max_bytes);
  return dump;
}

std::string_view timestamp_type(int8_t magic, int16_t attributes) {
  if (magic == 0) return "NoTimestampType";
  return (attributes & protocol::attribute::kLogAppendTime) != 0 ? "LogAppendTime" : "CreateTime";
}

Result<std::string> codec_text(int16_t attributes) {
  const auto codec = protocol::codec_from_bits(attributes & protocol::attribute::kCodecMask);
  if (!codec) return fail(ErrorCode::kCorruptMessage, fmt::format("Unknown compression type id: {}", attributes & protocol::attribute::kCodecMask));
  return std::string(protocol::codec_name(*codec));
}

// Magic 0 and 1 keep their attributes, CRC and timestamp at other places.
struct LegacyHead {
  explicit LegacyHead(Bytes entry)
      : crc(load_be<uint32_t>(entry.data() + 12)),
        attributes(load_be<int8_t>(entry.data() + 17)),
        timestamp(load_be<int8_t>(entry.data() + 16) == 1 ? load_be<int64_t>(entry.data() + 18) : kNoTimestamp) {}
  uint32_t crc;
  int16_t attributes;
  TimestampMs timestamp;
};

Result<std::string> batch_line(const FiledBatch& filed, Bytes bytes) {
  std::string line;
  const protocol::BatchHeader header(bytes.data());
  int16_t attributes = 0;
  uint32_t crc = 0;
  TimestampMs most = kNoTimestamp;
  if (filed.magic >= protocol::kMagicV2) {
    const auto horizon = header.delete_horizon();
    line = fmt::format(
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} partitionLeaderEpoch: {} isTransactional: {} "
        "isControl: {} deleteHorizonMs: {}",
        header.base_offset(), header.last_offset(), header.record_count(), header.base_sequence(), header.last_sequence(), header.producer_id(), header.producer_epoch(),
        header.leader_epoch(), header.is_transactional(), header.is_control(), horizon ? fmt::format("OptionalLong[{}]", *horizon) : "OptionalLong.empty");
    attributes = header.attributes();
    crc = header.crc();
    most = header.max_timestamp();
  } else {
    if (bytes.size() < protocol::kBatchOverhead + (filed.magic == 0 ? 14U : 22U)) return fail(ErrorCode::kCorruptMessage, "an entry shorter than its header");
    const LegacyHead head(bytes);
    line = fmt::format("offset: {}", filed.last_offset);
    attributes = head.attributes;
    crc = head.crc;
    most = head.timestamp;
  }
  TRY_ASSIGN(const std::string codec, codec_text(attributes));
  return line + fmt::format(" position: {} {}: {} size: {} magic: {} compresscodec: {} crc: {} isvalid: {}\n", filed.position, timestamp_type(filed.magic, attributes), most,
                            filed.size, int{filed.magic}, codec, crc, protocol::any_crc_matches(bytes));
}

int32_t sequence_of(const protocol::BatchHeader& batch, const protocol::Record& record) {
  if (batch.base_sequence() < 0) return kNoSequence;
  return static_cast<int32_t>((int64_t{batch.base_sequence()} + (record.offset - batch.base_offset())) & INT32_MAX);
}

Result<std::string> record_metadata(const FiledBatch& filed, Bytes bytes, const protocol::Record& record) {
  const protocol::BatchHeader header(bytes.data());
  const bool legacy = filed.magic < protocol::kMagicV2;
  const int16_t attributes = legacy ? LegacyHead(bytes).attributes : header.attributes();
  std::string line = fmt::format("| offset: {} {}: {} keySize: {} valueSize: {}", record.offset, timestamp_type(filed.magic, attributes), record.timestamp,
                                 record.key ? static_cast<int64_t>(record.key->size()) : -1, record.value ? static_cast<int64_t>(record.value->size()) : -1);
  if (legacy) {
    // The sum of a compressed entry's inner records was checked when it was unpacked; that of a plain one stands in it.
    if ((attributes & protocol::attribute::kCodecMask) == 0) line += fmt::format(" isValid: {} crc: {}", protocol::any_crc_matches(bytes), LegacyHead(bytes).crc);
    return line;
  }
  std::string keys;
  for (const auto& name : record.headers) keys += (keys.empty() ? "" : ",") + protocol::to_valid_utf8(as_bytes(name.key));
  line += fmt::format(" sequence: {} headerKeys: [{}]", sequence_of(header, record), keys);
  if (header.is_control()) {
    TRY_ASSIGN(const std::string control, show_control_record(record));
    line += control;
  }
  return line;
}

Result<void> dump_records(ToolContext& context, const DumpOptions& dump, const std::string& path, const FiledBatch& filed, Bytes bytes, Offset& last, IndexProblems& problems) {
  protocol::Scratch scratch;
  TRY_ASSIGN(const auto records, records_of(bytes, scratch));
  const bool control = filed.magic >= protocol::kMagicV2 && protocol::BatchHeader(bytes.data()).is_control();
  for (const auto& record : records) {
    if (record.offset != last + 1) IndexProblems::note(problems.gaps, path, last, record.offset);
    last = record.offset;
    std::string line;
    if (!dump.skip_metadata) {
      TRY_ASSIGN(line, record_metadata(filed, bytes, record));
    }
    if (dump.contents && !control) {
      TRY_ASSIGN(const auto shown, dump.decoder->show(record));
      std::string prefix = dump.skip_metadata ? "| " : " ";
      if (shown.key) {
        line += prefix + "key: " + *shown.key;
        prefix = " ";
      }
      if (shown.value) line += prefix + "payload: " + *shown.value;
    }
    if (!context.console.write(line + "\n")) return fail(ErrorCode::kUnknownServerError, "nobody reads any more");
  }
  return {};
}

Result<void> title(ToolContext& context, const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  if (name.ends_with(".log")) {
    TRY_ASSIGN(const Offset base, base_offset_of(path));
    context.console.write(fmt::format("Log starting offset: {}\n", base));
  } else if (name == "bootstrap.checkpoint") {
    context.console.write("KRaft bootstrap snapshot\n");
  } else {
    const auto number = [&name](size_t from, size_t size) -> std::optional<int64_t> {
      const std::string digits = name.size() > from + size ? name.substr(from, size) : "";
      if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
      return std::stoll(digits);
    };
    const auto offset = number(0, 20), epoch = number(21, 10);
    if (!offset || !epoch) return fail(ErrorCode::kInvalidRequest, fmt::format("{} is not the name of a snapshot", name));
    context.console.write(fmt::format("Snapshot end offset: {}, epoch: {}\n", *offset, *epoch));
  }
  return {};
}

Result<void> dump_log(ToolContext& context, const DumpOptions& dump, const std::string& path, IndexProblems& problems) {
  if (dump.no_decoder) return fail(*dump.no_decoder);
  TRY(title(context, path));
  TRY_ASSIGN(auto log, LogFile::open(context.world.disk, path, dump.max_bytes));
  uint64_t position = 0;
  Offset last = -1;
  for (;;) {
    TRY_ASSIGN(const auto batch, log.batch_at(position, log.size()));
    if (!batch) break;
    TRY_ASSIGN(const Bytes bytes, log.bytes(*batch));
    TRY_ASSIGN(const std::string line, batch_line(*batch, bytes));
    if (!context.console.write(line)) return fail(ErrorCode::kUnknownServerError, "nobody reads any more");
    if (dump.deep) TRY(dump_records(context, dump, path, *batch, bytes, last, problems));
    position += batch->size;
  }
  if (position < log.size() && dump.max_bytes == INT32_MAX) {
    context.console.write(fmt::format("Found {} invalid bytes at the end of {}\n", log.size() - position, path.substr(path.rfind('/') + 1)));
  }
  return {};
}

Result<void> dump_file(ToolContext& context, const DumpOptions& dump, const std::string& path, IndexProblems& problems) {
  context.console.write(fmt::format("Dumping {}\n", path));
  const std::string name = path.substr(path.rfind('/') + 1);
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos) return fail(ErrorCode::kInvalidRequest, fmt::format("{} has no suffix that says what it is", path));
  const std::string suffix = name.substr(dot);
  if (suffix == ".log" || suffix == ".checkpoint") return dump_log(context, dump, path, problems);
  if (suffix == ".index") return dump_offset_index(context, path, dump.index, problems);
  if (suffix == ".timeindex") return dump_time_index(context, path, dump.index, problems);
  if (suffix == ".snapshot") return dump_producer_snapshot(context, path);
  if (suffix == ".txnindex") return dump_transaction_index(context, path);
  context.console.write_error(fmt::format("Ignoring unknown file {}\n", path));
  return {};
}

}  // namespace

io::Task<int> run_dump_log(ToolContext& context, Arguments arguments) {
  Options options = declare();
  if (const auto parsed = options.parse(arguments); !parsed) co_return refuse(context, parsed.error().text());
  if (const auto code = answer_help(context, arguments, options)) co_return *code;
  if (const auto files = options.require("files"); !files) co_return refuse(context, files.error().text(), options);
  const auto dump = evaluate(options);
  if (!dump) co_return refuse(context, dump.error().text());
  IndexProblems problems;
  for (const auto& path : dump->files) {
    if (const auto done = dump_file(context, *dump, path, problems); !done) co_return refuse(context, done.error().text());
  }
  context.console.write_error(problems.text());
  co_return 0;
}

}  // namespace samsa::tool
