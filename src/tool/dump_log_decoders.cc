#include "tool/dump_log_decoders.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include "protocol/codec.h"
#include "protocol/control_batch.h"
#include "protocol/message_json.h"
#include "protocol/metadata_frame.h"
#include "protocol/record/consumer_protocol_assignment.h"
#include "protocol/record/consumer_protocol_subscription.h"
#include "protocol/record/group_metadata_value.h"
#include "protocol/record/k_raft_version_record.h"
#include "protocol/record/leader_change_message.h"
#include "protocol/record/remote_log_segment_metadata_record.h"
#include "protocol/record/remote_log_segment_metadata_snapshot_record.h"
#include "protocol/record/remote_log_segment_metadata_update_record.h"
#include "protocol/record/remote_partition_delete_metadata_record.h"
#include "protocol/record/snapshot_footer_record.h"
#include "protocol/record/snapshot_header_record.h"
#include "protocol/record/voters_record.h"
#include "protocol/schema.h"

namespace samsa::tool {
namespace {

using protocol::MessageKind;
using protocol::MessageTable;

// A message of a table, for as long as it is needed.
class Held {
 public:
  explicit Held(const MessageTable& table) : table_(table), object_(table.object->create()) {}
  ~Held() { table_.object->destroy(object_); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  [[nodiscard]] void* object() const { return object_; }

 private:
  const MessageTable& table_;
  void* object_;
};

// ---- Plain decoders ----

class PlainDecoder final : public RecordDecoder {
 public:
  enum class As { kString, kInteger, kLong, kBytes };
  PlainDecoder(As key, As value) : key_(key), value_(value) {}

  static Result<As> by_class(const std::string& name) {
    for (const auto& [known, as] : {std::pair("StringDecoder", As::kString), std::pair("IntegerDecoder", As::kInteger),
                                    std::pair("LongDecoder", As::kLong), std::pair("DefaultDecoder", As::kBytes)}) {
      if (name == std::string("org.apache.kafka.tools.api.") + known) return as;
    }
    return fail(ErrorCode::kInvalidConfig, fmt::format("Failed to load decoder class: {} is not known; StringDecoder, IntegerDecoder, LongDecoder and "
                                                       "DefaultDecoder of org.apache.kafka.tools.api are", name));
  }

  Result<ShownRecord> show(const protocol::Record& record) override {
    ShownRecord shown;
    if (record.key) {
      TRY_ASSIGN(shown.key, decode(key_, *record.key));
    }
    if (record.value) {
      TRY_ASSIGN(shown.value, decode(value_, *record.value));
    }
    return shown;
  }

 private:
  static Result<std::string> decode(As as, Bytes bytes) {
    const size_t wanted = as == As::kInteger ? 4 : as == As::kLong ? 8 : 0;
    if (bytes.size() < wanted) return fail(ErrorCode::kInvalidRecord, fmt::format("{} bytes are too few for a number of {}", bytes.size(), wanted));
    switch (as) {
      case As::kInteger: return std::to_string(load_be<int32_t>(bytes.data()));
      case As::kLong: return std::to_string(load_be<int64_t>(bytes.data()));
      case As::kString: return protocol::to_valid_utf8(bytes);
      case As::kBytes: break;
    }
    std::string hex;
    for (const uint8_t byte : bytes) hex += fmt::format("{:02x}", byte);
    return hex;
  }

  As key_, value_;
};

// ---- Coordinators ----

// The members of a classic group of consumers carry their subscription and assignment as messages of their own.
template <class M>
bool append_embedded(Bytes bytes, std::string& to) {
  const auto version = protocol::record_prefix(bytes);
  if (!version || *version < M::kMinVersion || *version > M::kMaxVersion) return false;
  M message;
  if (!protocol::decode_prefix(bytes.subspan(2), *version, message)) return false;
  protocol::append_json(M::table(), &message, *version, to);
  return true;
}

bool show_member_bytes(const protocol::StructTable&, const protocol::FieldTable& field, Bytes bytes, std::string& to) {
  const std::string_view name = field.name;
  if (name == "subscription") return append_embedded<protocol::ConsumerProtocolSubscription>(bytes, to);
  if (name == "assignment") return append_embedded<protocol::ConsumerProtocolAssignment>(bytes, to);
  return false;
}

class CoordinatorDecoder final : public RecordDecoder {
 public:
  explicit CoordinatorDecoder(RecordKind kind) {
    // Types are counted per topic; who writes where follows from the name.
    for (const auto* table : protocol::all_messages()) {
      if (table->kind != MessageKind::kKey && table->kind != MessageKind::kValue) continue;
      const std::string_view name = table->name();
      const RecordKind where = name.starts_with("TransactionLog")                                     ? RecordKind::kTransactions
                               : name.starts_with("ShareSnapshot") || name.starts_with("ShareUpdate") ? RecordKind::kShareGroupState
                                                                                                      : RecordKind::kOffsets;
      if (where == kind) (table->kind == MessageKind::kKey ? keys_ : values_)[table->key] = table;
    }
  }

  Result<ShownRecord> show(const protocol::Record& record) override {
    if (!record.key) {
      return fail(ErrorCode::kInvalidRecord, fmt::format("Failed to decode message at offset {} using the specified decoder (message had a missing key)", record.offset));
    }
    const auto type = protocol::record_prefix(*record.key);
    if (!type) return error_at(record.offset, "Could not read version from key's buffer.");
    const auto key_table = keys_.find(*type);
    const auto value_table = values_.find(*type);
    if (key_table == keys_.end() || value_table == values_.end()) {
      return ShownRecord{fmt::format("Unknown record type {} at offset {}, skipping.", *type, record.offset), std::nullopt};
    }
    ShownRecord shown;
    auto key = read(*key_table->second, key_table->second->min_version, record.key->subspan(2), fmt::format("{{\"type\":\"{}\",\"data\":", *type));
    if (!key) return error_at(record.offset, fmt::format("Could not read record with version {} from key's buffer due to: {}.", *type, key.error().message));
    shown.key = *std::move(key);
    if (!record.value) {
      shown.value = "<DELETE>";
      return shown;
    }
    const auto version = protocol::record_prefix(*record.value);
    if (!version) return error_at(record.offset, "Could not read version from value's buffer.");
    const MessageTable& table = *value_table->second;
    if (*version < table.min_version || *version > table.max_version) return error_at(record.offset, "null");
    auto value = read(table, *version, record.value->subspan(2), fmt::format("{{\"version\":\"{}\",\"data\":", *version));
    if (!value) return error_at(record.offset, fmt::format("Could not read record with version {} from value's buffer due to: {}.", *version, value.error().message));
    shown.value = *std::move(value);
    return shown;
  }

 private:
  static ShownRecord error_at(Offset offset, const std::string& what) {
    return {fmt::format("Error at offset {}, skipping. {}", offset, what), std::nullopt};
  }
  static Result<std::string> read(const MessageTable& table, int16_t version, Bytes bytes, std::string text) {
    const Held held(table);
    TRY(protocol::decode_message(table, held.object(), bytes, version));
    const bool consumers = &table == &protocol::GroupMetadataValue::table() &&
                           static_cast<const protocol::GroupMetadataValue*>(held.object())->protocol_type == "consumer";
    protocol::append_json(table, held.object(), version, text, consumers ? protocol::BytesAsJson(show_member_bytes) : protocol::BytesAsJson());
    return text + "}";
  }

  std::map<int16_t, const MessageTable*> keys_, values_;
};

// ---- Metadata ----

// "ClearElrRecord" -> "CLEAR_ELR_RECORD".
std::string type_name(std::string_view message) {
  std::string name;
  for (const char c : message) {
    if (std::isupper(static_cast<unsigned char>(c)) != 0 && !name.empty()) name += '_';
    name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

class ClusterMetadataDecoder final : public RecordDecoder {
 public:
  ClusterMetadataDecoder() {
    for (const auto* table : protocol::all_messages()) {
      if (table->kind == MessageKind::kMetadata) tables_[table->key] = table;
    }
  }

  Result<ShownRecord> show(const protocol::Record& record) override {
    auto text = read(record.value.value_or(Bytes()));
    if (!text) return ShownRecord{std::nullopt, fmt::format("Error at {}, skipping. {}", record.offset, text.error().message)};
    return ShownRecord{std::nullopt, *std::move(text)};
  }

 private:
  Result<std::string> read(Bytes bytes) const {
    TRY_ASSIGN(const auto frame, protocol::peek_metadata_record(bytes));
    const auto found = tables_.find(frame.api_key);
    if (found == tables_.end()) return fail(ErrorCode::kUnsupportedVersion, fmt::format("Unknown metadata id {}", frame.api_key));
    const MessageTable& table = *found->second;
    const Held held(table);
    TRY_ASSIGN(const size_t used, protocol::decode_message(table, held.object(), frame.body, frame.version));
    if (used != frame.body.size()) return fail(ErrorCode::kInvalidRecord, fmt::format("Found {} byte(s) of garbage after {}", frame.body.size() - used, table.name()));
    std::string text = fmt::format("{{\"type\":\"{}\",\"version\":{},\"data\":", type_name(table.name()), frame.version);
    protocol::append_json(table, held.object(), frame.version, text);
    return text + "}";
  }

  std::map<int16_t, const MessageTable*> tables_;
};

template <class State>
Result<std::string> state_name(const State& names, int8_t state, const char* otherwise = "state can not be null") {
  if (state < 0 || static_cast<size_t>(state) >= names.size()) return fail(ErrorCode::kInvalidRecord, otherwise);
  return names[static_cast<size_t>(state)];
}
constexpr std::array<const char*, 4> kSegmentStates = {"COPY_SEGMENT_STARTED", "COPY_SEGMENT_FINISHED", "DELETE_SEGMENT_STARTED", "DELETE_SEGMENT_FINISHED"};
constexpr std::array<const char*, 3> kDeleteStates = {"DELETE_PARTITION_MARKED", "DELETE_PARTITION_STARTED", "DELETE_PARTITION_FINISHED"};

template <class T>
std::string partition_text(const T& partition) {
  return fmt::format("{}:{}-{}", partition.id.to_string(), partition.name.view(), partition.partition);
}
template <class T>
std::string segment_text(const T& segment) {
  return fmt::format("RemoteLogSegmentId{{topicIdPartition={}, id={}}}", partition_text(segment.topic_id_partition), segment.id.to_string());
}
template <class T>
std::string epochs_text(const std::vector<T>& epochs) {
  std::map<int32_t, int64_t> sorted;
  for (const auto& entry : epochs) sorted[entry.leader_epoch] = entry.offset;
  std::string text;
  for (const auto& [epoch, offset] : sorted) text += fmt::format("{}{}={}", text.empty() ? "" : ", ", epoch, offset);
  return "{" + text + "}";
}
std::string custom_text(const protocol::NullableBlob& custom) {
  return custom ? fmt::format("Optional[CustomMetadata{{{} bytes}}]", custom->size()) : "Optional.empty";
}

class RemoteLogMetadataDecoder final : public RecordDecoder {
 public:
  Result<ShownRecord> show(const protocol::Record& record) override {
    auto text = read(record.value.value_or(Bytes()));
    if (!text) return ShownRecord{std::nullopt, fmt::format("Error at offset {}, skipping. {}", record.offset, text.error().message)};
    return ShownRecord{std::nullopt, *std::move(text)};
  }

 private:
  static Result<std::string> read(Bytes bytes) {
    TRY_ASSIGN(const auto frame, protocol::peek_metadata_record(bytes));
    switch (frame.api_key) {
      case protocol::RemoteLogSegmentMetadataRecord::kApiKey: {
        TRY_ASSIGN(const auto m, protocol::decode_metadata_record<protocol::RemoteLogSegmentMetadataRecord>(frame));
        TRY_ASSIGN(const std::string state, state_name(kSegmentStates, m.remote_log_segment_state));
        return fmt::format("RemoteLogSegmentMetadata{{remoteLogSegmentId={}, startOffset={}, endOffset={}, brokerId={}, maxTimestampMs={}, "
                           "eventTimestampMs={}, segmentLeaderEpochs={}, segmentSizeInBytes={}, customMetadata={}, state={}, txnIdxEmpty={}}}",
                           segment_text(m.remote_log_segment_id), m.start_offset, m.end_offset, m.broker_id, m.max_timestamp_ms, m.event_timestamp_ms,
                           epochs_text(m.segment_leader_epochs), m.segment_size_in_bytes, custom_text(m.custom_metadata),
                           state, m.txn_index_empty);
      }
      case protocol::RemoteLogSegmentMetadataUpdateRecord::kApiKey: {
        TRY_ASSIGN(const auto m, protocol::decode_metadata_record<protocol::RemoteLogSegmentMetadataUpdateRecord>(frame));
        TRY_ASSIGN(const std::string state, state_name(kSegmentStates, m.remote_log_segment_state));
        return fmt::format("RemoteLogSegmentMetadataUpdate{{remoteLogSegmentId={}, customMetadata={}, state={}, eventTimestampMs={}, brokerId={}}}",
                           segment_text(m.remote_log_segment_id), custom_text(m.custom_metadata), state,
                           m.event_timestamp_ms, m.broker_id);
      }
      case protocol::RemotePartitionDeleteMetadataRecord::kApiKey: {
        TRY_ASSIGN(const auto m, protocol::decode_metadata_record<protocol::RemotePartitionDeleteMetadataRecord>(frame));
        TRY_ASSIGN(const std::string state, state_name(kDeleteStates, m.remote_partition_delete_state, "null"));
        return fmt::format("RemotePartitionDeleteMetadata{{topicPartition={}, state={}, eventTimestampMs={}, brokerId={}}}", partition_text(m.topic_id_partition),
                           state, m.event_timestamp_ms, m.broker_id);
      }
      case protocol::RemoteLogSegmentMetadataSnapshotRecord::kApiKey: {
        TRY_ASSIGN(const auto m, protocol::decode_metadata_record<protocol::RemoteLogSegmentMetadataSnapshotRecord>(frame));
        TRY_ASSIGN(const std::string state, state_name(kSegmentStates, m.remote_log_segment_state));
        return fmt::format("RemoteLogSegmentMetadataSnapshot{{segmentId={}, startOffset={}, endOffset={}, maxTimestampMs={}, segmentLeaderEpochs={}, "
                           "segmentSizeInBytes={}, customMetadata={}, state={}, txnIdxEmpty={}}}",
                           m.segment_id.to_string(), m.start_offset, m.end_offset, m.max_timestamp_ms, epochs_text(m.segment_leader_epochs),
                           m.segment_size_in_bytes, custom_text(m.custom_metadata), state, m.txn_index_empty);
      }
      default: return fail(ErrorCode::kUnsupportedVersion, fmt::format("Unknown metadata id {}", frame.api_key));
    }
  }
};

// A control record of the quorum says its version in its first field.
template <class M>
Result<std::string> control_json(std::string_view title, Bytes value) {
  TRY_ASSIGN(const int16_t version, protocol::record_prefix(value));
  const int16_t known = std::clamp<int16_t>(version, M::kMinVersion, M::kMaxVersion);
  M message;
  TRY(protocol::decode_prefix(value, known, message));
  return fmt::format(" {} {}", title, protocol::to_json(message, known));
}

}  // namespace

std::unique_ptr<RecordDecoder> make_record_decoder(RecordKind kind) {
  switch (kind) {
    case RecordKind::kClusterMetadata: return std::make_unique<ClusterMetadataDecoder>();
    case RecordKind::kRemoteLogMetadata: return std::make_unique<RemoteLogMetadataDecoder>();
    default: return std::make_unique<CoordinatorDecoder>(kind);
  }
}

Result<std::unique_ptr<RecordDecoder>> make_plain_decoder(const std::string& key_class, const std::string& value_class) {
  TRY_ASSIGN(const auto value, PlainDecoder::by_class(value_class));
  TRY_ASSIGN(const auto key, PlainDecoder::by_class(key_class));
  return std::make_unique<PlainDecoder>(key, value);
}

Result<std::string> show_control_record(const protocol::Record& record) {
  TRY_ASSIGN(const auto type, protocol::control_type(record.key));
  const Bytes value = record.value.value_or(Bytes());
  using protocol::ControlType;
  switch (type) {
    case ControlType::kAbort:
    case ControlType::kCommit:
      if (value.size() < 6) return fail(ErrorCode::kInvalidRecord, "Invalid raw bytes: an end transaction marker is longer");
      return fmt::format(" endTxnMarker: {} coordinatorEpoch: {}", type == ControlType::kCommit ? "COMMIT" : "ABORT", load_be<int32_t>(value.data() + 2));
    case ControlType::kLeaderChange: return control_json<protocol::LeaderChangeMessage>("LeaderChange:", value);
    case ControlType::kSnapshotHeader: return control_json<protocol::SnapshotHeaderRecord>("SnapshotHeader", value);
    case ControlType::kSnapshotFooter: return control_json<protocol::SnapshotFooterRecord>("SnapshotFooter", value);
    case ControlType::kKraftVersion: return control_json<protocol::KRaftVersionRecord>("KRaftVersion", value);
    case ControlType::kKraftVoters: return control_json<protocol::VotersRecord>("KRaftVoters", value);
    case ControlType::kUnknown: break;
  }
  return fmt::format(" controlType: UNKNOWN({})", load_be<int16_t>(record.key->data() + 2));
}

}  // namespace samsa::tool
