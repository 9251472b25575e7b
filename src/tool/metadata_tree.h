// The metadata image as a tree of directories and files, as kafka-metadata-shell shows it: /image/topics/byName/orders/0 and the like, with
// the paths and texts of Kafka's shell. Pure.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "metadata/image.h"

namespace samsa::tool {

struct MetadataTreeNode {
  bool directory = true;
  std::string text;                                   // Of a file.
  std::map<std::string, MetadataTreeNode> children;  // Of a directory, in the order in which they are shown.

  static MetadataTreeNode file(std::string text) { return {false, std::move(text), {}}; }
};

// The root: "image" and "local".
MetadataTreeNode metadata_tree(const metadata::MetadataImage& image);

// "/a/b": without empty parts, with "." and ".." taken out.
std::vector<std::string> path_parts(std::string_view path);

struct MetadataTreeMatch {
  std::vector<std::string> path;  // From the root.
  const MetadataTreeNode* node = nullptr;
  [[nodiscard]] std::string name() const { return path.empty() ? "/" : path.back(); }
};
// What a path means, in order: its parts may have *, ? and {a,b}. Relative paths start in `directory`. Empty: nothing.
std::vector<MetadataTreeMatch> find_in_tree(const MetadataTreeNode& root, std::string_view directory, std::string_view path);

// The node's file, or all below it with their names, indented.
std::string print_tree(const MetadataTreeNode& node);

}  // namespace samsa::tool
