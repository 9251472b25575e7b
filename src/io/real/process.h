// The process' figures as Linux' /proc has them.
#pragma once

#include "io/process.h"

namespace samsa::io::real {

// What cannot be read stays 0. A few system calls; any thread.
ProcessFigures read_process_figures();

}  // namespace samsa::io::real
