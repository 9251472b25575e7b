// Progress: one line on standard error, redrawn a few times a second while long work goes on; only where people look at it.
#pragma once

#include <string>
#include <string_view>

#include "tool/tool.h"

namespace samsa::tool {

class Progress {
 public:
  // `what` is counted: "records". `total` 0: not known.
  Progress(ToolContext& context, std::string what, int64_t total = 0);
  void add(int64_t count);
  // Ends the line.
  void finish();

 private:
  void draw();

  ToolContext& context_;
  std::string what_;
  int64_t total_;
  int64_t done_ = 0;
  io::MonoTime started_;
  io::MonoTime drawn_;
  bool shown_ = false;
};

}  // namespace samsa::tool
