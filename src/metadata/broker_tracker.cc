#include "metadata/broker_tracker.h"

namespace samsa::metadata {

void BrokerTracker::touch(int32_t broker, int64_t epoch, Time now, Offset applied_offset) {
  Contact& contact = contacts_[broker];
  if (contact.epoch != epoch) contact = {.epoch = epoch};
  contact.last = now;
  contact.applied_offset = applied_offset;
}

bool BrokerTracker::has_session(int32_t broker, Time now, Time timeout) const {
  const Contact* contact = find(broker);
  return contact != nullptr && now - contact->last < timeout;
}

const BrokerTracker::Contact* BrokerTracker::find(int32_t broker) const {
  const auto it = contacts_.find(broker);
  return it == contacts_.end() ? nullptr : &it->second;
}

void BrokerTracker::set_shutdown_offset(int32_t broker, Offset offset) {
  const auto it = contacts_.find(broker);
  if (it != contacts_.end()) it->second.shutdown_offset = offset;
}

}  // namespace samsa::metadata
