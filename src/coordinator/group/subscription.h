// The topics in the subscription that consumers put into JoinGroup (protocol type "consumer"): version i16, then in all versions first
// the topics as a classic array of strings. Nothing else of it concerns the coordinator of classic groups.
#pragma once

#include <set>
#include <string>

#include "base/bytes.h"

namespace samsa::coordinator {

// Adds the topics to `topics`; false when the bytes are not a subscription.
bool read_subscribed_topics(Bytes subscription, std::set<std::string, std::less<>>& topics);

}  // namespace samsa::coordinator
