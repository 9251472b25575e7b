#include "server/error_places.h"

#include <string_view>

namespace samsa::server {

ErrorPlaces::ErrorPlaces(const protocol::StructTable& message) : root_(read(message)) {}

ErrorPlaces::Node ErrorPlaces::read(const protocol::StructTable& table) {
  Node node;
  for (const auto& field : table.fields) {
    if (field.kind == protocol::Kind::kInt16 && field.array == nullptr && field.optional == nullptr &&
        std::string_view(field.name).ends_with("error_code")) {
      node.codes.push_back({field.offset, field.from, field.to});
    }
    if (field.kind != protocol::Kind::kStruct) continue;
    Node child = read(*field.type);
    if (child.codes.empty() && child.children.empty()) continue;
    child.field = &field;
    node.children.push_back(std::move(child));
  }
  return node;
}

}  // namespace samsa::server
