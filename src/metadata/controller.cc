#include "metadata/controller.h"

#include "metadata/features.h"
#include "metadata/record.h"
#include "metadata/replay.h"

namespace samsa::metadata {

Controller::Controller(ControllerSettings settings, const ConfigValidator& configs) : settings_(std::move(settings)), configs_(configs) {
  if (settings_.supported_features.empty()) settings_.supported_features = supported_features();
}

Result<void> Controller::replay(Bytes framed, Offset offset) {
  TRY_ASSIGN(const auto frame, protocol::peek_metadata_record(framed));
  const bool mark = frame.api_key == protocol::BeginTransactionRecord::kApiKey || frame.api_key == protocol::EndTransactionRecord::kApiKey;
  if (mark) return {};  // The controller's own transactions are never aborted while it is active.
  TRY(replay_record(image_, framed));
  if (frame.api_key == protocol::RegisterBrokerRecord::kApiKey) {
    TRY_ASSIGN(const auto record, protocol::decode_metadata_record<protocol::RegisterBrokerRecord>(frame));
    registered_at_[record.broker_id] = offset;
  }
  image_.provenance.next_offset = offset + 1;
  return {};
}

void Controller::reset(const MetadataImage& image) {
  image_ = image;
  tracker_.clear();
  registered_at_.clear();
  // Where a registration stands in the log is not known of an image: whoever has read all of it has read that too.
  image_.brokers.for_each([&](int32_t id, const BrokerImage&) { registered_at_[id] = image.provenance.last_offset(); });
}

std::vector<Buffer> Controller::bootstrap(const std::vector<Buffer>& bootstrap_records) const {
  std::vector<Buffer> records;
  int16_t level = kMinMetadataVersion;
  bool elr = false;
  for (const auto& framed : bootstrap_records) {
    (void)visit_record(framed, [&](const auto& record) -> Result<void> {
      using R = std::decay_t<decltype(record)>;
      if constexpr (std::is_same_v<R, protocol::FeatureLevelRecord>) {
        if (record.name.view() == kMetadataVersion) level = record.feature_level;
        if (record.name.view() == "eligible.leader.replicas.version") elr = record.feature_level >= 1;
      }
      return {};
    });
  }
  const bool transaction = level >= kMvTransactions;
  if (transaction) {
    protocol::BeginTransactionRecord begin;
    begin.name = protocol::Text("Bootstrap records");
    records.push_back(encode(begin));
  }
  for (const auto& framed : bootstrap_records) records.push_back(framed);
  if (elr) {
    // With eligible leader replicas min.insync.replicas decides who may lead, so it is the cluster's and not each broker's.
    protocol::ConfigRecord config;
    config.resource_type = static_cast<int8_t>(ConfigType::kBroker);
    config.name = "min.insync.replicas";
    config.value = protocol::Text(configs_.default_value(image_, ConfigType::kTopic, "min.insync.replicas").value_or("1"));
    records.push_back(encode(config));
  }
  if (transaction) records.push_back(encode(protocol::EndTransactionRecord{}));
  return records;
}

}  // namespace samsa::metadata
