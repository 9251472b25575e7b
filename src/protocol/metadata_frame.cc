#include "protocol/metadata_frame.h"

#include "base/varint.h"

namespace samsa::protocol {
namespace {
constexpr uint64_t kFrameVersion = 1;
}

void put_metadata_frame(Encoder& to, int16_t api_key, int16_t version) {
  to.put_uvarint(kFrameVersion);
  to.put_uvarint(static_cast<uint64_t>(api_key));
  to.put_uvarint(static_cast<uint64_t>(version));
}

Result<MetadataFrame> peek_metadata_record(Bytes record) {
  uint64_t head[3];
  for (auto& value : head) {
    const auto read = read_uvarint32(record);
    if (read.size == 0 || read.value > INT16_MAX) return fail(ErrorCode::kInvalidRequest, "metadata record: broken frame");
    value = read.value;
    record = record.subspan(read.size);
  }
  if (head[0] != kFrameVersion)
    return fail(ErrorCode::kInvalidRequest, "metadata record: unknown frame version " + std::to_string(head[0]));
  return MetadataFrame{static_cast<int16_t>(head[1]), static_cast<int16_t>(head[2]), record};
}

}  // namespace samsa::protocol
