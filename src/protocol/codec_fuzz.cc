// codec_fuzz (libFuzzer): any bytes as any message of any version. Nothing may crash or read past the end, and what can be decoded
// must come back the same from a second round. Build with -DSAMSA_FUZZ=ON.
#include "protocol/codec_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  samsa::protocol::fuzz_codec({data, size});
  return 0;
}
