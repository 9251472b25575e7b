#include "protocol/record_batch.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/varint.h"
#include "protocol/batch_validation.h"
#include "protocol/control_batch.h"

namespace samsa::protocol {
namespace {

constexpr TimestampMs kNow = 1'760'000'000'000;

Buffer simple_batch(int count, Codec codec = Codec::kNone, BatchOptions options = {}) {
  options.codec = codec;
  RecordBatchBuilder builder(options);
  for (int i = 0; i < count; ++i) {
    const std::string key = "key" + std::to_string(i);
    const std::string value = "value number " + std::to_string(i);
    builder.append(kNow + i, as_bytes(key), as_bytes(value));
  }
  return builder.build().value();
}

BatchView view_of(Bytes batch) { return BatchView::parse(batch).value(); }

std::vector<Record> read_all(Bytes batch, Scratch& scratch) {
  auto reader = RecordReader::open(view_of(batch), scratch).value();
  std::vector<Record> records;
  Record record;
  while (reader.next(record).value()) records.push_back(record);
  return records;
}

ErrorCode refusal(Bytes batch, const ProduceRules& rules = {}) {
  Scratch scratch;
  const auto valid = validate_for_append(batch, rules, scratch);
  return valid ? ErrorCode::kNone : valid.error().error.code;
}

TEST(RecordBatch, HeaderStandsWhereTheFormatSays) {
  BatchOptions options;
  options.base_offset = 0x0102030405060708;
  options.leader_epoch = 77;
  options.producer_id = 9000;
  options.producer_epoch = 5;
  options.base_sequence = INT32_MAX;
  options.transactional = true;
  const Buffer batch = simple_batch(3, Codec::kNone, options);
  const BatchView view = view_of(batch);
  EXPECT_EQ(batch[0], 1);
  EXPECT_EQ(batch[7], 8);
  EXPECT_EQ(view.size(), static_cast<int64_t>(batch.size()));
  EXPECT_EQ(view.leader_epoch(), 77);
  EXPECT_EQ(view.magic(), 2);
  EXPECT_EQ(view.attributes(), attribute::kTransactional);
  EXPECT_EQ(view.last_offset_delta(), 2);
  EXPECT_EQ(view.last_offset(), 0x010203040506070a);
  EXPECT_EQ(view.base_timestamp(), kNow);
  EXPECT_EQ(view.max_timestamp(), kNow + 2);
  EXPECT_EQ(view.producer_id(), 9000);
  EXPECT_EQ(view.producer_epoch(), 5);
  EXPECT_EQ(view.last_sequence(), 1);  // Wrapped.
  EXPECT_EQ(view.record_count(), 3);
  EXPECT_TRUE(view.crc_matches());
}

TEST(RecordBatch, RecordsComeBackWithEveryCodec) {
  for (const Codec codec : {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    RecordBatchBuilder builder({.base_offset = 10, .codec = codec});
    const HeaderView headers[] = {{"h1", as_bytes("x")}, {"h2", std::nullopt}, {"h2", Bytes{}}};
    builder.append(kNow, std::nullopt, as_bytes("no key"));
    builder.append(kNow - 5, as_bytes("no value"), std::nullopt, headers);
    builder.append_at(20, kNow + 5, Bytes{}, Bytes{});
    const Buffer batch = builder.build().value();
    EXPECT_TRUE(builder.empty());
    Scratch scratch;
    const auto records = read_all(batch, scratch);
    ASSERT_EQ(records.size(), 3U);
    EXPECT_FALSE(records[0].key);
    EXPECT_EQ(as_text(*records[0].value), "no key");
    EXPECT_EQ(records[1].timestamp, kNow - 5);
    EXPECT_FALSE(records[1].value);
    ASSERT_EQ(records[1].headers.size(), 3U);
    EXPECT_EQ(records[1].headers[0].key, "h1");
    EXPECT_FALSE(records[1].headers[1].value);
    EXPECT_TRUE(records[1].headers[2].value && records[1].headers[2].value->empty());
    EXPECT_EQ(records[2].offset, 20);
    EXPECT_TRUE(records[2].key && records[2].key->empty());
    EXPECT_EQ(view_of(batch).last_offset_delta(), 10);
  }
}

RC_GTEST_PROP(RecordBatch, AnyRecordsComeBack, (const std::vector<std::tuple<int64_t, std::vector<uint8_t>, bool>>& rows)) {
  for (const Codec codec : {Codec::kNone, Codec::kLz4}) {
    RecordBatchBuilder builder({.codec = codec});
    for (const auto& [timestamp, bytes, null] : rows) builder.append(timestamp, null ? std::nullopt : std::optional<Bytes>(bytes), bytes);
    const Buffer batch = builder.build().value();
    Scratch scratch;
    const auto records = read_all(batch, scratch);
    RC_ASSERT(records.size() == rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto& [timestamp, bytes, null] = rows[i];
      RC_ASSERT(records[i].timestamp == timestamp);
      RC_ASSERT(records[i].key.has_value() != null);
      RC_ASSERT(std::equal(bytes.begin(), bytes.end(), records[i].value->begin(), records[i].value->end()));
    }
  }
}

TEST(RecordBatch, LogAppendTimeAndDeleteHorizon) {
  Scratch scratch;
  const Buffer stamped = simple_batch(3, Codec::kNone, {.log_append_time = kNow + 1000});
  EXPECT_EQ(view_of(stamped).timestamp_type(), TimestampType::kLogAppendTime);
  for (const auto& record : read_all(stamped, scratch)) EXPECT_EQ(record.timestamp, kNow + 1000);
  const Buffer kept = simple_batch(3, Codec::kNone, {.delete_horizon = kNow + 5000});
  EXPECT_EQ(view_of(kept).delete_horizon(), kNow + 5000);
  EXPECT_EQ(read_all(kept, scratch)[2].timestamp, kNow + 2);
}

TEST(RecordBatch, EmptyBatchAsCompactionLeavesIt) {
  RecordBatchBuilder builder({.base_offset = 5, .codec = Codec::kGzip});
  builder.set_last_offset(9);
  const Buffer batch = builder.build().value();
  EXPECT_EQ(batch.size(), kBatchHeaderSize);
  EXPECT_EQ(view_of(batch).base_timestamp(), -1);
  EXPECT_EQ(view_of(batch).last_offset(), 9);
  EXPECT_FALSE(view_of(batch).is_compressed());
  Scratch scratch;
  EXPECT_TRUE(read_all(batch, scratch).empty());
}

TEST(RecordBatch, IteratorStopsAtACutBatchAndSaysSo) {
  Buffer both = simple_batch(2);
  const size_t first = both.size();
  append(both, simple_batch(3));
  for (size_t size = first; size <= both.size(); ++size) {
    const Buffer cut(both.begin(), both.begin() + static_cast<std::ptrdiff_t>(size));
    BatchIterator batches(cut);
    ASSERT_TRUE(batches.next().value().has_value());
    EXPECT_EQ(batches.position(), first);
    EXPECT_EQ(batches.next().value().has_value(), size == both.size());
    EXPECT_EQ(batches.truncated(), size > first && size < both.size());
  }
}

TEST(RecordBatch, IteratorRefusesWhatIsNoBatch) {
  Buffer batch = simple_batch(1);
  store_be<int32_t>(batch.data() + 8, 13);
  EXPECT_EQ(BatchIterator(batch).next().error().code, ErrorCode::kCorruptMessage);
  store_be<int32_t>(batch.data() + 8, 48);
  EXPECT_EQ(BatchIterator(batch).next().error().code, ErrorCode::kCorruptMessage);
  batch[16] = 3;
  EXPECT_EQ(BatchIterator(batch).next().error().code, ErrorCode::kCorruptMessage);
  batch[16] = 1;
  EXPECT_EQ(BatchIterator(batch).next().error().code, ErrorCode::kUnsupportedForMessageFormat);
}

TEST(RecordBatch, BrokenRecordsAreErrors) {
  const Buffer good = simple_batch(2);
  Scratch scratch;
  for (size_t at = kBatchHeaderSize; at < good.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      Buffer bad = good;
      bad[at] = static_cast<uint8_t>(value);
      auto reader = RecordReader::open(view_of(bad), scratch).value();
      Record record;
      int count = 0;
      while (true) {
        const auto more = reader.next(record);
        if (!more || !*more) break;
        ASSERT_LT(++count, 3);
      }
    }
  }
}

TEST(RecordBatch, SketchAgreesWithReader) {
  const Buffer batch = simple_batch(50);
  Scratch scratch;
  Bytes rest = view_of(batch).payload();
  for (const auto& record : read_all(batch, scratch)) {
    RecordSketch sketch;
    const size_t size = sketch_record(rest, sketch);
    ASSERT_EQ(size, record.size);
    EXPECT_EQ(sketch.offset_delta, record.offset);
    EXPECT_EQ(kNow + sketch.timestamp_delta, record.timestamp);
    EXPECT_TRUE(sketch.has_key);
    rest = rest.subspan(size);
  }
  EXPECT_TRUE(rest.empty());
}

// Both walk over the records as far as they go; what one takes for broken the other does.
void expect_same_walk(const Buffer& batch) {
  Scratch scratch;
  auto reader = RecordReader::open(view_of(batch), scratch).value();
  Bytes rest = view_of(batch).payload();
  Record record;
  while (true) {
    const auto more = reader.next(record);
    if (more && !*more) return;
    RecordSketch sketch;
    const size_t size = sketch_record(rest, sketch);
    if (!more && reader.read_count() == view_of(batch).record_count()) return;  // Only bytes that are left over.
    ASSERT_EQ(size, more ? record.size : 0);
    if (!more) return;
    ASSERT_EQ(sketch.size, size);
    ASSERT_EQ(sketch.offset_delta, record.offset);
    ASSERT_EQ(kNow + sketch.timestamp_delta, record.timestamp);
    ASSERT_EQ(sketch.has_key, record.key.has_value());
    rest = rest.subspan(size);
  }
}

// The batch, and what it becomes with a byte changed or its end cut off; the first bytes only, and the values at which a number changes its size.
void expect_same_walk_of_all_like(const Buffer& good) {
  expect_same_walk(good);
  Buffer bad = good;
  for (size_t at = kBatchHeaderSize; at < std::min<size_t>(good.size(), 400); ++at) {
    for (const int value : {0, 1, 2, 3, 20, 0x7e, 0x7f, 0x80, 0x81, 0xfe, 0xff}) {
      SCOPED_TRACE(testing::Message() << "byte " << at << " is " << value);
      bad[at] = static_cast<uint8_t>(value);
      expect_same_walk(bad);
    }
    bad[at] = good[at];
  }
  for (size_t cut = kBatchHeaderSize; cut < std::min<size_t>(good.size(), 200); ++cut) {
    SCOPED_TRACE(testing::Message() << "cut at " << cut);
    Buffer shorter(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(cut));
    store_be<int32_t>(shorter.data() + 8, static_cast<int32_t>(cut - kBatchOverhead));
    expect_same_walk(shorter);
  }
}

// Numbers of one, two and more bytes, without key, value or either, with headers.
TEST(RecordBatch, SketchAgreesWithReaderOnAnyBytes) {
  const std::string text(9000, 'x');
  const auto piece = [&](size_t bytes) { return as_bytes(std::string_view(text).substr(0, bytes)); };
  const HeaderView headers[] = {{"h", piece(2)}, {"", std::nullopt}};
  const std::vector<std::vector<std::optional<Bytes>>> shapes{
      {piece(1), piece(3)}, {std::nullopt, piece(0)}, {std::nullopt, std::nullopt}, {piece(0), piece(70)}, {piece(63), piece(64)}, {piece(64), std::nullopt}};
  for (const int64_t step : {0, 1, 100, 9000, 3'000'000}) {
    for (size_t shape = 0; shape < shapes.size(); ++shape) {
      for (const bool with_headers : {false, true}) {
        for (const Offset last : {8191, 8192}) {
          SCOPED_TRACE(testing::Message() << "step " << step << ", shape " << shape << ", headers " << with_headers << ", last " << last);
          RecordBatchBuilder builder({});
          for (const Offset offset : {Offset{0}, Offset{1}, Offset{63}, Offset{64}, last}) {
            builder.append_at(offset, kNow + offset * step, shapes[shape][0], shapes[shape][1],
                              with_headers ? std::span(headers) : std::span<const HeaderView>());
          }
          expect_same_walk_of_all_like(builder.build().value());
        }
      }
    }
  }
  RecordBatchBuilder large({});
  for (const size_t bytes : {8190, 8191, 8192, 9000}) large.append(kNow, piece(bytes), piece(bytes));
  expect_same_walk(large.build().value());
}

// Numbers that take more bytes than they need: as good as others, wherever they stand.
TEST(RecordBatch, SketchAgreesWithReaderOnLongNumbers) {
  const std::vector<uint8_t> numbers[] = {{0}, {0}, {4}, {2}};  // Time, offset, the key's length, the value's, zigzag; the key "kk", the value "v".
  for (int longer = 0; longer < 32; ++longer) {
    const auto put = [&](Buffer& to, int which) {
      to.push_back(numbers[which][0]);
      if (longer & 1 << which) {
        to.back() |= 0x80;
        to.push_back(0);
      }
    };
    Buffer record{0};
    put(record, 0);
    put(record, 1);
    put(record, 2);
    append(record, as_bytes("kk"));
    put(record, 3);
    append(record, as_bytes("v"));
    append(record, longer & 16 ? Buffer{0x80, 0} : Buffer{0});
    record.insert(record.begin(), static_cast<uint8_t>(record.size() * 2));
    RecordSketch sketch;
    EXPECT_EQ(sketch_record(record, sketch), record.size()) << longer;
    EXPECT_TRUE(sketch.has_key);
    EXPECT_EQ(sketch_record(Bytes(record).first(record.size() - 1), sketch), 0) << longer;
  }
}

TEST(Produce, GoodBatchIsPreparedWhereItLies) {
  for (const Codec codec : {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    Buffer batch = simple_batch(10, codec);
    Scratch scratch;
    const auto valid = validate_for_append(batch, {.now = kNow, .timestamp_after_max_ms = 3600000}, scratch);
    ASSERT_TRUE(valid) << valid.error().error.describe();
    EXPECT_FALSE(valid->rewrite);
    EXPECT_EQ(valid->record_count, 10);
    prepare_in_place(batch, *valid, 1000, 7);
    EXPECT_EQ(view_of(batch).last_offset(), 1009);
    EXPECT_EQ(view_of(batch).leader_epoch(), 7);
    EXPECT_TRUE(view_of(batch).crc_matches());
  }
}

TEST(Produce, LogAppendTimeIsPatchedWithTheCrc) {
  Buffer batch = simple_batch(3);
  Scratch scratch;
  const auto valid = validate_for_append(batch, {.timestamp_type = TimestampType::kLogAppendTime, .now = 42}, scratch);
  ASSERT_TRUE(valid);
  prepare_in_place(batch, *valid, 0, 0);
  EXPECT_EQ(view_of(batch).max_timestamp(), 42);
  EXPECT_EQ(view_of(batch).timestamp_type(), TimestampType::kLogAppendTime);
  EXPECT_TRUE(view_of(batch).crc_matches());
}

TEST(Produce, WrongMaxTimestampIsPutRight) {
  Buffer batch = simple_batch(3);
  store_be<int64_t>(batch.data() + 35, kNow + 99);
  refresh_crc(batch);
  Scratch scratch;
  const auto valid = validate_for_append(batch, {}, scratch);
  ASSERT_TRUE(valid);
  prepare_in_place(batch, *valid, 0, 0);
  EXPECT_EQ(view_of(batch).max_timestamp(), kNow + 2);
}

TEST(Produce, RequestHoldsExactlyOneBatchOfMagic2) {
  Buffer two = simple_batch(1);
  append(two, simple_batch(1));
  EXPECT_EQ(refusal(two), ErrorCode::kInvalidRecord);
  EXPECT_EQ(refusal({}), ErrorCode::kInvalidRecord);
  Buffer old = simple_batch(1);
  old[16] = 1;
  EXPECT_EQ(refusal(old), ErrorCode::kInvalidRecord);
  old[16] = 9;
  EXPECT_EQ(refusal(old), ErrorCode::kCorruptMessage);
  Buffer cut = simple_batch(1);
  cut.pop_back();
  EXPECT_EQ(refusal(cut), ErrorCode::kInvalidRecord);
}

TEST(Produce, EachHeaderCheckHasItsError) {
  const auto changed = [](auto change) {
    Buffer batch = simple_batch(3);
    change(batch.data());
    refresh_crc(batch);
    return refusal(batch, {.partition = "t-0"});
  };
  EXPECT_EQ(changed([](uint8_t*) {}), ErrorCode::kNone);
  EXPECT_EQ(changed([](uint8_t* b) { store_be<int64_t>(b, 1); }), ErrorCode::kInvalidRecord);
  EXPECT_EQ(changed([](uint8_t* b) { store_be<int32_t>(b + 23, 3); }), ErrorCode::kInvalidRecord);
  EXPECT_EQ(changed([](uint8_t* b) { store_be<int32_t>(b + 23, -1); }), ErrorCode::kInvalidRecord);
  EXPECT_EQ(changed([](uint8_t* b) { store_be<int32_t>(b + 57, 2); }), ErrorCode::kInvalidRecord);
  EXPECT_EQ(changed([](uint8_t* b) { store_be<int32_t>(b + 57, -3); }), ErrorCode::kInvalidRecord);
  EXPECT_EQ(changed([](uint8_t* b) { store_be<int16_t>(b + 21, attribute::kControl); }), ErrorCode::kInvalidRecord);
  EXPECT_EQ(changed([](uint8_t* b) { store_be<int16_t>(b + 21, 5); }), ErrorCode::kInvalidRecord);
  EXPECT_EQ(changed([](uint8_t* b) { store_be<int16_t>(b + 21, 1); }), ErrorCode::kInvalidRecord);  // Not gzip at all.
  EXPECT_EQ(changed([](uint8_t* b) { store_be<int64_t>(b + 43, 1); }), ErrorCode::kInvalidRecord);  // No sequence.
  Buffer flipped = simple_batch(3);
  flipped.back() ^= 1;
  EXPECT_EQ(refusal(flipped), ErrorCode::kCorruptMessage);
  EXPECT_EQ(refusal(simple_batch(3), {.max_batch_size = 80}), ErrorCode::kMessageTooLarge);
  EXPECT_EQ(refusal(simple_batch(3, Codec::kZstd), {.produce_version = 6}), ErrorCode::kUnsupportedCompressionType);
  EXPECT_EQ(refusal(simple_batch(3, Codec::kZstd), {.produce_version = 7}), ErrorCode::kNone);
}

TEST(Produce, CountsMustFitTheRecords) {
  for (const Codec codec : {Codec::kNone, Codec::kGzip}) {
    for (const int count : {2, 4, INT32_MAX}) {
      Buffer batch = simple_batch(3, codec);
      store_be<int32_t>(batch.data() + 57, count);
      store_be<int32_t>(batch.data() + 23, count - 1);
      refresh_crc(batch);
      EXPECT_EQ(refusal(batch), ErrorCode::kInvalidRecord) << count;
    }
  }
}

TEST(Produce, BombsAreRefused) {
  RecordBatchBuilder builder({.codec = Codec::kZstd});
  builder.append(kNow, std::nullopt, Buffer(20U << 20));
  const Buffer bomb = builder.build().value();
  EXPECT_LT(bomb.size(), 10000U);
  EXPECT_EQ(refusal(bomb, {.decompressed_limit = 10U << 20}), ErrorCode::kMessageTooLarge);
  EXPECT_EQ(refusal(bomb), ErrorCode::kNone);
}

TEST(Produce, CompactedTopicNamesTheRecordsWithoutKey) {
  RecordBatchBuilder builder;
  builder.append(kNow, as_bytes("k"), as_bytes("v"));
  builder.append(kNow, std::nullopt, as_bytes("v"));
  const Buffer batch = builder.build().value();
  Scratch scratch;
  const auto valid = validate_for_append(batch, {.partition = "t-0", .compacted = true}, scratch);
  ASSERT_FALSE(valid);
  EXPECT_EQ(valid.error().error.code, ErrorCode::kInvalidRecord);
  ASSERT_EQ(valid.error().records.size(), 1U);
  EXPECT_EQ(valid.error().records[0].batch_index, 1);
  EXPECT_EQ(valid.error().records[0].message, "Compacted topic cannot accept message without key in topic partition t-0.");
}

TEST(Produce, TimestampsOutOfRange) {
  const ProduceRules rules{.now = kNow - 10000, .timestamp_before_max_ms = 50, .timestamp_after_max_ms = 9999};
  EXPECT_EQ(refusal(simple_batch(1), rules), ErrorCode::kInvalidTimestamp);
  EXPECT_EQ(refusal(simple_batch(1), {.now = kNow + 51, .timestamp_before_max_ms = 50}), ErrorCode::kInvalidTimestamp);
  EXPECT_EQ(refusal(simple_batch(1), {.now = kNow + 50, .timestamp_before_max_ms = 50}), ErrorCode::kNone);
  RecordBatchBuilder builder;
  builder.append(kNoTimestamp, std::nullopt, std::nullopt);
  EXPECT_EQ(refusal(builder.build().value(), rules), ErrorCode::kNone);
  const Buffer stamped = simple_batch(1, Codec::kNone, {.log_append_time = kNow});
  EXPECT_EQ(refusal(stamped, {.timestamp_type = TimestampType::kLogAppendTime}), ErrorCode::kInvalidTimestamp);
  EXPECT_EQ(refusal(stamped), ErrorCode::kNone);
}

TEST(Produce, OtherCodecOrGapsAreWrittenAnew) {
  RecordBatchBuilder builder({.codec = Codec::kSnappy, .producer_id = 4, .producer_epoch = 1, .base_sequence = 0});
  builder.append_at(1, kNow, as_bytes("a"), as_bytes("1"));
  builder.append_at(2, kNow + 1, as_bytes("b"), as_bytes("2"));
  builder.append_at(3, kNow + 2, as_bytes("c"), as_bytes("3"));
  Buffer gaps = builder.build().value();
  store_be<int32_t>(gaps.data() + 23, 2);
  refresh_crc(gaps);
  Scratch scratch;
  const ProduceRules rules{.target_codec = Codec::kZstd};
  for (const Buffer& batch : {gaps, simple_batch(3)}) {
    const auto valid = validate_for_append(batch, rules, scratch);
    ASSERT_TRUE(valid);
    EXPECT_TRUE(valid->rewrite);
    const Buffer fresh = rewrite_batch(*valid, rules, 500, 3, scratch).value();
    const BatchView view = view_of(fresh);
    EXPECT_EQ(view.codec(), Codec::kZstd);
    EXPECT_EQ(view.producer_id(), view_of(batch).producer_id());
    Scratch other;
    const auto records = read_all(fresh, other);
    ASSERT_EQ(records.size(), 3U);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(records[static_cast<size_t>(i)].offset, 500 + i);
    EXPECT_TRUE(view.crc_matches());
  }
  EXPECT_TRUE(validate_for_append(gaps, {}, scratch)->rewrite);
}

TEST(Produce, CoordinatorMayWriteControlBatches) {
  const Buffer marker = transaction_marker_batch({.producer_id = 3, .producer_epoch = 1, .commit = true}, 0, 0, kNow);
  EXPECT_EQ(refusal(marker), ErrorCode::kInvalidRecord);
  EXPECT_EQ(refusal(marker, {.origin = Origin::kCoordinator, .target_codec = Codec::kZstd}), ErrorCode::kNone);
}

TEST(ControlBatch, MarkerComesBackAndIs78Bytes) {
  const TransactionMarker marker{.producer_id = 1234, .producer_epoch = 9, .commit = true, .coordinator_epoch = 17};
  const Buffer batch = transaction_marker_batch(marker, 50, 4, kNow);
  EXPECT_EQ(batch.size(), 78U);
  const auto back = read_transaction_marker(view_of(batch));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->producer_id, 1234);
  EXPECT_EQ(back->producer_epoch, 9);
  EXPECT_TRUE(back->commit);
  EXPECT_EQ(back->coordinator_epoch, 17);
  EXPECT_FALSE(read_transaction_marker(view_of(simple_batch(1))));
}

TEST(ControlBatch, QuorumRecords) {
  const Buffer value = {0, 0, 1};
  const ControlRecord records[] = {{ControlType::kLeaderChange, value}, {ControlType::kKraftVersion, value}};
  const Buffer batch = control_batch(records, 8, 2, kNow);
  EXPECT_TRUE(view_of(batch).is_control());
  EXPECT_FALSE(view_of(batch).is_transactional());
  Scratch scratch;
  const auto back = read_all(batch, scratch);
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(control_type(back[0].key).value(), ControlType::kLeaderChange);
  EXPECT_EQ(control_type(back[1].key).value(), ControlType::kKraftVersion);
  EXPECT_EQ(control_type(as_bytes(std::string_view("\0\0\0\x63", 4))).value(), ControlType::kUnknown);
  EXPECT_FALSE(control_type(std::nullopt));
}

}  // namespace
}  // namespace samsa::protocol
