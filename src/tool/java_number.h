// What Kafka's tools print is shaped by Java's own habits here and there: the order of its maps, its way to write a double. Pure.
#pragma once

#include <string>
#include <vector>

namespace samsa::tool {

// The order in which a Java HashMap of `entries` strings gives these.
std::vector<std::string> in_java_map_order(std::vector<std::string> names, size_t entries);
// "1024.0", "1.0E7".
std::string java_double(double value);

}  // namespace samsa::tool
