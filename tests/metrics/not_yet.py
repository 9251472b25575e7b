"""What Apache Kafka shows and Samsa does not: (beginning of the MBean's name, pattern of attributes, why). An entry that matches nothing, or
something that is served, fails the test: the list only tells the truth."""

import re

CONNECTIONS = "what Kafka's network client counts of a channel between nodes; ours is one of src/client and does not count yet"
THREADS = "Samsa has no such thread or queue: the work runs on its shard's loop"
SHARE = "share groups are not there yet"
TRANSACTIONS = "transactions are not there yet"

NOT_YET = [
    # No such thing in Samsa's design.
    ("kafka.controller:type=ControllerEventManager,name=AvgIdleRatio", "", THREADS),
    ("kafka.controller:type=KafkaController,name=EventQueue", "", THREADS),
    ("kafka.network:type=RequestChannel,name=RequestQueueSize", "", THREADS),
    ("kafka.network:type=RequestChannel,name=ResponseQueueSize", "", THREADS),
    ("kafka.network:type=Acceptor,", "", THREADS),
    ("kafka.log:type=LogCleaner,name=DeadThreadCount", "", THREADS),
    ("kafka.server:type=ReplicaFetcherManager,name=DeadThreadCount", "", THREADS),
    ("kafka.server:type=ReplicaAlterLogDirsManager,name=DeadThreadCount", "", THREADS),
    ("kafka.server:type=KafkaRequestHandlerPool,", "", THREADS),
    ("kafka.server:type=MetadataLoader,name=AvgIdleRatio", "", THREADS),
    ("kafka.server:type=DelayedOperationPurgatory,", "", "a waiting request is a suspended coroutine; there is no purgatory"),
    ("kafka.server:type=ControllerServer,name=yammer-metrics-count", "", "about the metrics library of Kafka"),
    ("kafka.server:type=KafkaServer,name=yammer-metrics-count", "", "about the metrics library of Kafka"),
    ("kafka.server:type=kafka-metrics-count", "", "about the metrics library of Kafka"),
    ("kafka.network:type=RequestMetrics,name=TemporaryMemoryBytes", "", "requests are decoded where they were received: there is none"),
    ("kafka.network:type=RequestMetrics,name=MessageConversionsTimeMs", "", "the log's format is not converted for old clients any more"),
    ("kafka.server:type=BrokerTopicMetrics,name=FetchMessageConversionsPerSec", "", "the log's format is not converted for old clients any more"),
    # Features that are not there.
    ("kafka.coordinator.transaction:", "", TRANSACTIONS),
    ("kafka.server:type=AddPartitionsManager-channel-metrics", "", TRANSACTIONS),
    ("kafka.server:type=AddPartitionsToTxnManager,", "", TRANSACTIONS),
    ("kafka.server:type=transaction-coordinator-metrics", "", TRANSACTIONS),
    ("kafka.server:type=txn-marker-channel-metrics", "", TRANSACTIONS),
    ("kafka.server:type=ReplicaManager,name=PartitionsWithLateTransactionsCount", "", TRANSACTIONS),
    ("kafka.server:type=BrokerTopicMetrics,name=", r".*Share.*", SHARE),
    ("kafka.server:type=Share", "", SHARE),
    ("kafka.server:type=share-coordinator-metrics", "", SHARE),
    ("kafka.server:type=Persister-channel-metrics", "", SHARE),
    ("kafka.server:type=client-metrics", "", "client telemetry (KIP-714) is not there yet"),
    ("kafka.server:type=Produce", "", "client quotas are not there yet"),
    ("kafka.server:type=Fetch", "queue-size", "client quotas are not there yet"),
    ("kafka.server:type=Request", "", "client quotas are not there yet"),
    ("kafka.server:type=ControllerMutation", "", "client quotas are not there yet"),
    ("kafka.utils:type=Throttler,", "", "the compaction is not throttled yet"),
    ("kafka.server:type=BrokerTopicMetrics,name=ReassignmentBytes", "", "replication does not tell reassigned replicas from others yet"),
    # Channels between nodes.
    ("kafka.server:type=alter-partition-metrics", "", CONNECTIONS),
    ("kafka.server:type=forwarding-metrics", "", CONNECTIONS),
    ("kafka.server:type=heartbeat-metrics", "", CONNECTIONS),
    ("kafka.server:type=raft-channel-metrics", "", CONNECTIONS),
    ("kafka.server:type=registration-metrics", "", CONNECTIONS),
    ("kafka.server:type=ForwardingManager", "", CONNECTIONS),
    # To be counted: the features are there.
    ("kafka.server:type=ReplicaAlterLogDirsManager,", "", "to come: lag and rate of moves between log directories"),
    ("kafka.server:type=AssignmentsManager,", "", "to come: assignments that the controller is still to hear of"),
    ("kafka.server:type=directory-assignments-metrics", "", "to come: assignments that the controller is still to hear of"),
    ("kafka.log:type=LogManager,name=CordonedLogDirectoryCount", "", "to come: cordoned directories"),
    ("kafka.log:type=LogManager,name=LogDirectoryCordoned", "", "to come: cordoned directories"),
    ("kafka.controller:type=ControllerEventManager,name=EventQueue", "", "to come: times of the controller's decisions"),
    ("kafka.controller:type=ControllerStats,", "", "to come: elections"),
    ("kafka.controller:type=KafkaController,", "", "to come: heartbeats, errors, times of the metadata log"),
    ("kafka.log:type=Log,name=RetentionSizeInPercent", "", "to come: with tiered storage (KIP-1198)"),
    ("kafka.log:type=LogCleaner", "", "to come: the compaction's figures"),
    ("kafka.log:type=LogFlushStats,", "", "to come: times of syncs"),
    ("kafka.network:type=Processor,", "", "to come: idle part of each shard"),
    ("kafka.network:type=SocketServer,", "", "to come: idle part and request memory"),
    ("kafka.server:type=BrokerMetadataListener,", "", "to come: the metadata log as the broker reads it"),
    ("kafka.server:type=broker-metadata-metrics", "", "to come: the metadata log as the broker reads it"),
    ("kafka.server:type=MetadataLoader,", "", "to come: the metadata log as the broker reads it"),
    ("kafka.server:type=SnapshotEmitter,", "", "to come: snapshots of the metadata log"),
    ("kafka.server:type=BrokerTopicMetrics,name=Invalid", "", "to come: why batches were refused"),
    ("kafka.server:type=BrokerTopicMetrics,name=NoKeyCompactedTopicRecordsPerSec", "", "to come: why batches were refused"),
    ("kafka.server:type=BrokerTopicMetrics,name=ProduceMessageConversionsPerSec", "", "to come: batches of old formats written anew"),
    ("kafka.server:type=BrokerTopicMetrics,name=ReplicationBytesInPerSec", "", "to come: what followers take in"),
    ("kafka.server:type=ControllerServer,", "", "to come: cluster id and disk traffic of the process"),
    ("kafka.server:type=KafkaServer,", "", "to come: cluster id and disk traffic of the process"),
    ("kafka.server:type=DelayedFetchMetrics,", "", "to come: waits that ended by their deadline"),
    ("kafka.server:type=DelayedProduceMetrics,", "", "to come: waits that ended by their deadline"),
    ("kafka.server:type=FetchSessionCache", "", "to come: partitions of fetch sessions, evictions"),
    ("kafka.server:type=ReplicaFetcherManager,", "", "to come: lag and rate of the fetchers"),
    ("kafka.server:type=ReplicaManager,", "", "to come: ISR changes, producers, offline replicas"),
    ("kafka.server:type=app-info", "", "samsa_build_info says it"),
    ("kafka.server:type=group-coordinator-metrics", "", "to come: the coordinator's runtime"),
    ("kafka.server:type=node-metrics", "", "to come: supported feature levels"),
    ("kafka.server:type=raft-metrics", "", "to come: votes, states, rates and times of the quorum"),
    ("kafka.server:type=socket-server-metrics", "", "to come: authentication, sizes, accepts, request memory"),
]


def entry(attribute) -> int | None:
    """Which entry of the list speaks of the attribute: the first that matches. None: none does."""
    what = f"{attribute.keys.get('name', '')} {attribute.name}".strip()
    for at, (start, pattern, _) in enumerate(NOT_YET):
        if attribute.mbean.startswith(start) and (not pattern or re.fullmatch(pattern, what)):
            return at
    return None
