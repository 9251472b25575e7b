#include "tool/metadata_tree.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "metadata/features.h"

namespace samsa::tool {

namespace {

using Node = MetadataTreeNode;

std::string ids(const std::vector<int32_t>& list) { return fmt::format("[{}]", fmt::join(list, ", ")); }

std::string ids(const std::vector<Uuid>& list) {
  std::vector<std::string> texts;
  for (const auto& id : list) texts.push_back(id.to_string());
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

std::string hex(const Buffer& bytes) { return fmt::format("{:02x}", fmt::join(bytes, "")); }

// Double.toString.
std::string number(double value) {
  const double size = std::fabs(value);
  if (value == 0 || (size >= 1e-3 && size < 1e7)) return value == std::floor(value) ? fmt::format("{:.1f}", value) : fmt::format("{}", value);
  const int exponent = static_cast<int>(std::floor(std::log10(size)));
  const double mantissa = value / std::pow(10, exponent);
  return fmt::format("{}E{}", number(mantissa), exponent);
}

// "2026-11-21T09:30:00.12Z[UTC]": as many digits of the fraction as are needed.
std::string zoned_time(TimestampMs time) {
  int64_t days = time / 86'400'000, rest = time % 86'400'000;
  if (rest < 0) {
    rest += 86'400'000;
    --days;
  }
  // Days since 1970 to a date of the Gregorian calendar: years from March, in eras of 400 years.
  const int64_t shifted = days + 719'468, era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097, day_of_era = shifted - era * 146'097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100), from_march = (5 * day_of_year + 2) / 153;
  const int64_t day = day_of_year - (153 * from_march + 2) / 5 + 1, month = from_march < 10 ? from_march + 3 : from_march - 9;
  const int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  std::string fraction = rest % 1'000 == 0 ? "" : fmt::format(".{:03}", rest % 1'000);
  while (fraction.ends_with('0')) fraction.pop_back();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}Z[UTC]", year, month, day, rest / 3'600'000, rest / 60'000 % 60, rest / 1'000 % 60, fraction);
}

std::string endpoints(std::vector<metadata::Endpoint> list) {
  constexpr std::string_view kProtocols[] = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};
  std::sort(list.begin(), list.end());
  std::vector<std::string> texts;
  for (const auto& endpoint : list) {
    const auto protocol = static_cast<size_t>(endpoint.security_protocol);
    texts.push_back(fmt::format("Endpoint(listenerName='{}', securityProtocol={}, host='{}', port={})", endpoint.listener,
                                protocol < 4 ? kProtocols[protocol] : "UNKNOWN", endpoint.host, endpoint.port));
  }
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

std::string ranges(const std::map<std::string, metadata::FeatureRange, std::less<>>& features) {
  std::vector<std::string> texts;
  for (const auto& [name, range] : features) {
    texts.push_back(name + ": " + (range.min == range.max ? std::to_string(range.min) : fmt::format("{}-{}", range.min, range.max)));
  }
  return fmt::format("{{{}}}", fmt::join(texts, ", "));
}

std::string broker_text(const metadata::BrokerImage& broker) {
  return fmt::format("BrokerRegistration(id={}, epoch={}, incarnationId={}, listeners={}, supportedFeatures={}, rack={}, fenced={}, inControlledShutdown={}, "
                     "isMigratingZkBroker=false, directories={}, cordonedDirectories={})",
                     broker.id, broker.epoch, broker.incarnation.to_string(), endpoints(broker.endpoints), ranges(broker.features),
                     broker.rack ? fmt::format("Optional[{}]", *broker.rack) : "Optional.empty", broker.fenced, broker.in_controlled_shutdown, ids(broker.log_dirs),
                     ids(broker.cordoned_log_dirs));
}

std::string partition_text(const metadata::PartitionImage& partition) {
  return fmt::format("PartitionRegistration(replicas={}, directories={}, isr={}, removingReplicas={}, addingReplicas={}, elr={}, lastKnownElr={}, leader={}, "
                     "leaderRecoveryState={}, leaderEpoch={}, partitionEpoch={})",
                     ids(partition.replicas), ids(partition.directories), ids(partition.isr), ids(partition.removing), ids(partition.adding), ids(partition.elr),
                     ids(partition.last_known_elr), partition.leader, partition.recovery == metadata::LeaderRecovery::kRecovered ? "RECOVERED" : "RECOVERING",
                     partition.leader_epoch, partition.partition_epoch);
}

template <size_t N>
std::string_view word(const std::string_view (&words)[N], int8_t code) {
  return code >= 0 && static_cast<size_t>(code) < N ? words[static_cast<size_t>(code)] : "UNKNOWN";
}

std::string acl_text(const metadata::AclImage& acl) {
  constexpr std::string_view kResources[] = {"UNKNOWN", "ANY", "TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID", "DELEGATION_TOKEN", "USER"};
  constexpr std::string_view kPatterns[] = {"UNKNOWN", "ANY", "MATCH", "LITERAL", "PREFIXED"};
  constexpr std::string_view kOperations[] = {"UNKNOWN", "ANY", "ALL", "READ", "WRITE", "CREATE", "DELETE", "ALTER", "DESCRIBE", "CLUSTER_ACTION", "DESCRIBE_CONFIGS",
                                              "ALTER_CONFIGS", "IDEMPOTENT_WRITE", "CREATE_TOKENS", "DESCRIBE_TOKENS", "TWO_PHASE_COMMIT"};
  constexpr std::string_view kPermissions[] = {"UNKNOWN", "ANY", "DENY", "ALLOW"};
  return fmt::format("StandardAcl[resourceType={}, resourceName={}, patternType={}, principal={}, host={}, operation={}, permissionType={}]",
                     word(kResources, acl.resource_type), acl.resource_name, word(kPatterns, acl.pattern_type), acl.principal, acl.host,
                     word(kOperations, acl.operation), word(kPermissions, acl.permission));
}

std::string config_name(const metadata::ConfigResource& resource) {
  const std::string_view type = resource.type == metadata::ConfigType::kTopic           ? "TOPIC"
                                : resource.type == metadata::ConfigType::kBroker        ? "BROKER"
                                : resource.type == metadata::ConfigType::kBrokerLogger  ? "BROKER_LOGGER"
                                : resource.type == metadata::ConfigType::kClientMetrics ? "CLIENT_METRICS"
                                                                                        : "GROUP";
  return resource.name.empty() ? std::string(type) : fmt::format("{}:{}", type, resource.name);
}

std::string quota_name(const metadata::QuotaEntity& entity) {
  std::vector<std::string> parts;
  for (const auto& [key, shown] : {std::pair{"client-id", "clientId"}, std::pair{"ip", "ip"}, std::pair{"user", "user"}}) {
    const auto found = entity.parts.find(key);
    if (found == entity.parts.end() || !found->second) continue;
    std::string escaped;
    for (const char c : *found->second) {
      if (c == '\\' || c == '(' || c == ')') escaped += '\\';
      escaped += c;
    }
    parts.push_back(fmt::format("{}({})", shown, escaped));
  }
  return fmt::format("{}", fmt::join(parts, "_"));
}

Node topic_node(const metadata::TopicImage& topic) {
  Node node;
  node.children["name"] = Node::file(topic.name);
  node.children["id"] = Node::file(topic.id.to_string());
  topic.partitions.for_each([&](int32_t index, const metadata::PartitionImage& partition) { node.children[std::to_string(index)] = Node::file(partition_text(partition)); });
  return node;
}

Node tokens_node(const metadata::MetadataImage& image) {
  Node node;
  image.tokens.for_each([&](const std::string& id, const metadata::DelegationTokenImage& token) {
    node.children[id] = Node::file(fmt::format("DelegationTokenDatatokenId={}(owner={}(tokenRequester={}(renewers={}, issueTimestamp={}, maxTimestamp={}), expiryTimestamp={}",
                                               token.token_id, token.owner, token.requester, fmt::join(token.renewers, " "), token.issued_ms, token.max_ms,
                                               token.expires_ms));
  });
  return node;
}

Node scram_node(const metadata::MetadataImage& image) {
  Node node;
  node.children["SCRAM-SHA-256"];
  node.children["SCRAM-SHA-512"];
  image.scram.for_each([&](const metadata::ScramKey& key, const metadata::ScramCredential& credential) {
    node.children[key.second == 2 ? "SCRAM-SHA-512" : "SCRAM-SHA-256"].children[key.first] =
        Node::file(fmt::format("ScramCredentialData(salt={}, storedKey={}, serverKey={}, iterations={})", hex(credential.salt), hex(credential.stored_key),
                               hex(credential.server_key), credential.iterations));
  });
  return node;
}

Node image_node(const metadata::MetadataImage& image) {
  Node node;
  auto& parts = node.children;
  parts["provenance"] = Node::file(fmt::format("offset {}, epoch {}, time {}", image.provenance.last_offset(), image.provenance.epoch, zoned_time(image.provenance.timestamp_ms)));
  auto& features = parts["features"].children;
  features["metadataVersion"] = Node::file(image.feature(metadata::kMetadataVersion) == 0
                                               ? "Optional.empty"
                                               : fmt::format("Optional[{}]", metadata::metadata_version_text(image.metadata_version())));
  image.features.for_each([&](const std::string& name, int16_t level) {
    if (name != metadata::kMetadataVersion) features["finalized_" + name] = Node::file(std::to_string(level));
  });
  auto& cluster = parts["cluster"].children;
  auto& brokers = cluster["brokers"].children;
  image.brokers.for_each([&](int32_t id, const metadata::BrokerImage& broker) { brokers[std::to_string(id)] = Node::file(broker_text(broker)); });
  auto& controllers = cluster["controllers"].children;
  image.controllers.for_each([&](int32_t id, const metadata::ControllerImage& controller) {
    controllers[std::to_string(id)] = Node::file(fmt::format("ControllerRegistration(id={}, incarnationId={}, zkMigrationReady={}, listeners={}, supportedFeatures={})", id,
                                                             controller.incarnation.to_string(), controller.zk_migration_ready, endpoints(controller.endpoints),
                                                             ranges(controller.features)));
  });
  auto& topics = parts["topics"].children;
  auto& by_name = topics["byName"].children;
  auto& by_id = topics["byId"].children;
  image.topics.for_each([&](const std::string& name, const metadata::TopicImage& topic) {
    by_name[name] = topic_node(topic);
    by_id[topic.id.to_string()] = by_name[name];
  });
  auto& configs = parts["configs"].children;
  image.configs.for_each([&](const metadata::ConfigResource& resource, const metadata::ConfigMap& map) {
    for (const auto& [name, value] : map) configs[config_name(resource)].children[name] = Node::file(value);
  });
  auto& quotas = parts["clientQuotas"].children;
  image.quotas.for_each([&](const metadata::QuotaEntity& entity, const metadata::QuotaMap& map) {
    for (const auto& [name, value] : map) quotas[quota_name(entity)].children[name] = Node::file(number(value));
  });
  parts["producerIds"].children["nextProducerId"] = Node::file(std::to_string(image.next_producer_id));
  auto& acls = parts["acls"].children["byId"].children;
  image.acls.for_each([&](const Uuid& id, const metadata::AclImage& acl) { acls[id.to_string()] = Node::file(acl_text(acl)); });
  parts["scram"] = scram_node(image);
  parts["delegationToken"] = tokens_node(image);
  return node;
}

// A part of a path as a regular expression; nothing: it is a plain name.
std::optional<std::string> pattern_of(std::string_view glob) {
  std::string text;
  bool plain = true, group = false;
  for (size_t i = 0; i < glob.size(); ++i) {
    const char c = glob[i];
    if (c == '?' || c == '*') {
      plain = false;
      text += c == '?' ? "." : ".*";
    } else if (c == '{') {
      if (group) return std::nullopt;
      plain = false;
      group = true;
      text += "(?:(?:";
    } else if (c == '}' && group) {
      group = false;
      text += "))";
    } else if (c == ',' && group) {
      text += ")|(?:";
    } else {
      text += re2::RE2::QuoteMeta(std::string(1, c == '\\' && i + 1 < glob.size() ? glob[++i] : c));
    }
  }
  return plain || group ? std::nullopt : std::optional(text);
}

void search(const std::vector<std::string>& parts, const Node& node, std::vector<std::string>& path, std::vector<MetadataTreeMatch>& found) {
  if (path.size() == parts.size()) {
    found.push_back({path, &node});
    return;
  }
  const std::string& part = parts[path.size()];
  const auto enter = [&](const std::string& name, const Node& child) {
    path.push_back(name);
    search(parts, child, path, found);
    path.pop_back();
  };
  const auto pattern = pattern_of(part);
  if (!pattern) {
    if (const auto child = node.children.find(part); child != node.children.end()) enter(child->first, child->second);
    return;
  }
  const re2::RE2 expression(*pattern);
  for (const auto& [name, child] : node.children) {
    if (re2::RE2::FullMatch(name, expression)) enter(name, child);
  }
}

void print(const Node& node, size_t depth, std::string& text) {
  const std::string indent(2 * depth, ' ');
  if (!node.directory) text += indent + node.text + "\n";
  for (const auto& [name, child] : node.children) {
    text += fmt::format("{}{}:\n", indent, name);
    print(child, depth + 1, text);
  }
}

}  // namespace

MetadataTreeNode metadata_tree(const metadata::MetadataImage& image) {
  Node root;
  root.children["image"] = image_node(image);
  root.children["local"].children = {{"version", Node::file("0.1.0")}, {"commitId", Node::file("unknown")}};
  return root;
}

std::vector<std::string> path_parts(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
    if (part.empty() || part == ".") continue;
    if (part != "..") parts.emplace_back(part);
    else if (!parts.empty()) parts.pop_back();
  }
  return parts;
}

std::vector<MetadataTreeMatch> find_in_tree(const MetadataTreeNode& root, std::string_view directory, std::string_view path) {
  const auto parts = path_parts(path.starts_with('/') ? std::string(path) : fmt::format("{}/{}", directory, path));
  std::vector<MetadataTreeMatch> found;
  std::vector<std::string> at;
  search(parts, root, at, found);
  return found;
}

std::string print_tree(const MetadataTreeNode& node) {
  std::string text;
  print(node, 0, text);
  return text;
}

}  // namespace samsa::tool
