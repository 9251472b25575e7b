// What a broker puts around a client's request when it passes it on to the active controller (Envelope, KIP-590): who asks, from where,
// and the request as the client would have sent it. The controller acts with that principal's rights, not the broker's.
// Pure; any thread.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace samsa::metadata {

struct ForwardedFor {
  std::string principal_type = "User";
  std::string principal_name = "ANONYMOUS";
  std::string host;  // The client's address as text.
  std::string client_id;
};

// Whether the API may come in an envelope: those that change what the controller holds, and DescribeQuorum.
constexpr bool is_forwardable(int16_t api_key) {
  switch (api_key) {
    case 19:  // CreateTopics
    case 20:  // DeleteTopics
    case 30:  // CreateAcls
    case 31:  // DeleteAcls
    case 33:  // AlterConfigs
    case 37:  // CreatePartitions
    case 38:  // CreateDelegationToken
    case 39:  // RenewDelegationToken
    case 40:  // ExpireDelegationToken
    case 43:  // ElectLeaders
    case 44:  // IncrementalAlterConfigs
    case 45:  // AlterPartitionReassignments
    case 46:  // ListPartitionReassignments
    case 49:  // AlterClientQuotas
    case 51:  // AlterUserScramCredentials
    case 55:  // DescribeQuorum
    case 57:  // UpdateFeatures
    case 64:  // UnregisterBroker
    case 80:  // AddRaftVoter
    case 81:  // RemoveRaftVoter
      return true;
    default: return false;
  }
}

// The principal in the form of Kafka's default principal builder.
Buffer encode_principal(const ForwardedFor& who);
// Fills type and name. PRINCIPAL_DESERIALIZATION_FAILURE.
Result<void> decode_principal(Bytes bytes, ForwardedFor& who);

// A literal address as its 4 or 16 bytes; what is none is the address that means nobody (0.0.0.0).
Buffer address_bytes(std::string_view host);
// INVALID_REQUEST for another number of bytes.
Result<std::string> address_text(Bytes bytes);

}  // namespace samsa::metadata
