// SAMSA_MUTANT("name"): a defect planted for the simulation to find (sim/mutants.h lists them). A plain `false` everywhere but in the
// second compilation of a few files for samsa-sim-mutants, where --mutant switches one on. Only in .cc files, in functions that no
// header holds: the two compilations must agree on everything else.
#pragma once

#ifdef SAMSA_MUTANTS
#include <string_view>
namespace samsa {
bool mutant_is_on(std::string_view name);
}
#define SAMSA_MUTANT(name) (::samsa::mutant_is_on(name))
#else
#define SAMSA_MUTANT(name) false
#endif
