#include "tool/java_text.h"

#include <fmt/format.h>

namespace samsa::tool {

int32_t java_hash(std::string_view text) {
  uint32_t hash = 0;
  for (const char c : text) hash = 31 * hash + static_cast<unsigned char>(c);
  return static_cast<int32_t>(hash);
}

int32_t java_hash(const TopicPartition& partition) {
  return static_cast<int32_t>(31 * (31 + static_cast<uint32_t>(partition.partition)) + static_cast<uint32_t>(java_hash(partition.topic)));
}

int32_t java_hash(const TopicPartition& partition, int32_t broker) {
  const uint32_t first = 31 * (31 + static_cast<uint32_t>(java_hash(partition.topic))) + static_cast<uint32_t>(partition.partition);
  return static_cast<int32_t>(31 * first + static_cast<uint32_t>(broker));
}

void in_java_hash_order(std::vector<int32_t>& ids, size_t capacity) {
  in_java_hash_order(ids, [](int32_t id) { return id; }, capacity);
}

std::string java_exception(ErrorCode code) {
  // Where the name of the class is not that of the code.
  constexpr std::pair<ErrorCode, std::string_view> kOthers[] = {
      {ErrorCode::kUnknownServerError, "UnknownServerException"},
      {ErrorCode::kCorruptMessage, "CorruptRecordException"},
      {ErrorCode::kRequestTimedOut, "TimeoutException"},
      {ErrorCode::kMessageTooLarge, "RecordTooLargeException"},
      {ErrorCode::kStaleControllerEpoch, "ControllerMovedException"},
      {ErrorCode::kOffsetMetadataTooLarge, "OffsetMetadataTooLarge"},
      {ErrorCode::kNetworkException, "NetworkException"},
      {ErrorCode::kRecordListTooLarge, "RecordBatchTooLargeException"},
      {ErrorCode::kTopicAuthorizationFailed, "TopicAuthorizationException"},
      {ErrorCode::kGroupAuthorizationFailed, "GroupAuthorizationException"},
      {ErrorCode::kClusterAuthorizationFailed, "ClusterAuthorizationException"},
      {ErrorCode::kTopicAlreadyExists, "TopicExistsException"},
      {ErrorCode::kInvalidConfig, "InvalidConfigurationException"},
      {ErrorCode::kOutOfOrderSequenceNumber, "OutOfOrderSequenceException"},
      {ErrorCode::kDuplicateSequenceNumber, "DuplicateSequenceException"},
      {ErrorCode::kInvalidProducerIdMapping, "InvalidPidMappingException"},
      {ErrorCode::kInvalidTransactionTimeout, "InvalidTxnTimeoutException"},
      {ErrorCode::kTransactionalIdAuthorizationFailed, "TransactionalIdAuthorizationException"},
      {ErrorCode::kKafkaStorageError, "KafkaStorageException"},
      {ErrorCode::kSaslAuthenticationFailed, "SaslAuthenticationException"},
      {ErrorCode::kDelegationTokenAuthDisabled, "DelegationTokenDisabledException"},
      {ErrorCode::kDelegationTokenRequestNotAllowed, "UnsupportedByAuthenticationException"},
      {ErrorCode::kDelegationTokenAuthorizationFailed, "DelegationTokenAuthorizationException"},
      {ErrorCode::kNonEmptyGroup, "GroupNotEmptyException"},
      {ErrorCode::kPrincipalDeserializationFailure, "PrincipalDeserializationException"},
      {ErrorCode::kFetchSessionTopicIdError, "FetchSessionTopicIdException"},
      {ErrorCode::kInvalidRegularExpression, "InvalidRegularExpression"},
  };
  const std::string package = "org.apache.kafka.common.errors.";
  if (code == ErrorCode::kInvalidRecord) return "org.apache.kafka.common.InvalidRecordException";
  for (const auto& [other, name] : kOthers) {
    if (other == code) return package + std::string(name);
  }
  std::string text;
  bool start = true;
  for (const char c : error_name(code)) {
    if (c != '_') text += start ? c : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    start = c == '_';
  }
  return package + text + (text.ends_with("Exception") ? "" : "Exception");
}

std::string java_exception_text(const Error& error) { return java_exception(error.code) + ": " + error.text(); }

std::string json_text(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    switch (c) {
      case '"': json += "\\\""; break;
      case '\\': json += "\\\\"; break;
      case '\n': json += "\\n"; break;
      case '\r': json += "\\r"; break;
      case '\t': json += "\\t"; break;
      case '\b': json += "\\b"; break;
      case '\f': json += "\\f"; break;
      default: json += static_cast<unsigned char>(c) < 0x20 ? fmt::format("\\u{:04X}", c) : std::string(1, c);
    }
  }
  return json + "\"";
}

}  // namespace samsa::tool
