#include "coordinator/group/subscription.h"

namespace samsa::coordinator {

bool read_subscribed_topics(Bytes subscription, std::set<std::string, std::less<>>& topics) {
  if (subscription.size() < 6 || load_be<int16_t>(subscription.data()) < 0) return false;
  const auto count = load_be<int32_t>(subscription.data() + 2);
  if (count < 0) return false;
  Bytes rest = subscription.subspan(6);
  for (int32_t i = 0; i < count; ++i) {
    if (rest.size() < 2) return false;
    const auto length = load_be<int16_t>(rest.data());
    if (length < 0 || rest.size() - 2 < static_cast<size_t>(length)) return false;
    const auto topic = as_text(rest.subspan(2, static_cast<size_t>(length)));
    if (topics.find(topic) == topics.end()) topics.emplace(topic);
    rest = rest.subspan(2 + static_cast<size_t>(length));
  }
  return true;
}

}  // namespace samsa::coordinator
