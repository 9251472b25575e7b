// The messages that the controller answers, declared only: the generated headers are for the .cc files.
#pragma once

namespace samsa::protocol {
struct RequestHeader;
}

#define SAMSA_CONTROLLER_APIS(X) \
  X(BrokerRegistration)          \
  X(BrokerHeartbeat)             \
  X(UnregisterBroker)            \
  X(ControllerRegistration)      \
  X(CreateTopics)                \
  X(DeleteTopics)                \
  X(CreatePartitions)            \
  X(AlterPartition)              \
  X(ElectLeaders)                \
  X(AlterPartitionReassignments) \
  X(ListPartitionReassignments)  \
  X(AssignReplicasToDirs)        \
  X(IncrementalAlterConfigs)     \
  X(AlterConfigs)                \
  X(AllocateProducerIds)         \
  X(UpdateFeatures)

#define SAMSA_DECLARE_API(name)   \
  namespace samsa::protocol {     \
  struct name##Request;           \
  struct name##Response;          \
  }                               \
  namespace samsa::metadata {     \
  using protocol::name##Request;  \
  using protocol::name##Response; \
  }
SAMSA_CONTROLLER_APIS(SAMSA_DECLARE_API)
#undef SAMSA_DECLARE_API
