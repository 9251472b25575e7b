#include "server/hostile_requests.h"

#include <algorithm>

#include "protocol/api/api_versions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/metadata.h"
#include "protocol/api/produce.h"
#include "protocol/headers.h"

namespace samsa::server {
namespace {

using namespace std::chrono_literals;
using protocol::FieldTable;
using protocol::Kind;
using protocol::MessageKind;
using protocol::MessageTable;

constexpr uint16_t kBrokerPort = 9092;
constexpr uint16_t kControllerPort = 9093;
constexpr int kDeepest = 4;
constexpr size_t kMostRequests = 48;  // Of one input.
constexpr size_t kLongestText = 32767;

void* at_offset(void* base, size_t offset) { return static_cast<char*>(base) + offset; }
const void* at_offset(const void* base, size_t offset) { return static_cast<const char*>(base) + offset; }

// Request or response of an API.
const MessageTable* table_of(MessageKind kind, int16_t key) {
  static const auto all = [] {
    std::map<std::pair<MessageKind, int16_t>, const MessageTable*> tables;
    for (const auto* table : protocol::all_messages()) tables[{table->kind, table->key}] = table;
    return tables;
  }();
  const auto found = all.find({kind, key});
  return found == all.end() ? nullptr : found->second;
}

const std::vector<const protocol::ApiInfo*>& served_apis() {
  static const auto all = [] {
    std::vector<const protocol::ApiInfo*> apis;
    for (const auto& api : protocol::all_apis()) {
      if (api.served) apis.push_back(&api);
    }
    return apis;
  }();
  return all;
}

struct AnyMessage {
  explicit AnyMessage(const MessageTable& its_table) : table(its_table), object(table.object->create()) {}
  ~AnyMessage() { table.object->destroy(object); }
  AnyMessage(const AnyMessage&) = delete;
  const MessageTable& table;
  void* object;
};

}  // namespace

// ---- What answers tell ----

void Learned::take(const protocol::StructTable& table, const void* from) {
  for (const auto& field : table.fields) {
    const void* value = at_offset(from, field.offset);
    if (field.optional) {
      value = field.optional->get(value);
      if (!value) continue;
    }
    if (!field.array) {
      take_value(field, value);
      continue;
    }
    const size_t count = std::min<size_t>(field.array->size(value), 16);
    const char* element = static_cast<const char*>(field.array->data(value));
    for (size_t i = 0; i < count; ++i) take_value(field, element + i * field.array->element_size);
  }
}

void Learned::take_value(const FieldTable& field, const void* from) {
  switch (field.kind) {
    case Kind::kInt16:
      return keep(numbers[field.name], int64_t{*static_cast<const int16_t*>(from)});
    case Kind::kInt32:
      return keep(numbers[field.name], int64_t{*static_cast<const int32_t*>(from)});
    case Kind::kInt64:
      return keep(numbers[field.name], *static_cast<const int64_t*>(from));
    case Kind::kUuid:
      return keep(uuids, *static_cast<const Uuid*>(from));
    case Kind::kString:
      if (static_cast<const protocol::Text*>(from)->size() > 300) return;
      return keep(texts[field.name], static_cast<const protocol::Text*>(from)->str());
    case Kind::kStruct:
      return take(*field.type, from);
    default:
      return;
  }
}

// ---- Requests ----

int64_t HostileRequests::number(const FieldTable& field) {
  const std::string_view name = field.name;
  if (const auto known = learned_.numbers.find(name); known != learned_.numbers.end() && choices_.below(3) == 0) {
    return known->second[choices_.below(known->second.size())] + (choices_.one_in(8) ? 1 : 0);
  }
  // Thousands of partitions are allowed and only take time.
  if ((name == "NumPartitions" || name == "Count") && !choices_.one_in(64)) return static_cast<int64_t>(choices_.below(8)) - 1;
  if (name.ends_with("TimeoutMs") && !choices_.one_in(4)) return choices_.of({0, 1, 1000, 6000, 10000, 45000});
  if (name.ends_with("MaxBytes") && !choices_.one_in(4)) return choices_.of({0, 1, 100, 1 << 20, INT32_MAX});
  switch (choices_.below(8)) {
    case 0:
      return field.number;
    case 1:
      return choices_.of({INT64_MIN, INT64_MAX, int64_t{INT32_MIN}, int64_t{INT32_MAX}, int64_t{INT16_MAX}, int64_t{INT8_MIN}});
    case 2:
      return static_cast<int64_t>(choices_.raw());
    case 3:
      return static_cast<int64_t>(choices_.below(64)) - 8;
    default:
      return static_cast<int64_t>(choices_.below(6)) - 2;
  }
}

std::string HostileRequests::text(const FieldTable& field) {
  // clang-format off
  static constexpr std::string_view kPool[] = {
      "", "t0", "t1", "t2", "__consumer_offsets", "__cluster_metadata", "__transaction_state", ".", "..", "a/b", "g0", "g1", "consumer",
      "connect", "range", "roundrobin", "uniform", "m0", "i0", "0", "1", "-1", "2147483648", "cleanup.policy", "compact", "delete",
      "delete,compact", "retention.ms", "retention.bytes", "segment.bytes", "segment.ms", "min.insync.replicas", "max.message.bytes",
      "compression.type", "zstd", "gzip", "message.timestamp.type", "LogAppendTime", "unclean.leader.election.enable", "true",
      "follower.replication.throttled.replicas", "log.retention.ms", "log.cleaner.threads", "num.io.threads", "group.max.size",
      "consumer.session.timeout.ms", "interval.ms", "metrics", "match", "metadata.version", "kraft.version", "group.version",
      "eligible.leader.replicas.version", "PLAINTEXT", "CONTROLLER", "server", "User:ANONYMOUS", "client_id=.*", "[", "t.*", "\xc3\x28",
      "\xe2\x82\xac", "14", "1024"};
  // clang-format on
  if (const auto known = learned_.texts.find(field.name); known != learned_.texts.end() && choices_.below(3) == 0) {
    return known->second[choices_.below(known->second.size())];
  }
  switch (choices_.below(16)) {
    case 0:
      return std::string(choices_.of({kLongestText, size_t{249}, size_t{250}, kLongestText - 37, size_t{4096}}), 'x');
    case 1: {
      std::string any(choices_.below(24), ' ');
      for (auto& c : any) c = static_cast<char>(choices_.below(256));
      return any;
    }
    case 2: {  // Of any name.
      if (learned_.texts.empty()) return "";
      const auto list = std::next(learned_.texts.begin(), static_cast<std::ptrdiff_t>(choices_.below(learned_.texts.size())));
      return list->second[choices_.below(list->second.size())];
    }
    default:
      return std::string(choices_.of(kPool));
  }
}

Uuid HostileRequests::uuid() {
  if (!learned_.uuids.empty() && choices_.below(4) != 0) return learned_.uuids[choices_.below(learned_.uuids.size())];
  switch (choices_.below(4)) {
    case 0:
      return kZeroUuid;
    case 1:
      return {0, choices_.below(4)};
    default:
      return {choices_.raw(), choices_.below(256)};
  }
}

// A consumer's subscription of one topic, or anything.
Buffer HostileRequests::blob() {
  if (choices_.below(3) == 0) return {0, 0, 0, 0, 0, 1, 0, 2, 't', static_cast<uint8_t>('0' + choices_.below(3)), 0xff, 0xff, 0xff, 0xff};
  Buffer bytes(choices_.one_in(32) ? 70000 : choices_.below(40));
  for (size_t i = 0; i < std::min<size_t>(bytes.size(), 40); ++i) bytes[i] = static_cast<uint8_t>(choices_.below(256));
  return bytes;
}

Buffer HostileRequests::records() {
  if (choices_.one_in(16)) return blob();
  protocol::BatchOptions options;
  options.codec = static_cast<protocol::Codec>(choices_.below(5));
  if (choices_.one_in(3)) {
    const auto ids = learned_.numbers.find("ProducerId");
    options.producer_id = ids == learned_.numbers.end() ? 1 : ids->second[choices_.below(ids->second.size())];
    options.producer_epoch = static_cast<int16_t>(choices_.below(3));
    options.base_sequence = static_cast<int32_t>(choices_.below(4));
    options.transactional = choices_.one_in(4);
  }
  protocol::RecordBatchBuilder builder(options);
  for (uint64_t i = 0, count = choices_.below(4); i <= count; ++i) {
    const auto key = choices_.one_in(2) ? std::optional<Bytes>(as_bytes("key")) : std::nullopt;
    builder.append(1700000000000 + static_cast<int64_t>(choices_.below(4)), key, as_bytes("a value and a value"));
  }
  auto built = builder.build();
  Buffer bytes = built ? std::move(*built) : Buffer{};
  if (choices_.one_in(4)) {
    const Buffer again = bytes;
    append(bytes, again);
  }
  while (choices_.one_in(3) && !bytes.empty()) bytes[choices_.below(bytes.size())] = static_cast<uint8_t>(choices_.below(256));
  return bytes;
}

void HostileRequests::fill_value(const FieldTable& field, void* to, int depth) {
  switch (field.kind) {
    case Kind::kBool:
      *static_cast<bool*>(to) = choices_.below(2) == 1;
      break;
    case Kind::kInt8:
      *static_cast<int8_t*>(to) = static_cast<int8_t>(number(field));
      break;
    case Kind::kInt16:
    case Kind::kUint16:
      *static_cast<int16_t*>(to) = static_cast<int16_t>(number(field));
      break;
    case Kind::kInt32:
    case Kind::kUint32:
      *static_cast<int32_t*>(to) = static_cast<int32_t>(number(field));
      break;
    case Kind::kInt64:
      *static_cast<int64_t*>(to) = number(field);
      break;
    case Kind::kFloat64:
      *static_cast<double*>(to) = static_cast<double>(number(field));
      break;
    case Kind::kUuid:
      *static_cast<Uuid*>(to) = uuid();
      break;
    case Kind::kString:
      *static_cast<protocol::Text*>(to) = protocol::Text(text(field));
      break;
    case Kind::kBytes:
      *static_cast<protocol::Blob*>(to) = protocol::Blob(blob());
      break;
    case Kind::kRecords:
      *static_cast<protocol::Records*>(to) = protocol::Records::of(protocol::Blob(records()));
      break;
    case Kind::kStruct:
      fill_struct(*field.type, to, depth + 1);
      break;
  }
}

void HostileRequests::fill_field(const FieldTable& field, void* to, int depth) {
  const bool null = field.nullable_in(version_) && choices_.one_in(4);
  if (field.kind == Kind::kRecords && null) return;
  if (field.optional) {
    if (null) return field.optional->reset(to);
    to = field.optional->emplace(to);
  }
  if (!field.array) return fill_value(field, to, depth);
  uint64_t count = depth >= kDeepest ? choices_.below(2) : choices_.of({1, 1, 1, 2, 0, 3});
  if (choices_.one_in(64)) count = 200;
  char* element = static_cast<char*>(field.array->resize(to, count));
  for (uint64_t i = 0; i < count; ++i) fill_value(field, element + i * field.array->element_size, depth);
}

void HostileRequests::fill_struct(const protocol::StructTable& table, void* to, int depth) {
  for (const auto& field : table.fields) {
    if (!field.in(version_)) continue;
    if (field.tag >= 0 && choices_.below(3) == 0) continue;
    fill_field(field, at_offset(to, field.offset), depth);
  }
}

// Bytes behind `from` changed, cut or repeated. A length in front that no longer fits is mended, mostly.
void HostileRequests::mutate(Buffer& frame, size_t from) {
  for (uint64_t times = 1 + choices_.below(4); times > 0 && frame.size() > from; --times) {
    const size_t at = from + choices_.below(frame.size() - from);
    const auto place = frame.begin() + static_cast<std::ptrdiff_t>(at);
    switch (choices_.below(6)) {
      case 0:
        frame[at] = static_cast<uint8_t>(choices_.below(256));
        break;
      case 1:
        frame[at] ^= static_cast<uint8_t>(1U << choices_.below(8));
        break;
      case 2:
        frame.resize(at);
        break;
      case 3:
        frame.insert(place, static_cast<uint8_t>(choices_.below(256)));
        break;
      case 4:
        frame[at] = choices_.of({uint8_t{0xff}, uint8_t{0x7f}, uint8_t{0x80}, uint8_t{0}});
        break;
      default:
        frame.erase(place);
        break;
    }
  }
  if (frame.size() >= 4 && !choices_.one_in(8)) store_be(frame.data(), static_cast<int32_t>(frame.size() - 4));
}

Buffer HostileRequests::next(Made& made) {
  const auto& apis = served_apis();
  const protocol::ApiInfo& api = *apis[choices_.below(apis.size())];
  made.api_key = api.key;
  made.version = static_cast<int16_t>(api.min_version +
                                      static_cast<int16_t>(choices_.below(static_cast<uint64_t>(api.max_version - api.min_version + 1))));
  made.controller = !api.served_broker || (api.served_controller && choices_.one_in(3));
  if (choices_.one_in(64)) made.controller = !made.controller;
  version_ = made.version;
  AnyMessage message(*table_of(MessageKind::kRequest, api.key));
  fill_struct(message.table.fields, message.object, 0);
  protocol::RequestHeader header{api.key, made.version, 7, "hostile"};
  if (choices_.one_in(16)) header.client_id = std::string(choices_.of({kLongestText, size_t{0}, size_t{300}}), 'c');
  protocol::Encoder to;
  const size_t mark = to.begin_length();
  protocol::encode_request_header(header, to);
  const size_t body = to.position();
  if (!protocol::encode_message(message.table, message.object, made.version, to)) return {};
  to.end_length(mark);
  Buffer frame = to.take();
  if (choices_.one_in(4)) mutate(frame, choices_.one_in(4) ? 0 : body);
  return frame;
}

// ---- The site ----

// A connection with what reads from it.
struct HostileSite::Line {
  std::unique_ptr<RawClient> client;
  HostileRequests::Made last;
  uint64_t sent = 0, answered = 0;
  bool open = true;
};

HostileSite::HostileSite() {
  io::spawn(server_.worlds()[0].loop, serve());
  if (!sim_.run_until([&] { return started_; }, 60s)) {
    fail("the node does not start");
    return;
  }
  run(prepare(), "set-up");
}

HostileSite::~HostileSite() {
  sim_.crash(client_);
  sim_.crash(server_);
}

bool HostileSite::fail(std::string problem) {
  if (problem_.empty()) problem_ = std::move(problem);
  return false;
}

bool HostileSite::run(io::Task<> task, const char* what) {
  if (sim_.run_task(client_.worlds()[0].loop, std::move(task), 3600s)) return true;
  return fail(std::string(what) + " does not end");
}

io::Task<> HostileSite::serve() {
  io::Loop& loop = server_.worlds()[0].loop;
  Node node(server_.worlds(),
            test_settings("/data", {{"listeners", "PLAINTEXT://server:9092,CONTROLLER://server:9093"}, {"num.partitions", "2"}}),
            [this](Error error) { fail("the node gives up: " + std::string(error.text())); });
  const auto started = co_await node.start();
  if (!started) fail("the node does not start: " + std::string(started.error().text()));
  started_ = true;
  while (!stopping_) co_await io::sleep_for(loop, 100ms);
  co_await node.stop();
  stopped_ = true;
}

io::Task<std::shared_ptr<HostileSite::Line>> HostileSite::connect(bool controller) {
  auto client = co_await RawClient::connect(client_.worlds()[0], {"server", controller ? kControllerPort : kBrokerPort});
  if (!client) {
    fail("cannot connect: " + std::string(client.error().text()));
    co_return nullptr;
  }
  auto line = std::make_shared<Line>();
  line->client = std::move(*client);
  co_return line;
}

io::Task<> HostileSite::read_answers(HostileSite& site, std::shared_ptr<Line> line) {
  for (;;) {
    const auto frame = co_await line->client->receive();
    if (!frame) break;
    ++line->answered;
    ++site.answered_;
    const auto [key, version, controller] = line->last;
    int32_t correlation = 0;
    const auto size = protocol::decode_response_header(*frame, key, version, correlation);
    if (!size) continue;
    // With pipelined requests it may be the answer to another one; then it mostly cannot be read.
    AnyMessage message(*table_of(MessageKind::kResponse, key));
    if (protocol::decode_message(message.table, message.object, Bytes(*frame).subspan(*size), version)) {
      site.learned_.take(message.table.fields, message.object);
    }
  }
  line->open = false;
}

io::Task<> HostileSite::prepare() {
  auto line = co_await connect(false);
  if (!line) co_return;
  protocol::CreateTopicsRequest create;
  for (const char* name : {"t0", "t1"}) {
    auto& topic = create.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = 2;
    topic.replication_factor = 1;
  }
  create.timeout_ms = 10000;
  const auto created = co_await line->client->call(create, 7);
  if (!created) {
    fail("cannot create topics");
    co_return;
  }
  learned_.take(created->table().fields, &*created);
  const auto known = co_await line->client->call(protocol::MetadataRequest{}, 12);
  if (known) learned_.take(known->table().fields, &*known);
  line->client->close();
}

io::Task<> HostileSite::attack(Choices& choices) {
  io::Loop& loop = client_.worlds()[0].loop;
  std::shared_ptr<Line> lines[2];
  for (size_t count = 0; count < kMostRequests && !choices.done(); ++count) {
    HostileRequests requests(choices, learned_);
    HostileRequests::Made made;
    const Buffer frame = requests.next(made);
    const bool pipelined = choices.one_in(6);
    if (frame.empty()) continue;
    auto& line = lines[made.controller ? 1 : 0];
    if (!line || !line->open || choices.one_in(32)) {
      if (line) line->client->close();
      line = co_await connect(made.controller);
      if (!line) co_return;
      io::spawn(loop, read_answers(*this, line));
    }
    line->last = made;
    ++sent_;
    const uint64_t before = line->answered;
    if (!co_await line->client->send(frame)) line->open = false;
    if (pipelined) continue;
    for (int round = 0; round < 20 && line->open && line->answered == before; ++round) co_await io::sleep_for(loop, 20ms);
    if (choices.one_in(8)) co_await io::sleep_for(loop, std::chrono::seconds(choices.below(64)));
  }
  for (auto& line : lines) {
    if (line) line->client->close();
  }
}

io::Task<> HostileSite::check() {
  well_ = false;
  auto line = co_await connect(false);
  if (!line) co_return;
  const auto answer = co_await line->client->call(protocol::ApiVersionsRequest{}, 0);
  well_ = answer && answer->error_code == 0;
  line->client->close();
}

bool HostileSite::play(Bytes input) {
  if (!problem_.empty()) return false;
  Choices choices(input);
  if (!run(attack(choices), "the attack")) return false;
  bool answered = sim_.run_task(client_.worlds()[0].loop, check(), 60s);
  if (!answered || !well_) return fail("the node no longer answers");
  return problem_.empty();
}

bool HostileSite::stop() {
  stopping_ = true;
  if (!sim_.run_until([&] { return stopped_; }, 600s)) return fail("the node does not stop");
  return problem_.empty();
}

}  // namespace samsa::server
