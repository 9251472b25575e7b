#include "protocol/api_table.h"

#include <array>

namespace samsa::protocol {

const ApiInfo* find_api(int16_t key) {
  struct ByKey {
    std::array<const ApiInfo*, 128> apis{};
    ByKey() {
      for (const ApiInfo& api : all_apis()) apis.at(static_cast<size_t>(api.key)) = &api;
    }
  };
  static const ByKey by_key;
  return key < 0 || static_cast<size_t>(key) >= by_key.apis.size() ? nullptr : by_key.apis[static_cast<size_t>(key)];
}

}  // namespace samsa::protocol
