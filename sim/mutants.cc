#include "sim/mutants.h"

#include <algorithm>

namespace samsa {
namespace {
std::string& active() {
  static std::string name;
  return name;
}
}  // namespace

// What the mutated files ask (base/mutant.h).
bool mutant_is_on(std::string_view name) { return active() == name; }

namespace sim {

const Mutant* find_mutant(std::string_view name) {
  const auto* found = std::find_if(std::begin(kMutants), std::end(kMutants), [&](const Mutant& mutant) { return mutant.name == name; });
  return found == std::end(kMutants) ? nullptr : found;
}

void switch_mutant(std::string name) { active() = std::move(name); }

}  // namespace sim
}  // namespace samsa
