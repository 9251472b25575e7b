#define XXH_INLINE_ALL
#include "coordinator/group/metadata_hash.h"

#include <xxhash.h>

#include <algorithm>

#include <cstring>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "coordinator/partitioner.h"
#include "metadata/image.h"

namespace samsa::coordinator {
namespace {

template <class T>
void put_le(Buffer& to, T value) {
  const size_t at = to.size();
  to.resize(at + sizeof(T));
  std::memcpy(to.data() + at, &value, sizeof(T));  // The machine is little-endian (base/bytes.h).
}

// UTF-16LE code units, then how many there are.
void put_text(Buffer& to, std::string_view utf8) {
  const auto units = utf16_units(utf8);
  for (const char16_t unit : units) put_le<uint16_t>(to, unit);
  put_le<int32_t>(to, static_cast<int32_t>(units.size()));
}

}  // namespace

int64_t topic_hash(const metadata::TopicImage& topic, const metadata::MetadataImage& image) {
  Buffer bytes;
  bytes.push_back(0);  // Version of the scheme.
  put_le<uint64_t>(bytes, topic.id.high);
  put_le<uint64_t>(bytes, topic.id.low);
  put_text(bytes, topic.name);
  put_le<int32_t>(bytes, topic.partition_count());
  for (PartitionIndex index = 0; index < topic.partition_count(); ++index) {
    put_le<int32_t>(bytes, index);
    const auto* partition = topic.partition(index);
    std::vector<std::string> racks;
    for (const int32_t replica : partition ? partition->replicas : std::vector<int32_t>{}) {
      const auto* broker = image.broker(replica);
      if (broker && broker->rack) racks.push_back(*broker->rack);
    }
    std::ranges::sort(racks);
    for (const auto& rack : racks) {
      put_le<int32_t>(bytes, static_cast<int32_t>(utf16_units(rack).size()));
      put_text(bytes, rack);
    }
  }
  return static_cast<int64_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

int64_t subscription_hash(const std::set<std::string, std::less<>>& topics, const metadata::MetadataImage& image) {
  Buffer bytes;
  for (const auto& name : topics) {
    const auto* topic = image.topic(name);
    put_le<int64_t>(bytes, topic ? topic_hash(*topic, image) : 0);
  }
  return bytes.empty() ? 0 : static_cast<int64_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

}  // namespace samsa::coordinator
