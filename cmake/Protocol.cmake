# Makes the messages out of src/protocol/api/*.api and src/protocol/record/*.api at build time. The generator touches only files
# whose content changes, so a changed definition recompiles its users and one table file.
file(GLOB SAMSA_PROTOCOL_DEFINITIONS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/protocol/api/*.api ${CMAKE_SOURCE_DIR}/src/protocol/record/*.api)
set(SAMSA_PROTOCOL_GENERATOR ${CMAKE_SOURCE_DIR}/src/protocol/generate.py)
execute_process(COMMAND ${Python3_EXECUTABLE} ${SAMSA_PROTOCOL_GENERATOR} --list ${CMAKE_BINARY_DIR}/generated ${SAMSA_PROTOCOL_DEFINITIONS}
                OUTPUT_VARIABLE SAMSA_PROTOCOL_OUTPUTS OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "\n" ";" SAMSA_PROTOCOL_OUTPUTS "${SAMSA_PROTOCOL_OUTPUTS}")
add_custom_command(
  OUTPUT ${SAMSA_PROTOCOL_OUTPUTS}
  COMMAND ${Python3_EXECUTABLE} ${SAMSA_PROTOCOL_GENERATOR} ${CMAKE_BINARY_DIR}/generated ${SAMSA_PROTOCOL_DEFINITIONS}
  DEPENDS ${SAMSA_PROTOCOL_GENERATOR} ${SAMSA_PROTOCOL_DEFINITIONS}
  COMMENT "Messages of the protocol")
set(SAMSA_PROTOCOL_SOURCES ${SAMSA_PROTOCOL_OUTPUTS})
# The tables' code is one small loop per vector; optimizing it fully costs a third more compile time and gains nothing measurable.
foreach(source ${SAMSA_PROTOCOL_SOURCES})
  if(source MATCHES "tables_.*\\.cc$")
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "$<$<CONFIG:Release>:-O1;-g0>")
  endif()
endforeach()
