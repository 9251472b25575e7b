// Placement of new replicas (StripedReplicaPlacer's rules, KIP-631): racks in turn, within a rack its brokers in turn with a shifting
// start; the first replica only on an unfenced broker, the others rather on unfenced ones. Brokers all of whose directories are
// cordoned get none. Pure; the random start comes from outside.
#pragma once

#include <vector>

#include "base/result.h"
#include "io/random.h"
#include "metadata/image.h"

namespace samsa::metadata {

// One list of broker ids per partition. INVALID_REPLICATION_FACTOR with Kafka's text where it cannot be.
Result<std::vector<std::vector<int32_t>>> place_replicas(const MetadataImage& image, int32_t partitions, int32_t replication_factor,
                                                         io::Random& random);

// The directory that a new replica on the broker is recorded with: its only uncordoned one, else UNASSIGNED.
Uuid default_directory(const MetadataImage& image, int32_t broker);

}  // namespace samsa::metadata
