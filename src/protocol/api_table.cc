#include "protocol/api_table.h"

#include <algorithm>

namespace samsa::protocol {

const ApiInfo* find_api(int16_t key) {
  const auto apis = all_apis();
  const auto at = std::lower_bound(apis.begin(), apis.end(), key, [](const ApiInfo& api, int16_t k) { return api.key < k; });
  return at != apis.end() && at->key == key ? &*at : nullptr;
}

}  // namespace samsa::protocol
