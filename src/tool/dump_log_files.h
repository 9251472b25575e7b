// The files of a partition directory as kafka-dump-log.sh looks at them: batches in a segment or snapshot, one after the other as Kafka's
// FileRecords gives them. Reading only; nothing is believed. Owner: the tool's coroutine.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "io/file.h"
#include "protocol/record_batch.h"
#include "tool/tool.h"

namespace samsa::tool {

// A batch of any magic in a file.
struct FiledBatch {
  uint64_t position = 0;
  uint64_t size = 0;  // Bytes.
  int8_t magic = 2;
  Offset last_offset = 0;
};

class LogFile {
 public:
  // RESOURCE_NOT_FOUND where there is none. `limit`: bytes from the start that are looked at.
  static Result<LogFile> open(io::Disk& disk, const std::string& path, uint64_t limit = UINT64_MAX);
  // The batch at `position` if it ends before `end`; nothing at the end of the file or where a batch is cut off.
  // CORRUPT_MESSAGE for an impossible size.
  Result<std::optional<FiledBatch>> batch_at(uint64_t position, uint64_t end);
  // Its bytes, until the next call.
  Result<Bytes> bytes(const FiledBatch& batch) { return view(batch.position, batch.size); }
  [[nodiscard]] uint64_t size() const { return size_; }

 private:
  LogFile(std::shared_ptr<io::File> file, uint64_t size) : file_(std::move(file)), size_(size) {}
  Result<Bytes> view(uint64_t position, uint64_t size);

  std::shared_ptr<io::File> file_;
  uint64_t size_;
  Buffer window_;  // What was read last, from window_at_ on.
  uint64_t window_at_ = 0;
};

// The records of a batch of any magic. CORRUPT_MESSAGE, INVALID_RECORD for broken ones.
Result<std::vector<protocol::Record>> records_of(Bytes batch, protocol::Scratch& scratch);

struct IndexMode {
  bool verify_only = false;  // --verify-index-only
  bool sanity_only = false;  // --index-sanity-check
  uint64_t max_message_size = 5U << 20;
};

// What was found wrong in all the files, told at the end.
struct IndexProblems {
  struct Pair {
    int64_t first, second;
  };
  using PerFile = std::vector<std::pair<std::string, std::vector<Pair>>>;
  static void note(PerFile& in, const std::string& file, int64_t first, int64_t second);
  PerFile index_mismatches, time_mismatches, out_of_order, not_found, gaps;
  [[nodiscard]] std::string text() const;
};

// Each prints one file. Errors end the command.
Result<void> dump_offset_index(ToolContext& context, const std::string& path, const IndexMode& mode, IndexProblems& problems);
Result<void> dump_time_index(ToolContext& context, const std::string& path, const IndexMode& mode, IndexProblems& problems);
Result<void> dump_transaction_index(ToolContext& context, const std::string& path);
Result<void> dump_producer_snapshot(ToolContext& context, const std::string& path);

// "00000000000000000042" of ".../00000000000000000042.index". INVALID_REQUEST where the name does not begin with a number.
Result<Offset> base_offset_of(const std::string& path);

}  // namespace samsa::tool
