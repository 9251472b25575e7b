// libFuzzer over the files of a partition: cmake -DSAMSA_FUZZ=ON, then build/.../files_fuzz -max_total_time=60.
#include "storage/files_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  samsa::storage::fuzz_storage_files({data, size});
  return 0;
}
