// Metadata records as framed bytes: try_encode(message, version), encode(message, version), and visit() over the generated types. For .cc files.
#pragma once

#include <type_traits>

#include <fmt/format.h>

#include "base/result.h"
#include "protocol/codec.h"
#include "protocol/metadata_frame.h"
#include "protocol/record/abort_transaction_record.h"
#include "protocol/record/access_control_entry_record.h"
#include "protocol/record/begin_transaction_record.h"
#include "protocol/record/broker_registration_change_record.h"
#include "protocol/record/clear_elr_record.h"
#include "protocol/record/client_quota_record.h"
#include "protocol/record/config_record.h"
#include "protocol/record/delegation_token_record.h"
#include "protocol/record/end_transaction_record.h"
#include "protocol/record/feature_level_record.h"
#include "protocol/record/fence_broker_record.h"
#include "protocol/record/no_op_record.h"
#include "protocol/record/partition_change_record.h"
#include "protocol/record/partition_record.h"
#include "protocol/record/producer_ids_record.h"
#include "protocol/record/register_broker_record.h"
#include "protocol/record/register_controller_record.h"
#include "protocol/record/remove_access_control_entry_record.h"
#include "protocol/record/remove_delegation_token_record.h"
#include "protocol/record/remove_topic_record.h"
#include "protocol/record/remove_user_scram_credential_record.h"
#include "protocol/record/topic_record.h"
#include "protocol/record/unfence_broker_record.h"
#include "protocol/record/unregister_broker_record.h"
#include "protocol/record/user_scram_credential_record.h"
#include "protocol/record/zk_migration_state_record.h"

#define SAMSA_METADATA_RECORDS(X) \
  X(RegisterBrokerRecord)         \
  X(UnregisterBrokerRecord)       \
  X(TopicRecord)                  \
  X(PartitionRecord)              \
  X(ConfigRecord)                 \
  X(PartitionChangeRecord)        \
  X(FenceBrokerRecord)            \
  X(UnfenceBrokerRecord)          \
  X(RemoveTopicRecord)            \
  X(DelegationTokenRecord)        \
  X(UserScramCredentialRecord)    \
  X(FeatureLevelRecord)           \
  X(ClientQuotaRecord)            \
  X(ProducerIdsRecord)            \
  X(BrokerRegistrationChangeRecord) \
  X(AccessControlEntryRecord)     \
  X(RemoveAccessControlEntryRecord) \
  X(NoOpRecord)                   \
  X(ZkMigrationStateRecord)       \
  X(RemoveUserScramCredentialRecord) \
  X(BeginTransactionRecord)       \
  X(EndTransactionRecord)         \
  X(AbortTransactionRecord)       \
  X(RemoveDelegationTokenRecord)  \
  X(RegisterControllerRecord)     \
  X(ClearElrRecord)

namespace samsa::metadata {

// A record with text from outside. UNKNOWN_SERVER_ERROR where a text is longer than a record can carry, as Kafka answers.
template <class M>
Result<Buffer> try_encode(const M& message, int16_t version = 0) {
  auto record = protocol::encode_metadata_record(message, version);
  if (!record) return fail(ErrorCode::kUnknownServerError, record.error().text());
  return record;
}
// A record whose texts, if it has any, are our own: that it can be encoded is asserted.
template <class M>
Buffer encode(const M& message, int16_t version = 0) {
  auto record = try_encode(message, version);
  SAMSA_ASSERT(record.has_value());
  return std::move(*record);
}

// Calls visitor(const Record&) with the decoded record, which views `framed`. UNSUPPORTED_VERSION for an unknown type or version.
template <class Visitor>
Result<void> visit_record(Bytes framed, Visitor&& visitor) {
  TRY_ASSIGN(const auto head, protocol::peek_metadata_record(framed));
  switch (head.api_key) {
#define SAMSA_VISIT(name)                                                                                            \
  case protocol::name::kApiKey: {                                                                                    \
    if (head.version < protocol::name::kMinVersion || head.version > protocol::name::kMaxVersion) {                  \
      return fail(ErrorCode::kUnsupportedVersion, fmt::format("metadata record " #name " version {} is not known", head.version)); \
    }                                                                                                                \
    auto message = protocol::decode<protocol::name>(head.body, head.version);                                             \
    if (!message) return fail(ErrorCode::kCorruptMessage, fmt::format("metadata record " #name ": {}", message.error().text())); \
    return visitor(*message);                                                                                        \
  }
    SAMSA_METADATA_RECORDS(SAMSA_VISIT)
#undef SAMSA_VISIT
    default: return fail(ErrorCode::kUnsupportedVersion, fmt::format("metadata record type {} is not known", head.api_key));
  }
}

}  // namespace samsa::metadata
