#include "config/server_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/assert.h"
#include "config/dynamic.h"

namespace samsa::config {
namespace {

// Settings of older Kafkas: accepted without effect, with a word on what has become of them.
struct Former {
  std::string_view name;
  std::string_view word;
};
constexpr Former kFormer[] = {
    {"control.plane.listener.name", "controllers have listeners of their own now: controller.listener.names"},
    {"inter.broker.protocol.version", "the metadata version of the cluster takes its place: kafka-features.sh"},
    {"log.message.downconversion.enable", "messages are no longer converted for old clients"},
    {"log.message.format.version", "there is one record format now"},
    {"log.message.timestamp.difference.max.ms", "use log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms"},
    {"replica.lag.max.messages", "replicas are out of sync by time alone: replica.lag.time.max.ms"},
    {"offset.storage", "offsets are always stored in the cluster"},
    {"broker.id.generation.enable", "node.id is always given"},
    {"reserved.broker.max.id", "node.id is always given"},
    {"delegation.token.master.key", "use delegation.token.secret.key"},
    {"zookeeper.connect", "there is no ZooKeeper: the cluster's metadata lives in its own quorum"},
};

constexpr std::string_view kEmbedded =
    "# What `samsa serve` uses without a file: one node that is broker and controller, on this machine only.\n"
    "process.roles=broker,controller\n"
    "node.id=1\n"
    "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n"
    "controller.listener.names=CONTROLLER\n"
    "inter.broker.listener.name=PLAINTEXT\n"
    "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
    "controller.quorum.bootstrap.servers=127.0.0.1:9093\n"
    "log.dirs=./data\n"
    "# One node can hold one replica.\n"
    "offsets.topic.replication.factor=1\n"
    "transaction.state.log.replication.factor=1\n"
    "transaction.state.log.min.isr=1\n"
    "share.coordinator.state.topic.replication.factor=1\n"
    "share.coordinator.state.topic.min.isr=1\n"
    "# Nobody waits for a second consumer when trying things out.\n"
    "group.initial.rebalance.delay.ms=0\n";

constexpr std::string_view kProtocolNames[] = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};

std::string upper(std::string_view text) {
  std::string to(text);
  std::ranges::transform(to, to.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return to;
}

std::unexpected<Error> wrong(std::string message) { return fail(ErrorCode::kInvalidConfig, std::move(message)); }

std::optional<int32_t> whole(std::string_view text) {
  int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<std::map<std::string, SecurityProtocol>> parse_protocols(std::string_view text) {
  std::map<std::string, SecurityProtocol> protocols;
  for (const auto& entry : split_list(text)) {
    const size_t colon = entry.find(':');
    const auto protocol = colon == std::string::npos ? std::nullopt : security_protocol_from_name(upper(entry.substr(colon + 1)));
    if (!protocol) {
      return wrong(fmt::format("Invalid value {} for configuration listener.security.protocol.map: each entry is NAME:PROTOCOL, with "
                               "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
                               entry));
    }
    protocols.insert_or_assign(upper(entry.substr(0, colon)), *protocol);
  }
  return protocols;
}

Result<Listener> parse_listener(std::string_view entry) {
  const size_t scheme = entry.find("://");
  if (scheme == std::string_view::npos || scheme == 0) return wrong(fmt::format("Unable to parse a listener name from {}", entry));
  std::string_view host = entry.substr(scheme + 3);
  const size_t colon = host.rfind(':');
  const auto port = colon == std::string_view::npos ? std::nullopt : whole(host.substr(colon + 1));
  if (!port || *port < 0 || *port > 65535) {
    return wrong(fmt::format("Unable to parse {} to a broker endpoint: it is NAME://host:port", entry));
  }
  host = host.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  static constexpr std::string_view kHostChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-%._:";
  if (host.find_first_not_of(kHostChars) != std::string_view::npos) {
    return wrong(fmt::format("Unable to parse {} to a broker endpoint: it is NAME://host:port", entry));
  }
  return Listener{upper(entry.substr(0, scheme)), SecurityProtocol::kPlaintext, std::string(host), *port};
}

bool has_name(const std::vector<Listener>& listeners, std::string_view name) {
  return std::ranges::any_of(listeners, [&](const Listener& listener) { return listener.name == name; });
}

std::string names_of(const std::vector<Listener>& listeners) {
  std::string names;
  for (const auto& listener : listeners) names += (names.empty() ? "" : ",") + listener.name;
  return names;
}

// The setting behind a name that may carry a listener's prefix (and a mechanism's behind it).
const Setting* broker_setting(std::string_view name) {
  if (const auto* setting = find_setting(Kind::kBroker, name)) return setting;
  static constexpr std::string_view kPrefix = "listener.name.";
  if (!name.starts_with(kPrefix)) return nullptr;
  name.remove_prefix(kPrefix.size());
  for (size_t dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.')) {
    name.remove_prefix(dot + 1);
    if (const auto* setting = find_setting(Kind::kBroker, name)) return setting;
  }
  return nullptr;
}

}  // namespace

std::string_view security_protocol_name(SecurityProtocol protocol) { return kProtocolNames[static_cast<size_t>(protocol)]; }

std::optional<SecurityProtocol> security_protocol_from_name(std::string_view name) {
  for (int16_t i = 0; i < 4; ++i) {
    if (kProtocolNames[i] == name) return static_cast<SecurityProtocol>(i);
  }
  return std::nullopt;
}

std::string Listener::to_string() const {
  const bool v6 = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", name, v6 ? "[" : "", host, v6 ? "]" : "", port);
}

Result<HostPort> parse_host_port(std::string_view text) {
  const size_t colon = text.rfind(':');
  const auto port = colon == std::string_view::npos ? std::nullopt : whole(text.substr(colon + 1));
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (!port || *port < 0 || *port > 65535 || host.empty()) return wrong(fmt::format("Invalid address {}: it is host:port", text));
  return HostPort{std::string(host), *port};
}

Result<std::vector<Listener>> parse_listeners(std::string_view listeners, std::string_view protocols,
                                              const std::vector<std::string>& controller_names) {
  TRY_ASSIGN(const auto named, parse_protocols(protocols));
  std::vector<Listener> parsed;
  for (const auto& entry : split_list(listeners)) {
    TRY_ASSIGN(auto listener, parse_listener(entry));
    if (const auto found = named.find(listener.name); found != named.end()) {
      listener.protocol = found->second;
    } else if (const auto own = security_protocol_from_name(listener.name)) {
      listener.protocol = *own;
    } else if (std::ranges::find(controller_names, listener.name) == controller_names.end()) {
      return wrong(fmt::format("No security protocol defined for listener {}: add {}:PLAINTEXT, say, to listener.security.protocol.map",
                               listener.name, listener.name));
    }
    parsed.push_back(std::move(listener));
  }
  return parsed;
}

// Builds a ServerConfig step by step and collects what is wrong.
class ServerConfigReader {
 public:
  explicit ServerConfigReader(Properties given) { config_.given_ = std::move(given); }

  Result<ServerConfig> read() {
    settle_node_id();
    check_values();
    if (errors_.empty()) {
      read_roles();
      read_listeners();
      read_quorum();
      read_dirs();
      read_times();
    }
    if (errors_.empty()) check_together();
    if (errors_.empty()) return std::move(config_);
    return wrong(fmt::format("{}", fmt::join(errors_, "\n")));
  }

 private:
  void complain(std::string message) { errors_.push_back(std::move(message)); }
  [[nodiscard]] bool given(std::string_view name) const { return config_.given_.contains(name); }

  // broker.id and node.id are one.
  void settle_node_id() {
    auto& values = config_.given_;
    const auto old = values.find("broker.id");
    const auto now = values.find("node.id");
    if (old != values.end() && now == values.end()) {
      values.emplace("node.id", old->second);
      config_.warnings.emplace_back("broker.id is the former name of node.id");
    } else if (old != values.end() && old->second != now->second) {
      complain(fmt::format("You must set `node.id` to the same value as `broker.id`: they are {} and {}.", now->second, old->second));
    }
  }

  void check_values() {
    for (const auto& [name, text] : config_.given_) {
      const auto* setting = broker_setting(name);
      if (setting == nullptr) {
        note_unknown(name, text);
      } else if (auto value = parse_value(*setting, text); !value) {
        complain(value.error().message);
      }
    }
    for (const auto& setting : all_settings(Kind::kBroker)) {
      if (setting.required && !given(setting.name)) {
        complain(fmt::format("Missing required configuration \"{}\" which has no default value.", setting.name));
      }
    }
  }

  void note_unknown(std::string_view name, std::string_view value) {
    for (const auto& former : kFormer) {
      if (former.name == name) {
        config_.warnings.push_back(fmt::format("{}={} has no effect: {}", name, value, former.word));
        return;
      }
    }
    // Settings of plugins, under prefixes that belong to them.
    if (name.starts_with("rsm.config.") || name.starts_with("rlmm.config.") || name.starts_with("config.providers.")) return;
    config_.unknown.emplace_back(name);
  }

  void read_roles() {
    const auto roles = config_.list("process.roles");
    config_.is_broker = std::ranges::find(roles, "broker") != roles.end();
    config_.is_controller = std::ranges::find(roles, "controller") != roles.end();
    config_.node_id = NodeId{static_cast<int32_t>(config_.number("node.id"))};
    if (given("broker.rack")) config_.rack = config_.text("broker.rack");
    for (const auto& name : config_.list("controller.listener.names")) config_.controller_listener_names.push_back(upper(name));
  }

  std::vector<Listener> listeners_of(std::string_view setting, const std::vector<std::string>& controller_names) {
    auto parsed = parse_listeners(config_.text(setting), config_.text("listener.security.protocol.map"), controller_names);
    if (parsed) return std::move(*parsed);
    complain(fmt::format("{}={}: {}", setting, config_.text(setting), parsed.error().message));
    return {};
  }

  void read_listeners() {
    // Controller listeners need no entry in the map as long as nobody thought about security.
    const bool plain = !given("listener.security.protocol.map");
    const auto& names = config_.controller_listener_names;
    const std::vector<std::string> unmapped = plain ? names : std::vector<std::string>{};
    // Each step only where those before it were right: what follows from a mistake would blame settings that nobody made.
    const size_t wrong = errors_.size();
    config_.listeners = listeners_of("listeners", unmapped);
    if (errors_.size() != wrong) return;
    check_unique(config_.listeners);
    check_controller_listeners();
    if (errors_.size() != wrong) return;

    const auto all = given("advertised.listeners") ? listeners_of("advertised.listeners", unmapped) : config_.listeners;
    if (errors_.size() != wrong) return;
    for (const auto& listener : all) {
      if (listener.host == "0.0.0.0" && (given("advertised.listeners") || !config_.is_controller_listener(listener.name))) {
        complain(fmt::format("{}: advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.",
                             listener.to_string()));
      }
      if (!has_name(config_.listeners, listener.name) && !config_.is_controller_listener(listener.name)) {
        complain(fmt::format("advertised.listeners names {}, which is not in listeners: {}", listener.name, names_of(config_.listeners)));
      }
      (config_.is_controller_listener(listener.name) ? config_.advertised_controller : config_.advertised).push_back(listener);
    }
    if (config_.is_controller && config_.advertised_controller.empty()) {
      std::ranges::copy_if(config_.listeners, std::back_inserter(config_.advertised_controller),
                           [&](const Listener& listener) { return config_.is_controller_listener(listener.name); });
    }
    if (config_.is_broker) choose_inter_broker_listener();
  }

  void check_unique(const std::vector<Listener>& listeners) {
    for (size_t i = 0; i < listeners.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        const auto& a = listeners[j];
        const auto& b = listeners[i];
        if (a.name == b.name) complain(fmt::format("Each listener must have a different name, listeners: {}", config_.text("listeners")));
        const bool families = (a.host.find(':') != std::string::npos) != (b.host.find(':') != std::string::npos);
        const bool both_given = !a.host.empty() && !b.host.empty();
        if (a.port == b.port && a.port != 0 && !(families && both_given)) {
          complain(fmt::format("Each listener must have a different port, listeners: {}", config_.text("listeners")));
        }
      }
    }
  }

  void check_controller_listeners() {
    for (const auto& name : config_.controller_listener_names) {
      const bool here = has_name(config_.listeners, name);
      if (config_.is_controller && !here) {
        complain(fmt::format("controller.listener.names names {}, which is not in listeners={}; a controller must open it", name,
                             config_.text("listeners")));
      }
      if (!config_.is_controller && here) {
        complain(fmt::format("controller.listener.names names {}, which is in listeners={}; a node that is only a broker must not open it",
                             name, config_.text("listeners")));
      }
    }
    if (!config_.is_broker) {
      for (const auto& listener : config_.listeners) {
        if (!config_.is_controller_listener(listener.name)) {
          complain(fmt::format("listeners={} holds {}; with process.roles=controller it may hold controller.listener.names only",
                               config_.text("listeners"), listener.name));
        }
      }
    }
  }

  void choose_inter_broker_listener() {
    if (given("inter.broker.listener.name") && given("security.inter.broker.protocol")) {
      return complain("Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.");
    }
    const bool named = given("inter.broker.listener.name");
    config_.inter_broker_listener = upper(config_.text(named ? "inter.broker.listener.name" : "security.inter.broker.protocol"));
    if (config_.advertised.empty()) {
      return complain("There must be at least one broker advertised listener. Perhaps all listeners appear in controller.listener.names?");
    }
    if (!has_name(config_.advertised, config_.inter_broker_listener) && !named && !given("security.inter.broker.protocol")) {
      complain(fmt::format("advertised.listeners has no listener {} for the brokers among themselves (it has {}): set inter.broker.listener.name "
                           "to the one that they are to use",
                           config_.inter_broker_listener, names_of(config_.advertised)));
    } else if (!has_name(config_.advertised, config_.inter_broker_listener)) {
      complain(fmt::format("inter.broker.listener.name must be a listener name defined in advertised.listeners: it is {}, they are {}",
                           config_.inter_broker_listener, names_of(config_.advertised)));
    }
  }

  void read_quorum() {
    for (const auto& entry : config_.list("controller.quorum.voters")) {
      const size_t at = entry.find('@');
      const auto place = parse_host_port(std::string_view(entry).substr(at + 1));
      SAMSA_ASSERT(place.has_value(), "the setting's check has parsed it");
      config_.voters.push_back({NodeId{whole(std::string_view(entry).substr(0, at)).value_or(-1)}, *place});
    }
    for (const auto& entry : config_.list("controller.quorum.bootstrap.servers")) {
      config_.bootstrap_servers.push_back(*parse_host_port(entry));
    }
    if (config_.voters.empty() && config_.bootstrap_servers.empty()) {
      return complain(
          "Neither controller.quorum.bootstrap.servers (host:port of the controllers) nor controller.quorum.voters (id@host:port of each "
          "voter) is set");
    }
    if (config_.voters.empty()) return;
    const bool votes = std::ranges::any_of(config_.voters, [&](const QuorumVoter& voter) { return voter.id == config_.node_id; });
    if (votes != config_.is_controller) {
      complain(fmt::format("process.roles={}: the node id {} must {}be included in the set of voters controller.quorum.voters={}",
                           config_.text("process.roles"), config_.node_id.value, config_.is_controller ? "" : "not ",
                           config_.text("controller.quorum.voters")));
    }
  }

  void read_dirs() {
    config_.log_dirs = config_.list(given("log.dirs") ? "log.dirs" : "log.dir");
    if (config_.log_dirs.empty()) return complain("At least one log directory must be defined via log.dirs or log.dir.");
    config_.metadata_log_dir = given("metadata.log.dir") ? config_.text("metadata.log.dir") : config_.log_dirs.front();
    const auto cordoned = config_.list("cordoned.log.dirs");
    for (const auto& dir : cordoned) {
      const bool all = dir == "*" && cordoned.size() == 1;
      if (!all && std::ranges::find(config_.log_dirs, dir) == config_.log_dirs.end()) {
        complain(fmt::format("cordoned.log.dirs names {}, which is not in log.dirs={}", dir, fmt::join(config_.log_dirs, ",")));
      }
    }
  }

  int64_t time_of(std::string_view topic_setting) {
    const Layers layers{.server = &config_.given_};
    const auto value = effective_value(Kind::kTopic, topic_setting, layers);
    return std::get<int64_t>(value);
  }

  void read_times() {
    config_.log_retention_ms = time_of("retention.ms");
    config_.log_roll_ms = time_of("segment.ms");
    config_.log_roll_jitter_ms = time_of("segment.jitter.ms");
    config_.log_flush_interval_ms = time_of("flush.ms");
    if (config_.log_roll_ms < 1) complain(fmt::format("log.roll.ms={} must be greater than or equal to 1", config_.log_roll_ms));
    if (config_.log_roll_jitter_ms < 0) {
      complain(fmt::format("log.roll.jitter.ms={} must be greater than or equal to 0", config_.log_roll_jitter_ms));
    }
    if (config_.log_retention_ms == 0) {
      complain("log.retention.ms=0 must be unlimited (-1) or, greater than or equal to 1");
    }
  }

  // a <= b, both by name.
  void at_most(std::string_view a, std::string_view b, std::string_view why) {
    if (config_.number(a) > config_.number(b)) {
      complain(fmt::format("{}={} must be less than or equal to {}={}: {}", a, config_.number(a), b, config_.number(b), why));
    }
  }

  void check_together() {
    at_most("replica.fetch.wait.max.ms", "replica.socket.timeout.ms", "or requests time out while they wait");
    at_most("replica.fetch.wait.max.ms", "replica.lag.time.max.ms", "or the ISR changes all the time");
    if (config_.number("queued.max.request.bytes") > 0) at_most("socket.request.max.bytes", "queued.max.request.bytes", "one request must fit");
    if (config_.number("connection.failed.authentication.delay.ms") >= config_.number("connections.max.idle.ms") &&
        config_.number("connections.max.idle.ms") >= 0) {
      complain("connection.failed.authentication.delay.ms should always be less than connections.max.idle.ms");
    }
    if (config_.number("broker.heartbeat.interval.ms") * 2 > config_.number("broker.session.timeout.ms")) {
      config_.warnings.push_back(
          fmt::format("broker.heartbeat.interval.ms={} should be at most half of broker.session.timeout.ms={}",
                      config_.number("broker.heartbeat.interval.ms"), config_.number("broker.session.timeout.ms")));
    }
    if (config_.number("max.connections.per.ip") == 0 && config_.text("max.connections.per.ip.overrides").empty()) {
      complain("max.connections.per.ip=0 can be set to zero only if max.connections.per.ip.overrides property is set.");
    }
    for (const std::string_view kind : {"consumer", "share", "streams"}) {
      for (const std::string_view what : {"session.timeout.ms", "heartbeat.interval.ms"}) {
        at_most(fmt::format("group.{}.min.{}", kind, what), fmt::format("group.{}.max.{}", kind, what), "they are the bounds of a group's");
        at_most(fmt::format("group.{}.min.{}", kind, what), fmt::format("group.{}.{}", kind, what), "it is the least permitted");
        at_most(fmt::format("group.{}.{}", kind, what), fmt::format("group.{}.max.{}", kind, what), "it is the greatest permitted");
      }
    }
  }

  ServerConfig config_;
  std::vector<std::string> errors_;
};

Result<ServerConfig> ServerConfig::from(Properties given) { return ServerConfigReader(std::move(given)).read(); }

std::string_view ServerConfig::embedded_properties() { return kEmbedded; }

int64_t ServerConfig::number(std::string_view name, int64_t if_null) const {
  const auto value = effective_value(Kind::kBroker, name, {.server = &given_});
  if (std::holds_alternative<std::monostate>(value)) return if_null;
  SAMSA_ASSERT(std::holds_alternative<int64_t>(value), "the setting is a whole number");
  return std::get<int64_t>(value);
}

double ServerConfig::real(std::string_view name) const {
  const auto value = effective_value(Kind::kBroker, name, {.server = &given_});
  SAMSA_ASSERT(std::holds_alternative<double>(value), "the setting is a DOUBLE");
  return std::get<double>(value);
}

bool ServerConfig::flag(std::string_view name) const {
  const auto value = effective_value(Kind::kBroker, name, {.server = &given_});
  SAMSA_ASSERT(std::holds_alternative<bool>(value), "the setting is a BOOLEAN");
  return std::get<bool>(value);
}

std::string ServerConfig::text(std::string_view name) const {
  return value_text(effective_value(Kind::kBroker, name, {.server = &given_})).value_or("");
}

std::vector<std::string> ServerConfig::list(std::string_view name) const {
  auto value = effective_value(Kind::kBroker, name, {.server = &given_});
  if (std::holds_alternative<std::monostate>(value)) return {};
  SAMSA_ASSERT(std::holds_alternative<std::vector<std::string>>(value), "the setting is a LIST");
  return std::get<std::vector<std::string>>(std::move(value));
}

bool ServerConfig::is_controller_listener(std::string_view name) const {
  return std::ranges::find(controller_listener_names, name) != controller_listener_names.end();
}

}  // namespace samsa::config
