// What the fuzzer and the unit test do with a partition directory of which one file is damaged, and with the text files of a log directory:
// whatever a disk could give back. A log may refuse to open; nothing may crash, read outside of a file, or give a reader bytes that are no
// whole batches; and what was appended afterwards must be there.
#pragma once

#include <array>
#include <map>
#include <string>

#include "base/assert.h"
#include "protocol/control_batch.h"
#include "storage/checkpoint_file.h"
#include "storage/log.h"
#include "storage/log_loader.h"
#include "storage/meta_properties.h"
#include "storage/producer_snapshot.h"
#include "storage/test_world.h"

namespace samsa::storage {

inline constexpr const char* kFuzzDirectory = "/data/topic-0";

inline OpenLog fuzz_options(bool clean, Offset recovery_point) {
  OpenLog options;
  options.directory = kFuzzDirectory;
  options.partition = {"topic", 0};
  options.topic_id = Uuid{1, 200};
  options.config.segment_bytes = 1500;
  options.config.index_interval_bytes = 100;
  options.config.segment_index_bytes = 400;
  options.clean = clean;
  options.recovery_point = recovery_point;
  return options;
}

// A log of a few segments with a transaction that was aborted: file name -> content.
inline const std::map<std::string, Buffer>& fuzz_good_files() {
  static const std::map<std::string, Buffer> files = [] {
    TestWorld world;
    auto log = world.loop.run(Log::open(world.context, fuzz_options(true, 0)));
    SAMSA_ASSERT(log.has_value());
    for (int i = 0; i < 24; ++i) {
      protocol::RecordBatchBuilder builder({.codec = i % 3 == 0 ? protocol::Codec::kLz4 : protocol::Codec::kNone,
                                            .producer_id = 7, .producer_epoch = 0, .base_sequence = i * 3, .transactional = i >= 6});
      for (int j = 0; j < 3; ++j) builder.append(world.loop.wall_ms() + i * 10 + j, as_bytes("key"), as_bytes("some value that is a little longer"));
      Buffer batch = builder.build().value();
      SAMSA_ASSERT((*log)->append_as_leader(batch, {.leader_epoch = i / 8}).has_value());
      if (i == 20) {
        Buffer marker = protocol::transaction_marker_batch({.producer_id = 7, .producer_epoch = 0, .commit = false}, 0, 0, world.loop.wall_ms());
        SAMSA_ASSERT((*log)->append_as_leader(marker, {.leader_epoch = 2, .origin = AppendOrigin::kMarker}).has_value());
      }
    }
    world.loop.run_ready();
    SAMSA_ASSERT(world.loop.run((*log)->close()).has_value());
    std::map<std::string, Buffer> found;
    for (const auto& name : world.disk.names(kFuzzDirectory)) found[name] = world.disk.content(std::string(kFuzzDirectory) + "/" + name);
    return found;
  }();
  return files;
}

// The file with the input's changes: cut, filled with zeros, bytes set at places, or replaced.
inline Buffer fuzz_damaged(const Buffer& good, uint8_t how, Bytes input) {
  Buffer bytes = good;
  const auto word = [&](size_t at) { return at + 1 < input.size() ? static_cast<size_t>(input[at] << 8 | input[at + 1]) : size_t{0}; };
  switch (how % 4) {
    case 0: return Buffer(input.begin(), input.end());
    case 1:
      bytes.resize(word(0) % (good.size() + 1));
      bytes.insert(bytes.end(), input.begin() + static_cast<ptrdiff_t>(std::min<size_t>(2, input.size())), input.end());
      return bytes;
    case 2:
      bytes.resize(good.size() + word(0) % 4096);
      return bytes;
    default:
      for (size_t at = 0; at + 2 < input.size() && !bytes.empty(); at += 3) bytes[word(at) % bytes.size()] = input[at + 2];
      return bytes;
  }
}

// Reads from `from` to the end of the log; whole batches only, in ascending order, none above the end.
inline void fuzz_read_all(TestWorld& world, Log& log) {
  Offset at = log.log_start_offset();
  for (int reads = 0; at < log.log_end_offset() && reads < 300; ++reads) {
    const auto bytes = world.loop.run(log.read_bytes({.offset = at, .max_bytes = 1000, .upper_bound = log.log_end_offset(), .min_one_batch = true}));
    if (!bytes || bytes->empty()) return;
    protocol::BatchIterator batches(*bytes);
    Offset next_at = at;
    for (auto next = batches.next(); next && *next; next = batches.next()) next_at = std::max(next_at, (*next)->next_offset());
    if (next_at <= at) return;
    at = next_at;
  }
}

// Whether the log takes records.
inline bool fuzz_use(TestWorld& world, Log& log) {
  SAMSA_ASSERT(log.log_start_offset() <= log.high_watermark() && log.high_watermark() <= log.log_end_offset());
  fuzz_read_all(world, log);
  log.set_high_watermark(log.log_end_offset());
  (void)world.loop.run(log.offset_for_timestamp(world.loop.wall_ms()));
  (void)world.loop.run(log.offset_of_max_timestamp());
  (void)log.aborted_transactions(log.log_start_offset(), log.log_end_offset());
  (void)log.last_stable_offset();
  (void)log.delete_old_segments();
  // Within a batch, the end is then where it was cut, above the last batch: only with the next one the log ends with a batch again.
  (void)world.loop.run(log.truncate_to(log.log_start_offset() + (log.log_end_offset() - log.log_start_offset()) / 2));
  fuzz_read_all(world, log);
  Buffer batch = make_batch({});
  const auto appended = log.append_as_leader(batch, {.leader_epoch = 1000});
  if (!appended) return false;
  const auto back = world.loop.run(log.read_bytes({.offset = appended->first_offset, .max_bytes = 4096, .upper_bound = log.log_end_offset(), .min_one_batch = true}));
  SAMSA_ASSERT(back.has_value() && !back->empty(), "what was appended can be read");
  return true;
}

inline void fuzz_texts(Bytes input) {
  const std::string_view text = as_text(input);
  if (const auto offsets = parse_offset_checkpoint(text)) SAMSA_ASSERT(parse_offset_checkpoint(format_offset_checkpoint(*offsets)) == *offsets);
  if (const auto epochs = parse_epoch_checkpoint(text)) SAMSA_ASSERT(parse_epoch_checkpoint(format_epoch_checkpoint(*epochs)) == *epochs);
  if (const auto meta = parse_meta_properties(text)) (void)parse_meta_properties(format_meta_properties(*meta));
  if (const auto entries = decode_producer_snapshot(input)) SAMSA_ASSERT(encode_producer_snapshot(*entries) == Buffer(input.begin(), input.end()));
}

// One run: input[0] names the file, input[1] the damage, input[2] how the log was left; the rest is the damage's.
inline void fuzz_storage_files(Bytes input) {
  if (input.size() < 3) return fuzz_texts(input);
  if (input[0] >= 224) return fuzz_texts(input.subspan(3));
  const auto& good = fuzz_good_files();
  TestWorld world;
  world.disk.crashes = false;
  size_t index = 0;
  for (const auto& [name, bytes] : good) {
    const bool chosen = index++ == input[0] % good.size();
    world.disk.put(std::string(kFuzzDirectory) + "/" + name, chosen ? fuzz_damaged(bytes, input[1], input.subspan(3)) : bytes);
  }
  auto opened = world.loop.run(Log::open(world.context, fuzz_options((input[2] & 1) != 0, (input[2] & 2) != 0 ? 40 : 0)));
  if (!opened) return;
  const bool appended = fuzz_use(world, **opened);
  const Offset end = (*opened)->log_end_offset();
  const bool closed = world.loop.run((*opened)->close()).has_value();
  opened->reset();
  if (!closed) return;
  auto again = world.loop.run(Log::open(world.context, fuzz_options(true, 0)));
  if (again) {
    SAMSA_ASSERT(!appended || (*again)->log_end_offset() == end, "a clean stop and start change nothing");
    world.loop.run((*again)->abandon());
  }
}

}  // namespace samsa::storage
