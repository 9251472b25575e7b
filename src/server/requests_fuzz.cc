// requests_fuzz (libFuzzer): rows of requests of every served API against a node on the simulated world, see hostile_requests.h. The
// node must not crash, must answer afterwards and must stop. Each input gets a node of its own, so that a finding can be played again.
// Build with -DSAMSA_FUZZ=ON and SAMSA_SANITIZE=address,undefined.
#include <cstdio>
#include <cstdlib>

#include "server/hostile_requests.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  samsa::server::HostileSite site;
  if (site.play({data, size}) && site.stop()) return 0;
  std::fprintf(stderr, "%s\n", site.problem().c_str());
  std::abort();
}
