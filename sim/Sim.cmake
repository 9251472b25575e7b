# samsa-sim: seeds of the simulation as a program (sim/README.md).
add_executable(samsa-sim sim/sim_main.cc)
target_link_libraries(samsa-sim PRIVATE samsa_sim)
