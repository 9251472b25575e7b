// Controller: registration, heartbeats, fencing, controlled shutdown.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/log.h"
#include "metadata/controller.h"
#include "metadata/controller_support.h"
#include "metadata/features.h"
#include "metadata/record.h"
#include "protocol/api/broker_heartbeat.h"
#include "protocol/api/broker_registration.h"
#include "protocol/api/controller_registration.h"
#include "protocol/api/unregister_broker.h"

namespace samsa::metadata {

namespace {

bool reserved(const Uuid& id) { return id.high == 0 && id.low < 100; }

Buffer fence_record(const BrokerImage& broker, int8_t fenced, int8_t shutdown) {
  protocol::BrokerRegistrationChangeRecord record;
  record.broker_id = broker.id;
  record.broker_epoch = broker.epoch;
  record.fenced = fenced;
  record.in_controlled_shutdown = shutdown;
  return encode(record, shutdown != 0 ? 1 : 0);
}

Buffer cordon_record(const BrokerImage& broker, const std::vector<Uuid>& directories) {
  protocol::BrokerRegistrationChangeRecord record;
  record.broker_id = broker.id;
  record.broker_epoch = broker.epoch;
  record.cordoned_log_dirs = directories;
  return encode(record, 3);
}

Result<void> check_directories(const MetadataImage& image, const BrokerRegistrationRequest& request) {
  const auto refuse = [](std::string text) { return fail(ErrorCode::kInvalidRegistration, std::move(text)); };
  if (request.log_dirs.empty()) return refuse("No directories specified in request");
  std::set<Uuid> seen;
  for (const Uuid& id : request.log_dirs) {
    if (reserved(id)) return refuse("Reserved directory ID in request");
    if (!seen.insert(id).second) return refuse("Duplicate directory ID in request");
  }
  Result<void> checked;
  image.brokers.for_each([&](int32_t id, const BrokerImage& broker) {
    if (id == request.broker_id) return;
    for (const Uuid& directory : broker.log_dirs) {
      if (seen.contains(directory)) checked = refuse(fmt::format("Broker {} is already registered with directory {}", id, directory.to_string()));
    }
  });
  return checked;
}

Result<void> check_feature(const MetadataImage& image, int32_t broker, std::string_view name, FeatureRange range) {
  const int16_t level = name == kKraftVersion ? range.max : image.feature(name);
  if (name == kMetadataVersion && image.feature(name) == 0) return {};
  if (level >= range.min && level <= range.max) return {};
  return fail(ErrorCode::kUnsupportedVersion, fmt::format("Unable to register because the broker does not support finalized version {} of {}. "
                                                          "The broker wants a version between {} and {}, inclusive.",
                                                          level, name, range.min, range.max));
}

Result<void> check_features(const MetadataImage& image, const BrokerRegistrationRequest& request) {
  std::set<std::string, std::less<>> offered;
  for (const auto& f : request.features) {
    offered.insert(f.name.str());
    TRY(check_feature(image, request.broker_id, f.name.view(), {f.min_supported_version, f.max_supported_version}));
  }
  if (!offered.contains(kMetadataVersion)) {
    return fail(ErrorCode::kInvalidRegistration, "Request features do not contain 'metadata.version'");
  }
  Result<void> checked;
  image.features.for_each([&](const std::string& name, int16_t) {
    if (checked && !offered.contains(name)) checked = check_feature(image, request.broker_id, name, {});
  });
  return checked;
}

// Listeners and features of a registration, a broker's or a controller's.
template <class Request, class Record>
void take_endpoints_and_features(const Request& request, Record& record) {
  for (const auto& l : request.listeners) {
    auto& e = record.end_points.emplace_back();
    e.name = l.name;
    e.host = l.host;
    e.port = l.port;
    e.security_protocol = l.security_protocol;
  }
  for (const auto& f : request.features) {
    auto& to = record.features.emplace_back();
    to.name = f.name;
    to.min_supported_version = f.min_supported_version;
    to.max_supported_version = f.max_supported_version;
  }
}

protocol::RegisterBrokerRecord registration_record(const BrokerRegistrationRequest& request, int16_t metadata_version) {
  protocol::RegisterBrokerRecord record;
  record.broker_id = request.broker_id;
  record.incarnation_id = request.incarnation_id;
  take_endpoints_and_features(request, record);
  record.rack = request.rack;
  if (metadata_version >= kMvDirectories) record.log_dirs = request.log_dirs;
  return record;
}

int16_t register_version(int16_t mv) { return mv >= kMvCordoned ? 4 : mv >= kMvDirectories ? 3 : mv >= kMvControlledShutdownRecord ? 2 : 1; }

}  // namespace

Result<Decision<BrokerRegistrationResponse>> Controller::register_broker(const BrokerRegistrationRequest& request, const CallContext& context) {
  if (request.cluster_id.view() != settings_.cluster_id) {
    return fail(ErrorCode::kInconsistentClusterId,
                fmt::format("Expected cluster ID {}, but got cluster ID {}", settings_.cluster_id, request.cluster_id.view()));
  }
  const BrokerImage* existing = image_.broker(request.broker_id);
  const bool same = existing != nullptr && existing->incarnation == request.incarnation_id;
  // A broker in this very process: its predecessor is gone, whatever the clock says of its session.
  const bool own = request.broker_id == settings_.node_id;
  if (existing != nullptr && !same && !own && tracker_.has_session(request.broker_id, context.mono, settings_.session_timeout)) {
    return fail(ErrorCode::kDuplicateBrokerRegistration, "Another broker is registered with that broker id.");
  }
  if (request.is_migrating_zk_broker) return fail(ErrorCode::kBrokerIdNotRegistered, "Controller does not support registering ZK brokers.");
  const int16_t mv = image_.metadata_version();
  if (mv >= kMvDirectories) TRY(check_directories(image_, request));
  TRY(check_features(image_, request));

  Decision<BrokerRegistrationResponse> decision;
  protocol::RegisterBrokerRecord record = registration_record(request, mv);
  if (same) {
    record.fenced = existing->fenced;
    record.in_controlled_shutdown = existing->in_controlled_shutdown;
    record.broker_epoch = existing->epoch;
  } else {
    record.fenced = true;
    record.broker_epoch = context.next_offset;
    if (existing != nullptr) {
      const bool unclean = elr_enabled(image_) && request.previous_broker_epoch != existing->epoch;
      leader_updates(image_, configs_, unclean ? LeaderUpdates{.unclean = request.broker_id} : LeaderUpdates{.remove = request.broker_id},
                     decision.records);
    }
  }
  TRY_ASSIGN(decision.records.emplace_back(), try_encode(record, register_version(mv)));
  decision.response.broker_epoch = record.broker_epoch;
  // Its session begins here: a request of an earlier incarnation that was long on its way must not take the id from it.
  tracker_.touch(request.broker_id, record.broker_epoch, context.mono, -1);
  return decision;
}

Result<Decision<BrokerHeartbeatResponse>> Controller::heartbeat(const BrokerHeartbeatRequest& request, const CallContext& context) {
  const int32_t id = request.broker_id;
  const BrokerImage* broker = image_.broker(id);
  if (broker == nullptr || broker->epoch != request.broker_epoch) {
    return fail(ErrorCode::kStaleBrokerEpoch, broker == nullptr ? fmt::format("No broker registration found for broker id {}", id)
                                                                : fmt::format("Expected broker epoch {}, but got broker epoch {}", broker->epoch, request.broker_epoch));
  }
  const auto at = registered_at_.find(id);
  const bool caught_up = request.current_metadata_offset >= (at == registered_at_.end() ? broker->epoch : at->second);
  tracker_.touch(id, request.broker_epoch, context.mono, request.current_metadata_offset);

  Decision<BrokerHeartbeatResponse> decision;
  decision.response.is_caught_up = caught_up;
  bool fenced = broker->fenced;
  bool stop = false;
  if (broker->fenced) {
    if (request.want_shut_down) {
      stop = true;
    } else if (!request.want_fence && caught_up) {
      fenced = false;
      decision.records.push_back(fence_record(*broker, -1, 0));
      leader_updates(image_, configs_, {.add = id}, decision.records);
    }
  } else if (request.want_fence || request.want_shut_down) {
    stop = request.want_shut_down && (request.want_fence || may_stop(*broker));
    if (request.want_fence || stop) {
      fenced = true;
      decision.records = fence_broker(id);
    } else if (!broker->in_controlled_shutdown) {
      decision.records.push_back(fence_record(*broker, 0, 1));
      leader_updates(image_, configs_, {.remove = id}, decision.records);
      tracker_.set_shutdown_offset(id, context.next_offset + static_cast<Offset>(decision.records.size()) - 1);
    }
  }
  if (image_.metadata_version() >= kMvCordoned && request.cordoned_log_dirs && *request.cordoned_log_dirs != broker->cordoned_log_dirs) {
    decision.records.push_back(cordon_record(*broker, *request.cordoned_log_dirs));
  }
  if (image_.metadata_version() >= kMvDirectories) directories_offline(*broker, request.offline_log_dirs, decision.records);
  decision.response.is_fenced = fenced;
  decision.response.should_shut_down = stop;
  return decision;
}

bool Controller::may_stop(const BrokerImage& broker) const {
  bool leads = false;
  image_.topics.for_each([&](const std::string&, const TopicImage& topic) {
    topic.partitions.for_each([&](PartitionIndex, const PartitionImage& p) {
      leads = leads || p.leader == broker.id;
      return !leads;
    });
    return !leads;
  });
  if (leads) return false;
  if (!broker.in_controlled_shutdown) return true;
  const auto* contact = tracker_.find(broker.id);
  if (contact == nullptr || !contact->shutdown_offset) return true;
  // Every other active broker must know that the leaders have moved.
  bool all_know = true;
  image_.brokers.for_each([&](int32_t other, const BrokerImage& b) {
    if (other == broker.id || !b.active()) return;
    const auto* c = tracker_.find(other);
    if (c == nullptr || c->applied_offset < *contact->shutdown_offset) all_know = false;
  });
  return all_know;
}

void Controller::directories_offline(const BrokerImage& broker, const std::vector<Uuid>& offline, std::vector<Buffer>& records) const {
  std::vector<Uuid> left = broker.log_dirs;
  std::erase_if(left, [&](const Uuid& id) { return std::find(offline.begin(), offline.end(), id) != offline.end(); });
  if (left.size() == broker.log_dirs.size() || left.empty()) return;
  protocol::BrokerRegistrationChangeRecord record;
  record.broker_id = broker.id;
  record.broker_epoch = broker.epoch;
  record.log_dirs = left;
  records.push_back(encode(record, 2));
  const auto lost = [&](const Uuid& id) { return std::find(offline.begin(), offline.end(), id) != offline.end(); };
  image_.topics.for_each([&](const std::string&, const TopicImage& topic) {
    topic.partitions.for_each([&](PartitionIndex index, const PartitionImage& p) {
      if (!p.has_replica(broker.id) || !lost(p.directory_of(broker.id)) || (!p.in_isr(broker.id) && p.leader != broker.id)) return;
      auto builder = change_builder(image_, configs_, topic, index, p,
                                    [&](int32_t other) { return other != broker.id && broker_active(image_, other); });
      if (unclean_election_allowed(image_, configs_, topic.name)) builder.set_election(Election::kUnclean);
      std::vector<int32_t> isr = p.isr;
      std::erase(isr, broker.id);
      builder.set_target_isr(std::move(isr));
      if (auto change = builder.build()) records.push_back(std::move(*change));
    });
  });
}

Result<Decision<UnregisterBrokerResponse>> Controller::unregister_broker(const UnregisterBrokerRequest& request, const CallContext& context) const {
  const BrokerImage* broker = image_.broker(request.broker_id);
  if (broker == nullptr) {
    return fail(ErrorCode::kBrokerIdNotRegistered, fmt::format("Broker ID {} is not currently registered", request.broker_id));
  }
  Decision<UnregisterBrokerResponse> decision;
  leader_updates(image_, configs_, {.remove = request.broker_id}, decision.records);
  protocol::UnregisterBrokerRecord record;
  record.broker_id = request.broker_id;
  record.broker_epoch = broker->epoch;
  decision.records.push_back(encode(record));
  decision.response.error_message = std::nullopt;
  return decision;
}

Result<Decision<ControllerRegistrationResponse>> Controller::register_controller(const ControllerRegistrationRequest& request,
                                                                                 const CallContext& context) const {
  if (image_.metadata_version() < kMvControllerRegistration) {
    return fail(ErrorCode::kUnsupportedVersion, "The current MetadataVersion is too old to support controller registrations.");
  }
  protocol::RegisterControllerRecord record;
  record.controller_id = request.controller_id;
  record.incarnation_id = request.incarnation_id;
  record.zk_migration_ready = request.zk_migration_ready;
  take_endpoints_and_features(request, record);
  Decision<ControllerRegistrationResponse> decision;
  decision.response.error_message = std::nullopt;
  TRY_ASSIGN(decision.records.emplace_back(), try_encode(record));
  return decision;
}

std::vector<Buffer> Controller::fence_broker(int32_t id) const {
  std::vector<Buffer> records;
  const BrokerImage* broker = image_.broker(id);
  if (broker == nullptr || broker->fenced) return records;
  leader_updates(image_, configs_, {.remove = id}, records);
  records.push_back(fence_record(*broker, 1, 0));
  return records;
}

std::vector<Buffer> Controller::fence_expired(const CallContext& context) const {
  // One at a time: fencing a broker changes the state that the next decision stands on.
  int32_t expired = -1;
  image_.brokers.for_each([&](int32_t id, const BrokerImage& broker) {
    if (broker.fenced || tracker_.has_session(id, context.mono, settings_.session_timeout)) return true;
    expired = id;
    return false;
  });
  if (expired < 0) return {};
  SAMSA_LOG_INFO("fencing broker {}: its session has run out", expired);
  return fence_broker(expired);
}

void Controller::begin_sessions(std::chrono::milliseconds mono) {
  image_.brokers.for_each([&](int32_t id, const BrokerImage& broker) {
    if (!broker.fenced) tracker_.touch(id, broker.epoch, mono, -1);
  });
}

}  // namespace samsa::metadata
