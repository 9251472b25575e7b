# Compiler and linker settings of every target.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")

add_compile_options(-march=x86-64-v2 -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers -Wno-gnu-zero-variadic-macro-arguments
                    -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(-fuse-ld=lld)
endif()
if(SAMSA_SANITIZE)
  add_compile_options(-fsanitize=${SAMSA_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SAMSA_SANITIZE})
endif()

option(SAMSA_FUZZ "Build the libFuzzer programs (*_fuzz.cc); go with SAMSA_SANITIZE=address,undefined" OFF)
if(SAMSA_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
