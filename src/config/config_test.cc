#include "config/config.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace samsa::config {
namespace {

std::string why(Kind kind, std::string_view name, std::optional<std::string_view> text) {
  const auto* setting = find_setting(kind, name);
  if (setting == nullptr) return "no such setting";
  const auto value = parse_value(*setting, text);
  return value ? "ok " + value_text(*value).value_or("null") : value.error().message;
}
std::string topic(std::string_view name, std::optional<std::string_view> text) { return why(Kind::kTopic, name, text); }
std::string broker(std::string_view name, std::optional<std::string_view> text) { return why(Kind::kBroker, name, text); }

Properties node(std::string_view more = {}) {
  auto properties = parse_properties(ServerConfig::embedded_properties()).value();
  for (auto& [name, value] : parse_properties(more).value()) properties.insert_or_assign(name, value);
  return properties;
}
ServerConfig server(std::string_view more = {}) { return ServerConfig::from(node(more)).value(); }
std::string mistake(std::string_view more) {
  const auto config = ServerConfig::from(node(more));
  return config ? "none" : config.error().message;
}

TEST(Properties, ReadsWhatJavaReads) {
  const auto parsed = parse_properties(
      "# comment\n! another\n\n a = 1\nb:2\nc 3\nd=\ne\nf = x \\\n    y\ng\\ h=i\\=j\nk=\\u00e9\\t\\\\z\r\nl==m\nn = a b \nlast=\\ud83d\\ude00");
  ASSERT_TRUE(parsed);
  const Properties want = {{"a", "1"}, {"b", "2"},      {"c", "3"},           {"d", ""},   {"e", ""},     {"f", "x y"},
                           {"g h", "i=j"}, {"k", "\xc3\xa9\t\\z"}, {"l", "=m"}, {"n", "a b "}, {"last", "\xf0\x9f\x98\x80"}};
  EXPECT_EQ(*parsed, want);
  EXPECT_EQ(parse_properties("a=1\nb=\\u12").error().message, "line 2: \\u needs four hexadecimal digits");
}

TEST(Properties, PrintsWhatItReads) {
  const Properties values = {{"plain", "value"}, {"a b", " lead"}, {"x=y", "1:2#3!\\"}, {"t", "\t\n"}, {"empty", ""}};
  EXPECT_EQ(parse_properties(print_properties(values, "made by\ntwo lines")).value(), values);
}

TEST(Settings, TableHasEveryKind) {
  EXPECT_GE(all_settings(Kind::kBroker).size(), 363U);
  EXPECT_EQ(all_settings(Kind::kTopic).size(), 34U);
  EXPECT_EQ(all_settings(Kind::kGroup).size(), 17U);
  EXPECT_EQ(all_settings(Kind::kClientMetrics).size(), 3U);
  EXPECT_EQ(find_setting(Kind::kTopic, "no.such"), nullptr);
}

TEST(Settings, DefaultsPassTheirOwnChecks) {
  for (const auto kind : {Kind::kBroker, Kind::kTopic, Kind::kGroup, Kind::kClientMetrics}) {
    for (const auto& setting : all_settings(kind)) {
      EXPECT_FALSE(setting.doc.empty()) << setting.name;
      if (setting.required || !setting.default_value) continue;
      const auto value = parse_value(setting, setting.default_value);
      ASSERT_TRUE(value) << value.error().message;
      EXPECT_EQ(value_text(*value), setting.default_value) << setting.name;
    }
  }
}

TEST(Settings, TopicsAndGroupsShareTheirBrokerDefaults) {
  for (const auto kind : {Kind::kTopic, Kind::kGroup}) {
    for (const auto& setting : all_settings(kind)) {
      const auto name = broker_synonym(kind, setting.name);
      if (name.empty()) continue;
      const auto* behind = find_setting(Kind::kBroker, name);
      ASSERT_NE(behind, nullptr) << name;
      EXPECT_EQ(effective_text(kind, setting.name, {}), setting.default_value) << setting.name;
    }
  }
}

TEST(Settings, WrongValuesHaveKafkasWords) {
  EXPECT_EQ(topic("segment.bytes", "abc"), "Invalid value abc for configuration segment.bytes: Not a number of type INT");
  EXPECT_EQ(topic("segment.bytes", "12"), "Invalid value 12 for configuration segment.bytes: Value must be at least 1048576");
  EXPECT_EQ(topic("segment.bytes", "99999999999"), "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT");
  EXPECT_EQ(topic("segment.bytes", ""), "Invalid value  for configuration segment.bytes: Not a number of type INT");
  EXPECT_EQ(topic("segment.bytes", std::nullopt), "Invalid value null for configuration segment.bytes: Value must be non-null");
  EXPECT_EQ(topic("segment.bytes", " 2000000 "), "ok 2000000");
  EXPECT_EQ(topic("retention.ms", "-2"), "Invalid value -2 for configuration retention.ms: Value must be at least -1");
  EXPECT_EQ(topic("retention.ms", "1.5"), "Invalid value 1.5 for configuration retention.ms: Not a number of type LONG");
  EXPECT_EQ(topic("min.cleanable.dirty.ratio", "2"),
            "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1");
  EXPECT_EQ(topic("min.cleanable.dirty.ratio", "0.25f"), "ok 0.25");
  EXPECT_EQ(topic("cleanup.policy", "foo"), "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete");
  EXPECT_EQ(topic("cleanup.policy", " delete , compact "), "ok delete,compact");
  EXPECT_EQ(topic("cleanup.policy", "delete,delete"), "ok delete");
  EXPECT_EQ(topic("cleanup.policy", ""), "ok ");
  EXPECT_EQ(topic("cleanup.policy", "delete,"), "Configuration 'cleanup.policy' values must not be empty.");
  EXPECT_EQ(topic("cleanup.policy", std::nullopt), "Configuration 'cleanup.policy' values must not be null.");
  EXPECT_EQ(topic("compression.type", "foo"),
            "Invalid value foo for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer");
  EXPECT_EQ(topic("compression.gzip.level", "0"),
            "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1");
  EXPECT_EQ(topic("preallocate", "maybe"), "Invalid value maybe for configuration preallocate: Expected value to be either true or false");
  EXPECT_EQ(topic("preallocate", "TRUE"), "ok true");
  EXPECT_EQ(topic("flush.ms", "+5"), "ok 5");
  EXPECT_EQ(topic("flush.ms", "0x5"), "Invalid value 0x5 for configuration flush.ms: Not a number of type LONG");
  EXPECT_EQ(topic("leader.replication.throttled.replicas", "*"), "ok *");
  EXPECT_EQ(topic("leader.replication.throttled.replicas", "0:1,1:2"), "ok 0:1,1:2");
  EXPECT_TRUE(topic("leader.replication.throttled.replicas", "x").starts_with("Invalid value [x] for configuration leader"));
  EXPECT_EQ(broker("process.roles", ""), "Configuration 'process.roles' must not be empty. Valid values include: [broker, controller]");
  EXPECT_EQ(broker("listeners", ""), "Configuration 'listeners' must not be empty. Valid values include: any non-empty value");
  EXPECT_EQ(broker("offsets.topic.replication.factor", "40000"),
            "Invalid value 40000 for configuration offsets.topic.replication.factor: Not a number of type SHORT");
  EXPECT_EQ(broker("remote.log.storage.manager.class.name", ""),
            "Invalid value  for configuration remote.log.storage.manager.class.name: String must be non-empty");
  EXPECT_EQ(broker("group.consumer.migration.policy", "Upgrade"), "ok Upgrade");
  EXPECT_EQ(why(Kind::kGroup, "share.auto.offset.reset", "by_duration:PT1H"), "ok by_duration:PT1H");
  EXPECT_EQ(why(Kind::kGroup, "share.auto.offset.reset", "by_duration:P2DT3H4M5.5S"), "ok by_duration:P2DT3H4M5.5S");
  for (const auto* bad : {"x", "by_duration:", "by_duration:P", "by_duration:PT", "by_duration:1H", "by_duration:PT1D", "by_duration:P1H"}) {
    EXPECT_TRUE(why(Kind::kGroup, "share.auto.offset.reset", bad).starts_with("Invalid value")) << bad;
  }
}

TEST(ServerConfig, EmbeddedOneIsOneNodeOfBothRoles) {
  const auto config = server();
  EXPECT_TRUE(config.is_broker && config.is_controller);
  EXPECT_EQ(config.node_id, NodeId{1});
  ASSERT_EQ(config.listeners.size(), 2U);
  EXPECT_EQ(config.listeners[0].to_string(), "PLAINTEXT://127.0.0.1:9092");
  ASSERT_EQ(config.advertised.size(), 1U);
  ASSERT_EQ(config.advertised_controller.size(), 1U);
  EXPECT_EQ(config.advertised_controller[0].name, "CONTROLLER");
  EXPECT_EQ(config.inter_broker_listener, "PLAINTEXT");
  EXPECT_EQ(config.log_dirs, std::vector<std::string>{"./data"});
  EXPECT_EQ(config.metadata_log_dir, "./data");
  EXPECT_EQ(config.bootstrap_servers, (std::vector<HostPort>{{"127.0.0.1", 9093}}));
  EXPECT_EQ(config.log_retention_ms, 604800000);
  EXPECT_EQ(config.log_roll_ms, 604800000);
  EXPECT_EQ(config.log_flush_interval_ms, INT64_MAX);
  EXPECT_EQ(config.number("num.partitions"), 1);
  EXPECT_EQ(config.number("offsets.topic.replication.factor"), 1);
  EXPECT_TRUE(config.flag("auto.create.topics.enable"));
  EXPECT_EQ(config.real("log.cleaner.min.cleanable.ratio"), 0.5);
  EXPECT_TRUE(config.unknown.empty() && config.warnings.empty());
}

TEST(ServerConfig, TimesComeFromTheFinestUnitGiven) {
  EXPECT_EQ(server("log.retention.hours=2").log_retention_ms, 7200000);
  EXPECT_EQ(server("log.retention.hours=2\nlog.retention.minutes=3").log_retention_ms, 180000);
  EXPECT_EQ(server("log.retention.hours=2\nlog.retention.ms=5").log_retention_ms, 5);
  EXPECT_EQ(server("log.retention.hours=-1").log_retention_ms, -1);
  EXPECT_EQ(server("log.roll.hours=1").log_roll_ms, 3600000);
  EXPECT_EQ(server("log.flush.scheduler.interval.ms=7").log_flush_interval_ms, 7);
}

TEST(ServerConfig, UnknownAndFormerSettings) {
  const auto config = server("no.such=1\nzookeeper.connect=host:2181\nlisteners.x=2\nlistener.name.plaintext.ssl.keystore.type=PEM");
  EXPECT_EQ(config.unknown, (std::vector<std::string>{"listeners.x", "no.such"}));
  ASSERT_EQ(config.warnings.size(), 1U);
  EXPECT_TRUE(config.warnings[0].starts_with("zookeeper.connect=host:2181 has no effect"));
  auto properties = node("broker.id=1");
  properties.erase("node.id");
  EXPECT_EQ(ServerConfig::from(properties)->node_id, NodeId{1});
}

TEST(ServerConfig, MistakesNameTheSettingAndItsValue) {
  EXPECT_EQ(mistake("num.partitions=x"), "Invalid value x for configuration num.partitions: Not a number of type INT");
  const std::string two = mistake("num.partitions=x\nnode.id=-3");
  EXPECT_NE(two.find("num.partitions"), std::string::npos);
  EXPECT_NE(two.find("Invalid value -3 for configuration node.id: Value must be at least 0"), std::string::npos);
  EXPECT_EQ(ServerConfig::from({}).error().message,
            "Missing required configuration \"controller.listener.names\" which has no default value.\n"
            "Missing required configuration \"node.id\" which has no default value.\n"
            "Missing required configuration \"process.roles\" which has no default value.");
  const std::pair<const char*, const char*> cases[] = {
      {"broker.id=7", "node.id"},
      {"listeners=PLAINTEXT://:9092,CONTROLLER://:9092", "different port"},
      {"listeners=PLAINTEXT://:9092,PLAINTEXT://:9093,CONTROLLER://:1", "different name"},
      {"listeners=PLAINTEXT:9092", "Unable to parse"},
      {"listeners=PLAINTEXT://a b:9092", "Unable to parse"},
      {"listeners=FOO://:9092,CONTROLLER://:9093", "No security protocol defined for listener FOO"},
      {"listeners=PLAINTEXT://:9092", "controller.listener.names names CONTROLLER"},
      {"listeners=PLAINTEXT://0.0.0.0:9092,CONTROLLER://:9093", "nonroutable"},
      {"advertised.listeners=SSL://x:1", "not in listeners"},
      {"inter.broker.listener.name=SSL", "inter.broker.listener.name"},
      {"security.inter.broker.protocol=PLAINTEXT", "Only one of"},
      {"listener.security.protocol.map=PLAINTEXT:FOO", "listener.security.protocol.map"},
      {"controller.quorum.voters=2@localhost:9093", "must be included in the set of voters"},
      {"controller.quorum.voters=abc", "{id}@{host}:{port}"},
      {"process.roles=controller", "only"},
      {"replica.fetch.wait.max.ms=40000", "replica.socket.timeout.ms"},
      {"cordoned.log.dirs=/other", "cordoned.log.dirs"},
      {"log.retention.ms=0", "log.retention.ms"},
  };
  for (const auto& [text, word] : cases) EXPECT_NE(mistake(text).find(word), std::string::npos) << text << " -> " << mistake(text);
}

TEST(ServerConfig, NoListenerForTheBrokersAmongThemselves) {
  auto properties = node("listeners=IN://:9092,CONTROLLER://:9093\nlistener.security.protocol.map=IN:PLAINTEXT,CONTROLLER:PLAINTEXT");
  properties.erase("inter.broker.listener.name");
  const auto config = ServerConfig::from(properties);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message, "advertised.listeners has no listener PLAINTEXT for the brokers among themselves (it has IN): set "
                                    "inter.broker.listener.name to the one that they are to use");
  EXPECT_EQ(mistake("listeners=foo"), "listeners=foo: Unable to parse a listener name from foo");
}

TEST(ServerConfig, BrokerAloneAndControllerAlone) {
  const auto alone = server("process.roles=broker\nlisteners=PLAINTEXT://[::1]:0\ncontroller.quorum.voters=9@c:1");
  EXPECT_FALSE(alone.is_controller);
  EXPECT_EQ(alone.listeners[0].host, "::1");
  EXPECT_EQ(alone.listeners[0].to_string(), "PLAINTEXT://[::1]:0");
  EXPECT_EQ(alone.voters[0].id, NodeId{9});
  const auto controller = server("process.roles=controller\nlisteners=CONTROLLER://:9093");
  EXPECT_TRUE(controller.inter_broker_listener.empty());
  EXPECT_TRUE(controller.advertised.empty());
  EXPECT_EQ(controller.advertised_controller.size(), 1U);
}

const Described* find(const std::vector<Described>& all, std::string_view name) {
  const auto found = std::ranges::find(all, name, &Described::name);
  return found == all.end() ? nullptr : &*found;
}

TEST(Dynamic, LayersInTheirOrder) {
  const Properties own = {{"segment.bytes", "4000000"}};
  const Properties one = {{"log.segment.bytes", "3000000"}};
  const Properties cluster = {{"log.segment.bytes", "2500000"}};
  const Properties fixed = {{"log.segment.bytes", "2000000"}};
  const auto effective = [&](const Layers& layers) { return effective_text(Kind::kTopic, "segment.bytes", layers).value(); };
  EXPECT_EQ(effective({&own, &one, &cluster, &fixed}), "4000000");
  EXPECT_EQ(effective({nullptr, &one, &cluster, &fixed}), "3000000");
  EXPECT_EQ(effective({nullptr, nullptr, &cluster, &fixed}), "2500000");
  EXPECT_EQ(effective({nullptr, nullptr, nullptr, &fixed}), "2000000");
  EXPECT_EQ(effective({}), "1073741824");
  const auto all = describe_topic({&own, &one, &cluster, &fixed}, std::nullopt);
  const auto* described = find(all, "segment.bytes");
  ASSERT_NE(described, nullptr);
  EXPECT_EQ(described->source, Source::kTopic);
  std::vector<Source> sources;
  for (const auto& synonym : described->synonyms) sources.push_back(synonym.source);
  EXPECT_EQ(sources, (std::vector{Source::kTopic, Source::kDynamicBroker, Source::kDynamicDefaultBroker, Source::kStaticBroker,
                                  Source::kDefault}));
  EXPECT_EQ(find(all, "internal.segment.bytes"), nullptr);
  EXPECT_EQ(all.size(), 33U);
  const Properties tiny = {{"internal.segment.bytes", "500"}};
  const auto with_internal = describe_topic({&tiny, &one, &cluster, &fixed}, std::nullopt);
  ASSERT_NE(find(with_internal, "internal.segment.bytes"), nullptr) << "whoever set it sees it";
  EXPECT_EQ(find(with_internal, "internal.segment.bytes")->source, Source::kTopic);
}

TEST(Dynamic, CoarseUnitsReachTheTopicButAreNoSynonymsOfTheFine) {
  const Properties fixed = {{"log.retention.hours", "1"}};
  const auto all = describe_topic({.server = &fixed}, std::vector<std::string>{"retention.ms"});
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].value, "3600000");
  EXPECT_EQ(all[0].source, Source::kDefault);
  EXPECT_TRUE(all[0].synonyms.empty());
}

TEST(Dynamic, BrokerDescribesSecretsAndStrangersWithoutValue) {
  const Properties fixed = {{"ssl.key.password", "secret"}, {"my.own", "x"}, {"num.partitions", "4"}};
  const Properties one = {{"log.cleaner.threads", "2"}};
  const auto all = describe_broker({.broker = &one, .server = &fixed}, std::nullopt);
  EXPECT_TRUE(find(all, "ssl.key.password")->sensitive);
  EXPECT_FALSE(find(all, "ssl.key.password")->value);
  EXPECT_FALSE(find(all, "ssl.key.password")->synonyms[0].value);
  EXPECT_TRUE(find(all, "my.own")->sensitive);
  EXPECT_EQ(find(all, "num.partitions")->value, "4");
  EXPECT_EQ(find(all, "num.partitions")->source, Source::kStaticBroker);
  EXPECT_TRUE(find(all, "num.partitions")->read_only);
  EXPECT_EQ(find(all, "log.cleaner.threads")->value, "2");
  EXPECT_EQ(find(all, "log.cleaner.threads")->source, Source::kDynamicBroker);
  EXPECT_FALSE(find(all, "log.cleaner.threads")->read_only);
  EXPECT_EQ(find(all, "leader.replication.throttled.rate"), nullptr);
}

TEST(Dynamic, Operations) {
  const Properties current = {{"cleanup.policy", "delete"}, {"segment.ms", "5"}};
  const auto apply = [&](std::vector<Alter> alters) { return apply_alters(Kind::kTopic, current, alters); };
  EXPECT_EQ(apply({{"cleanup.policy", AlterOp::kAppend, "compact,delete"}})->at("cleanup.policy"), "delete,compact");
  EXPECT_EQ(apply({{"cleanup.policy", AlterOp::kSubtract, "delete"}})->at("cleanup.policy"), "");
  EXPECT_FALSE(apply({{"segment.ms", AlterOp::kDelete, std::nullopt}})->contains("segment.ms"));
  EXPECT_EQ(apply({{"flush.ms", AlterOp::kSet, "9"}})->at("flush.ms"), "9");
  EXPECT_EQ(apply_alters(Kind::kTopic, {}, {{"cleanup.policy", AlterOp::kAppend, "compact"}})->at("cleanup.policy"), "delete,compact");
  EXPECT_EQ(apply({{"segment.ms", AlterOp::kAppend, "1"}}).error().code, ErrorCode::kInvalidConfig);
  EXPECT_EQ(apply({{"segment.ms", AlterOp::kSet, std::nullopt}}).error().code, ErrorCode::kInvalidRequest);
  EXPECT_EQ(apply({{"segment.ms", AlterOp::kSet, "1"}, {"segment.ms", AlterOp::kSet, "2"}}).error().code, ErrorCode::kInvalidRequest);
  EXPECT_EQ(apply({{"segment.ms", static_cast<AlterOp>(9), "1"}}).error().code, ErrorCode::kInvalidRequest);
  EXPECT_EQ(apply({{"x", AlterOp::kSet, std::string(40000, 'x')}}).error().code, ErrorCode::kInvalidConfig);
}

TEST(Dynamic, ChecksOfResources) {
  const auto config = server();
  EXPECT_TRUE(check_topic({{"retention.ms", "5"}}, config));
  EXPECT_EQ(check_topic({{"no.such", "5"}}, config).error().message, "Unknown topic config name: no.such");
  EXPECT_EQ(check_topic({{"min.compaction.lag.ms", "5"}, {"max.compaction.lag.ms", "4"}}, config).error().message,
            "conflict topic config setting min.compaction.lag.ms (5) > max.compaction.lag.ms (4)");
  EXPECT_FALSE(check_topic({{"remote.storage.enable", "true"}}, config));
  EXPECT_TRUE(check_group({{"consumer.session.timeout.ms", "50000"}}, config));
  EXPECT_EQ(check_group({{"consumer.session.timeout.ms", "70000"}}, config).error().message,
            "consumer.session.timeout.ms must be less than or equal to group.consumer.max.session.timeout.ms");
  EXPECT_EQ(check_group({{"streams.num.standby.replicas", "3"}}, config).error().message,
            "streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas");
  EXPECT_EQ(check_group({{"x", "1"}}, config).error().message, "Unknown group config name: x");
  EXPECT_TRUE(check_client_metrics("m", {{"interval.ms", "1000"}, {"match", "client_id=a.*"}}));
  EXPECT_FALSE(check_client_metrics("m", {{"interval.ms", "10"}}));
  EXPECT_FALSE(check_client_metrics("m", {{"match", "what=a"}}));
  EXPECT_TRUE(check_broker({{"log.cleaner.threads", "2"}}, false, config));
  EXPECT_EQ(check_broker({{"num.partitions", "2"}}, true, config).error().message, "Cannot update these configs dynamically: [num.partitions]");
  EXPECT_FALSE(check_broker({{"cordoned.log.dirs", "./data"}}, false, config));
  EXPECT_TRUE(check_broker({{"cordoned.log.dirs", "./data"}}, true, config));
  EXPECT_FALSE(check_broker({{"log.cleaner.threads", "x"}}, false, config));
}

}  // namespace
}  // namespace samsa::config
