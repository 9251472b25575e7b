// ServerConfig: what a node reads from server.properties, checked and typed.
//
// Values given in the file that the table does not know are kept, reported in `unknown` and otherwise ignored, as Kafka does. What
// changes while the broker runs is not here: see config/dynamic.h, which puts the dynamic layers over this one.
// Immutable after from(); shared by all shards. KIP-631 (roles), KIP-853 (quorum), KIP-103 (listeners).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "config/settings.h"

namespace samsa::config {

enum class SecurityProtocol : int16_t { kPlaintext = 0, kSsl = 1, kSaslPlaintext = 2, kSaslSsl = 3 };  // The wire's numbers.
std::string_view security_protocol_name(SecurityProtocol protocol);
std::optional<SecurityProtocol> security_protocol_from_name(std::string_view name);

struct Listener {
  std::string name;  // Upper case: "PLAINTEXT", "CONTROLLER".
  SecurityProtocol protocol = SecurityProtocol::kPlaintext;
  std::string host;  // Empty: all interfaces.
  int32_t port = 0;  // 0: any free port.
  // "NAME://host:port".
  [[nodiscard]] std::string to_string() const;
  bool operator==(const Listener&) const = default;
};

struct HostPort {
  std::string host;
  int32_t port = 0;
  bool operator==(const HostPort&) const = default;
};
// "host:port", "[v6]:port". INVALID_CONFIG otherwise.
Result<HostPort> parse_host_port(std::string_view text);

struct QuorumVoter {
  NodeId id = kNoNode;
  HostPort at;
};

// "NAME://host:port,..." with the names' protocols from "NAME:PROTOCOL,...". A name that is a protocol maps to itself if `protocols` does
// not say otherwise. Errors: INVALID_CONFIG, naming the entry.
Result<std::vector<Listener>> parse_listeners(std::string_view listeners, std::string_view protocols,
                                              const std::vector<std::string>& controller_names = {});

class ServerConfig {
 public:
  // All mistakes are found at once: the error's message has one line for each, naming the setting, its value and what would be right.
  static Result<ServerConfig> from(Properties given);

  // The text of the server.properties that `samsa serve` uses without a file: one node, broker and controller, on 127.0.0.1:9092.
  static std::string_view embedded_properties();

  bool is_broker = false;
  bool is_controller = false;
  NodeId node_id = kNoNode;
  std::optional<std::string> rack;
  std::vector<Listener> listeners;             // All that this node opens, the controller's too.
  std::vector<Listener> advertised;            // What the broker tells clients; never the controller's.
  std::vector<Listener> advertised_controller; // What the controller registers.
  std::vector<std::string> controller_listener_names;
  std::string inter_broker_listener;           // Name; empty for a controller alone.
  std::vector<std::string> log_dirs;           // At least one.
  std::string metadata_log_dir;                // One of its own or the first of log_dirs.
  std::vector<QuorumVoter> voters;             // controller.quorum.voters
  std::vector<HostPort> bootstrap_servers;     // controller.quorum.bootstrap.servers

  // The settings that several names can set, resolved; ms, -1: unlimited.
  int64_t log_retention_ms = 0;
  int64_t log_roll_ms = 0;
  int64_t log_roll_jitter_ms = 0;
  int64_t log_flush_interval_ms = 0;

  // Any broker setting by its name: the given value or the default. The name must be in the table and have that type; number() serves
  // INT, SHORT and LONG and gives `if_null` for null; text() gives "" for null. They parse at every call: for start-up, not for the road of a request.
  [[nodiscard]] int64_t number(std::string_view name, int64_t if_null = -1) const;
  [[nodiscard]] double real(std::string_view name) const;
  [[nodiscard]] bool flag(std::string_view name) const;
  [[nodiscard]] std::string text(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> list(std::string_view name) const;
  [[nodiscard]] bool is_given(std::string_view name) const { return given_.contains(name); }

  [[nodiscard]] const Properties& given() const { return given_; }
  [[nodiscard]] bool is_controller_listener(std::string_view name) const;

  std::vector<std::string> unknown;   // Given names that are not in the table.
  std::vector<std::string> warnings;  // For the start-up log: former settings, doubtful values.

 private:
  friend class ServerConfigReader;
  Properties given_;
};

}  // namespace samsa::config
