// libFuzzer over record batches: cmake -DSAMSA_FUZZ=ON, then build/.../record_batch_fuzz -max_total_time=60.
#include "protocol/record_batch_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  samsa::protocol::fuzz_record_batch({data, size});
  return 0;
}
