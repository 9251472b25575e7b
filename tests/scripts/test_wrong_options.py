"""Command lines that are wrong: what each tool says of them, and how it ends. None of them gets as far as changing anything."""

import re

import pytest

# One command line per line; {B} is the broker.
LINES = {
    "kafka-topics": """

        --list
        --bootstrap-server {B}
        --bootstrap-server {B} --list --describe
        --bootstrap-server {B} --create
        --bootstrap-server {B} --delete
        --bootstrap-server {B} --alter
        --bootstrap-server {B} --alter --topic a
        --bootstrap-server {B} --alter --topic a --config retention.ms=1
        --bootstrap-server {B} --alter --topic a --partitions 3 --replication-factor 2
        --bootstrap-server {B} --describe --if-exists
        --bootstrap-server {B} --describe --partitions 3
        --bootstrap-server {B} --describe --config a=b
        --bootstrap-server {B} --describe --replication-factor 1
        --bootstrap-server {B} --describe --replica-assignment 1
        --bootstrap-server {B} --describe --if-not-exists
        --bootstrap-server {B} --list --if-exists
        --bootstrap-server {B} --list --under-replicated-partitions
        --bootstrap-server {B} --create --topic a --at-min-isr-partitions
        --bootstrap-server {B} --create --topic a --under-min-isr-partitions
        --bootstrap-server {B} --create --topic a --unavailable-partitions
        --bootstrap-server {B} --describe --unavailable-partitions --topics-with-overrides
        --bootstrap-server {B} --list --topics-with-overrides
        --bootstrap-server {B} --create --topic a --exclude-internal
        --bootstrap-server {B} --create --topic a --replica-assignment 1 --partitions 2
        --bootstrap-server {B} --create --topic a --replica-assignment 1 --replication-factor 1
        --bootstrap-server {B} --create --topic a --partitions three
        --bootstrap-server {B} --create --topic a --replication-factor 1.5
        --bootstrap-server {B} --create --topic a --replication-factor 0
        --bootstrap-server {B} --create --topic a --replication-factor 40000
        --bootstrap-server {B} --create --topic a --partitions -1
        --bootstrap-server {B} --create --topic a --partitions 99999999999
        --bootstrap-server {B} --create --topic a --config retention.ms
        --bootstrap-server {B} --create --topic a --config =5
        --bootstrap-server {B} --create --topic a --config retention.ms=1=2
        --bootstrap-server {B} --create --topic a --replica-assignment 1:1
        --bootstrap-server {B} --create --topic a --replica-assignment 1:2,1
        --bootstrap-server {B} --create --topic a --replica-assignment one
        --bootstrap-server {B} --create --topic a --topic b
        --bootstrap-server {B} --create --topic
        --bootstrap-server {B} --create --topic=
        --bootstrap-server {B} --list --topic no.such --delete-config b
        --bootstrap-server {B} --describe --topic-id AAAA
        --bootstrap-server {B} --describe --topic-id c2Ftc2EtdGVzdC1jbHVzdB
        --bootstrap-server {B} --describe --topic no.such --topic-id c2Ftc2EtdGVzdC1jbHVzdB --if-exists
        --bootstrap-server {B} --describe --topic [
        --bootstrap-server {B} --describe --topic no.such --partition-size-limit-per-response few
        --bootstrap-server {B} --list --topic no.such extra words
        --bootstrap-server {B} --lis
        --bootstrap-server {B} --list --zookeeper a
        --bootstrap-server {B} -x
        --bootstrap-server {B} -list --topic no.such
        --bootstrap-server {B} --list=yes --topic no.such
        --bootstrap-server {B} --list --command-config /no/such/file
        --bootstrap-server
        --bootstrap-server nonsense --list
        --bootstrap-server localhost:99999 --list
        --bootstrap-server {B}, --list --topic no.such
        --version
        --help
        --help --list
    """,
    "kafka-console-producer": """

        --topic a
        --bootstrap-server {B}
        --bootstrap-server nonsense --topic a
        --bootstrap-server {B} --topic a --batch-size many
        --bootstrap-server {B} --topic a --message-send-max-retries x
        --bootstrap-server {B} --topic a --retry-backoff-ms x
        --bootstrap-server {B} --topic a --timeout x
        --bootstrap-server {B} --topic a --request-required-acks 5
        --bootstrap-server {B} --topic a --request-timeout-ms x
        --bootstrap-server {B} --topic a --metadata-expiry-ms x
        --bootstrap-server {B} --topic a --max-block-ms x
        --bootstrap-server {B} --topic a --max-memory-bytes x
        --bootstrap-server {B} --topic a --max-partition-memory-bytes x
        --bootstrap-server {B} --topic a --socket-buffer-size x
        --bootstrap-server {B} --topic a --compression-codec brotli
        --bootstrap-server {B} --topic a --reader-property a=b --property c=d
        --bootstrap-server {B} --topic a --producer-property a=b --command-property c=d
        --bootstrap-server {B} --topic a --producer.config /no/such --command-config /no/such
        --bootstrap-server {B} --topic a --producer.config /no/such/file
        --bootstrap-server {B} --topic a --command-config /no/such/file
        --bootstrap-server {B} --topic a --reader-config /no/such/file
        --bootstrap-server {B} --topic a --command-property acks=7
        --bootstrap-server {B} --topic a --command-property linger.ms=soon
        --bootstrap-server {B} --topic a --reader-property parse.headers=true --reader-property headers.separator=:
        --bootstrap-server {B} --topic a --reader-property parse.headers=true --reader-property null.marker=,
        --bootstrap-server {B} --topic a --unknown
        --bootstrap-server {B} --topic a --topic b
        --topic
        --version
        --help
    """,
    "kafka-console-consumer": """

        --bootstrap-server {B}
        --topic a
        --bootstrap-server {B} --topic a --include b
        --bootstrap-server {B} --include a --partition 0
        --bootstrap-server {B} --topic a --offset 1
        --bootstrap-server {B} --topic a --partition 0 --offset 1 --from-beginning
        --bootstrap-server {B} --topic a --partition 0 --offset -1
        --bootstrap-server {B} --topic a --partition 0 --offset first
        --bootstrap-server {B} --topic a --partition zero
        --bootstrap-server {B} --topic a --partition 0 --group g
        --bootstrap-server {B} --topic a --group g --consumer-property group.id=h
        --bootstrap-server {B} --topic a --group g --command-property group.id=h
        --bootstrap-server {B} --topic a --consumer-property a=b --command-property c=d
        --bootstrap-server {B} --topic a --consumer.config /no/such --command-config /no/such
        --bootstrap-server {B} --topic a --from-beginning --command-property auto.offset.reset=latest
        --bootstrap-server {B} --topic a --property a=b --formatter-property c=d
        --bootstrap-server {B} --topic a --formatter no.such.Class
        --bootstrap-server {B} --topic a --max-messages many
        --bootstrap-server {B} --topic a --timeout-ms long
        --bootstrap-server {B} --topic a --isolation-level loose
        --bootstrap-server {B} --topic a --command-property session.timeout.ms=soon
        --bootstrap-server {B} --topic a --whitelist b
        --bootstrap-server nonsense --topic a
        --topic
        --version
        --help
    """,
    "kafka-consumer-groups": """

        --list
        --bootstrap-server {B}
        --bootstrap-server {B} --describe
        --bootstrap-server {B} --delete
        --bootstrap-server {B} --delete --group no.such --topic t
        --bootstrap-server {B} --delete-offsets --group no.such
        --bootstrap-server {B} --reset-offsets
        --bootstrap-server {B} --reset-offsets --group no.such
        --bootstrap-server {B} --reset-offsets --group no.such --to-earliest
        --bootstrap-server {B} --reset-offsets --group no.such --all-topics
        --bootstrap-server {B} --reset-offsets --group no.such --all-topics --to-earliest --to-latest --dry-run
        --bootstrap-server {B} --reset-offsets --group no.such --all-topics --to-earliest --dry-run --execute
        --bootstrap-server {B} --reset-offsets --group no.such --all-topics --to-offset x --dry-run
        --bootstrap-server {B} --reset-offsets --group no.such --all-topics --shift-by x --dry-run
        --bootstrap-server {B} --reset-offsets --group no.such --all-topics --shift-by -3 --to-current --dry-run
        --bootstrap-server {B} --reset-offsets --group no.such --all-groups --all-topics --to-earliest --dry-run
        --bootstrap-server {B} --reset-offsets --group no.such --all-topics --topic t --to-earliest --dry-run
        --bootstrap-server {B} --reset-offsets --group no.such --from-file /no/such/file --dry-run
        --bootstrap-server {B} --describe --group no.such --all-groups
        --bootstrap-server {B} --describe --group no.such --members --state
        --bootstrap-server {B} --describe --group no.such --offsets --members
        --bootstrap-server {B} --describe --group no.such --state stable
        --bootstrap-server {B} --describe --group no.such --topic t
        --bootstrap-server {B} --describe --group no.such --type classic
        --bootstrap-server {B} --describe --group no.such --timeout x
        --bootstrap-server {B} --describe --group no.such --dry-run
        --bootstrap-server {B} --list --members
        --bootstrap-server {B} --list --verbose
        --bootstrap-server {B} --list --offsets
        --bootstrap-server {B} --list --state nowhere
        --bootstrap-server {B} --list --type nothing
        --bootstrap-server {B} --list --group no.such
        --bootstrap-server {B} --list --describe --all-groups
        --bootstrap-server {B} --list --type consumer --to-earliest
        --bootstrap-server {B} --list --command-config /no/such/file
        --bootstrap-server nonsense --list
        --validate-regex [a
        --validate-regex a.*
        --validate-regex (?=a)b
        --unknown
        --version
        --help
    """,
    "kafka-configs": """

        --describe
        --bootstrap-server {B}
        --bootstrap-server {B} --describe
        --bootstrap-server {B} --bootstrap-controller {B} --describe --entity-type topics
        --bootstrap-server {B} --describe --alter --entity-type topics
        --bootstrap-server {B} --describe --entity-type waiters
        --bootstrap-server {B} --describe --entity-type topics --entity-default
        --bootstrap-server {B} --describe --entity-type topics --topic a
        --bootstrap-server {B} --describe --entity-type broker-loggers
        --bootstrap-server {B} --describe --entity-type brokers --entity-name one
        --bootstrap-server {B} --describe --broker one
        --bootstrap-server {B} --describe --broker-logger one
        --bootstrap-server {B} --describe --entity-type topics --entity-type brokers
        --bootstrap-server {B} --describe --entity-type topics --entity-type topics
        --bootstrap-server {B} --describe --topic a --broker 1
        --bootstrap-server {B} --describe --topic a --add-config a=b
        --bootstrap-server {B} --describe --topic a --delete-config a
        --bootstrap-server {B} --alter --entity-type topics
        --bootstrap-server {B} --alter --entity-type brokers
        --bootstrap-server {B} --alter --entity-type users
        --bootstrap-server {B} --alter --entity-type topics --entity-name no.such
        --bootstrap-server {B} --alter --topic no.such --add-config a=b --add-config-file /no/such/file
        --bootstrap-server {B} --alter --topic no.such --add-config-file /no/such/file
        --bootstrap-server {B} --alter --topic no.such --add-config a
        --bootstrap-server {B} --alter --topic no.such --add-config a/b=c
        --bootstrap-server {B} --alter --user u --add-config no.such=1
        --bootstrap-server {B} --alter --user u --delete-config no.such
        --bootstrap-server {B} --alter --client c --add-config no.such=1
        --bootstrap-server {B} --alter --client c --add-config SCRAM-SHA-256=[password=x]
        --bootstrap-server {B} --alter --client c --delete-config no.such
        --bootstrap-server {B} --alter --user u --add-config SCRAM-SHA-256=[password=x],producer_byte_rate=5
        --bootstrap-server {B} --alter --user u --add-config SCRAM-SHA-256=[word=x]
        --bootstrap-server {B} --alter --user u --add-config SCRAM-SHA-256=[iterations=10,password=x]
        --bootstrap-server {B} --alter --user-defaults --add-config SCRAM-SHA-256=[password=x]
        --bootstrap-server {B} --alter --ip 127.0.0.1 --add-config producer_byte_rate=5
        --bootstrap-server {B} --alter --entity-type users --entity-name u --entity-type clients --add-config producer_byte_rate=5
        --bootstrap-server {B} --describe --topic
        --bootstrap-server {B} --describe --topic no.such --command-config /no/such/file
        --bootstrap-server {B} --describe --topic a --topic b
        --bootstrap-server {B} --describe --unknown
        --bootstrap-server nonsense --describe --entity-type topics
        --version
        --help
    """,
    "kafka-get-offsets": """

        --topic a
        --bootstrap-server {B} --topic no.such --time soon
        --bootstrap-server {B} --topic no.such --partitions one
        --bootstrap-server {B} --topic no.such --partitions 1,,2
        --bootstrap-server {B} --topic no.such --topic-partitions a:1
        --bootstrap-server {B} --topic-partitions a:b
        --bootstrap-server {B} --topic-partitions a:1:2
        --bootstrap-server {B} --topic-partitions no.such:-
        --bootstrap-server {B} --topic-partitions no.such:3-2
        --bootstrap-server {B} --topic-partitions a --partitions 0
        --bootstrap-server {B} --topic [
        --bootstrap-server {B} --topic no.such --command-config /no/such/file
        --bootstrap-server {B} --topic no.such --broker-list {B}
        --bootstrap-server nonsense
        --bootstrap-server {B} --unknown
        --bootstrap-server
        --version
        --help
    """,
    "kafka-broker-api-versions": """

        --bootstrap-server
        --bootstrap-server nonsense
        --bootstrap-server {B} --command-config /no/such/file
        --unknown
        --version
        --help
    """,
    "kafka-storage": """

        nonsense
        --help
        format
        format -t c2Ftc2EtdGVzdC1jbHVzdA
        format -c /no/such/file
        format -c /no/such/file -t c2Ftc2EtdGVzdC1jbHVzdA --unknown
        format -c /no/such/file -t c2Ftc2EtdGVzdC1jbHVzdA --standalone --no-initial-controllers
        format -c /no/such/file -t c2Ftc2EtdGVzdC1jbHVzdA -s -I 1@a:1:c2Ftc2EtdGVzdC1jbHVzdA
        info
        info -c
        info -c /no/such/file
        info -c /no/such/file extra
        version-mapping --release-version 9.9
        version-mapping --release-version
        version-mapping -r 3.3-IV3
        version-mapping -r 3.0
        feature-dependencies
        feature-dependencies --feature kraft.version=1
        feature-dependencies --feature group.version=1 --feature eligible.leader.replicas.version=1
        feature-dependencies --feature no.such=1
        feature-dependencies --feature group.version
        feature-dependencies --feature group.version=high
        feature-dependencies --feature group.version=99
        feature-dependencies --feature metadata.version=99
        feature-dependencies --feature metadata.version=20
        random-uuid extra
    """,
}

def version(text: str) -> str:
    return re.sub(r"^(4\.3\.\d) \(Samsa .*\)$", r"\1", text, flags=re.M)


def as_one_line(text: str) -> str:
    """kafka-storage stretches its lines to a width."""
    text = re.sub(r"^usage: kafka-storage.*", "(the options)", text, flags=re.S)
    text = re.sub(r"^\s+at .*", "", text, flags=re.M)
    return re.sub(r"\s+", " ", text).replace(", 4.4-IV0", "")


def scenario(tool: str):
    def lines(t):
        for line in LINES[tool].splitlines()[1:-1]:
            t.run(tool, *line.replace("{B}", t.broker.bootstrap).split(), edit=as_one_line if tool == "kafka-storage" else version)

    lines.__name__ = f"wrong_{tool}"
    return lines


@pytest.mark.parametrize("tool", LINES)
def test_wrong_options(compare, tool):
    compare(scenario(tool))
