// samsa_wire_probe: the codec on a pipe, for tests/wire, which hold it against Apache Kafka's own classes. A line is
// "<message> <version> <hex>".
//   samsa_wire_probe generate SEED COUNT   COUNT random messages of every message and version, as lines
//   samsa_wire_probe records               what internal topics hold: lines "<message> <kind>:<number>"
//   samsa_wire_probe check                 reads lines, decodes and encodes again; prints "<message> <version> <what is wrong>" for
//                                          each that does not come back the same, and at last "checked N"
#include <fmt/format.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <sstream>

#include "protocol/codec.h"
#include "protocol/random_message.h"

namespace samsa::protocol {
namespace {

std::string to_hex(Bytes bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

int digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

Buffer from_hex(std::string_view text) {
  Buffer bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) bytes.push_back(static_cast<uint8_t>(digit(text[i]) << 4 | digit(text[i + 1])));
  return bytes;
}

int generate(uint64_t seed, int count) {
  RandomMessage random(seed);
  for (const auto* table : all_messages()) {
    for (int version = table->min_version; version <= table->max_version; ++version) {
      for (int i = 0; i < count; ++i) {
        AnyMessage message(*table);
        random.fill(*table, message.object, static_cast<int16_t>(version));
        Encoder to;
        if (auto done = encode_message(*table, message.object, static_cast<int16_t>(version), to); !done) {
          std::cerr << done.error().text() << "\n";
          return 1;
        }
        std::cout << table->name() << ' ' << version << ' ' << to_hex(to.take()) << '\n';
      }
    }
  }
  return 0;
}

int records() {
  for (const auto* table : all_messages()) {
    const char* kind = table->kind == MessageKind::kKey        ? "key"
                       : table->kind == MessageKind::kValue    ? "value"
                       : table->kind == MessageKind::kMetadata ? "metadata"
                       : table->kind == MessageKind::kRemote   ? "remote"
                                                               : nullptr;
    if (kind != nullptr) std::cout << table->name() << ' ' << kind << ':' << table->key << '\n';
  }
  return 0;
}

std::string check_one(const MessageTable& table, int16_t version, const Buffer& bytes) {
  AnyMessage message(table);
  auto used = decode_message(table, message.object, bytes, version);
  if (!used) return used.error().text();
  if (*used != bytes.size()) return fmt::format("{} bytes left over", bytes.size() - *used);
  Encoder to;
  if (auto done = encode_message(table, message.object, version, to); !done) return done.error().text();
  const Buffer again = to.take();
  return again == bytes ? "" : fmt::format("{} came back as {}", to_hex(bytes), to_hex(again));
}

int check() {
  std::map<std::string, const MessageTable*> tables;
  for (const auto* table : all_messages()) tables[table->name()] = table;
  std::string line;
  size_t checked = 0;
  bool good = true;
  for (; std::getline(std::cin, line); ++checked) {
    std::istringstream words(line);
    std::string name;
    std::string hex;
    int version = 0;
    words >> name >> version >> hex;
    const auto found = tables.find(name);
    const auto problem =
        found == tables.end() ? "no such message" : check_one(*found->second, static_cast<int16_t>(version), from_hex(hex));
    if (!problem.empty()) {
      std::cout << name << ' ' << version << ' ' << problem << '\n';
      good = false;
    }
  }
  std::cout << "checked " << checked << '\n';
  return good ? 0 : 1;
}

}  // namespace
}  // namespace samsa::protocol

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "generate" && argc == 4) return samsa::protocol::generate(std::strtoull(argv[2], nullptr, 10), std::atoi(argv[3]));
  if (command == "records") return samsa::protocol::records();
  if (command == "check") return samsa::protocol::check();
  std::cerr << "samsa_wire_probe generate SEED COUNT | records | check\n";
  return 2;
}
