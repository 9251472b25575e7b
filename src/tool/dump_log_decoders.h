// How kafka-dump-log.sh shows the key and value of a record: as text or numbers, or as what internal topics hold (offsets, transactions,
// share groups, cluster metadata, remote log metadata). The words are those of Kafka's DumpLogSegments. Pure.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "protocol/record_batch.h"

namespace samsa::tool {

struct ShownRecord {
  std::optional<std::string> key;
  std::optional<std::string> value;
};

class RecordDecoder {
 public:
  virtual ~RecordDecoder() = default;
  // INVALID_RECORD ends the dump, as an exception of Java's decoder does.
  virtual Result<ShownRecord> show(const protocol::Record& record) = 0;
};

enum class RecordKind { kOffsets, kTransactions, kClusterMetadata, kRemoteLogMetadata, kShareGroupState };
std::unique_ptr<RecordDecoder> make_record_decoder(RecordKind kind);
// Decoders by Java class: org.apache.kafka.tools.api. StringDecoder, IntegerDecoder, LongDecoder, DefaultDecoder (whose bytes are shown as hex
// digits). INVALID_CONFIG for another class.
Result<std::unique_ptr<RecordDecoder>> make_plain_decoder(const std::string& key_class, const std::string& value_class);

// What a control record says, with the blank before it: " endTxnMarker: COMMIT coordinatorEpoch: 0".
Result<std::string> show_control_record(const protocol::Record& record);

}  // namespace samsa::tool
