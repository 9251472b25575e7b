# samsa-sim: seeds of the simulation as a program. samsa-sim-mutants: the same with planted defects (sim/README.md); the files that
# have one are compiled a second time and come before the libraries, so that the linker takes them from here.
add_executable(samsa-sim sim/sim_main.cc)
target_link_libraries(samsa-sim PRIVATE samsa_sim)

add_executable(samsa-check sim/check_main.cc)
target_link_libraries(samsa-check PRIVATE samsa_sim)

file(GLOB_RECURSE SAMSA_MUTATED CONFIGURE_DEPENDS src/*.cc)
list(FILTER SAMSA_MUTATED EXCLUDE REGEX "_(test|fuzz|main)\\.cc$")
set(mutated "")
foreach(source ${SAMSA_MUTATED})
  file(STRINGS ${source} found REGEX "SAMSA_MUTANT\\(" LIMIT_COUNT 1)
  if(found)
    list(APPEND mutated ${source})
  endif()
endforeach()
add_executable(samsa-sim-mutants sim/sim_main.cc ${mutated})
target_compile_definitions(samsa-sim-mutants PRIVATE SAMSA_MUTANTS)
target_link_libraries(samsa-sim-mutants PRIVATE samsa_sim)
