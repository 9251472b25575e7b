"""kafka-console-producer and kafka-console-consumer."""

from peers import tools as programs


def make(t, topic, partitions="1", *more):
    t.run("kafka-topics", "--bootstrap-server", "$B", "--create", "--topic", topic, "--partitions", partitions, *more, note=False)


def produce(t, topic, lines, *properties, note=True):
    flags = [word for one in properties for word in ("--reader-property", one)]
    t.run("kafka-console-producer", "--bootstrap-server", "$B", "--topic", topic, *flags, stdin=lines, note=note)


def consume(t, topic, *words, count=None, properties=(), **how):
    flags = [word for one in properties for word in ("--formatter-property", one)]
    limit = ["--max-messages", str(count)] if count else []
    t.run("kafka-console-consumer", "--bootstrap-server", "$B", "--topic", topic, *words, *limit, *flags, **how)


def keys_and_headers(t):
    topic = t.topic("a")
    make(t, topic)
    produce(t, topic, "h1:v1,h2:v2\tkey1\tvalue one\nh:\tkey2\tvalue two\n", "parse.key=true", "parse.headers=true")
    produce(t, topic, "k|v\nk2|\n|v3\n", "parse.key=true", "key.separator=|")
    produce(t, topic, "NULL\tNULL\n", "parse.key=true", "null.marker=NULL")
    produce(t, topic, "grün\n\ntwo words\n")
    consume(t, topic, "--from-beginning", count=9, properties=[
        "print.key=true", "print.headers=true", "print.partition=true", "print.offset=true", "print.timestamp=true", "print.epoch=true"])
    consume(t, topic, "--from-beginning", count=9, properties=["print.key=true", "key.separator=<>", "null.literal=nothing"])
    consume(t, topic, "--from-beginning", count=2, properties=["print.value=false", "print.key=true", "line.separator=;"])
    consume(t, topic, "--from-beginning", count=2, properties=["print.headers=true", "headers.separator=&", "print.value=false"])


def places(t):
    topic = t.topic("a")
    make(t, topic)
    produce(t, topic, "".join(f"line {i}\n" for i in range(10)))
    consume(t, topic, "--partition", "0", "--offset", "7", count=3)
    consume(t, topic, "--partition", "0", "--offset", "earliest", count=2)
    consume(t, topic, "--partition", "0", "--offset", "latest", "--timeout-ms", "1500")
    consume(t, topic, "--from-beginning", "--timeout-ms", "2500")
    consume(t, topic, "--from-beginning", "--isolation-level", "read_committed", count=10)


def codecs(t):
    topic = t.topic("a")
    make(t, topic)
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        t.run("kafka-console-producer", "--bootstrap-server", "$B", "--topic", topic, "--compression-codec", codec,
              stdin=f"by {codec}\n" * 3)
    consume(t, topic, "--from-beginning", count=15)


def groups(t):
    topic, group = t.topic("a"), t.group("g")
    make(t, topic)
    produce(t, topic, "one\ntwo\nthree\n")
    consume(t, topic, "--group", group, "--from-beginning", count=2)
    consume(t, topic, "--group", group, "--from-beginning", count=1)
    consume(t, topic, "--group", group, "--timeout-ms", "2500")


def wrong_words(t):
    topic = t.topic("a")
    make(t, topic)
    produce(t, topic, "no separator\n", "parse.key=true")
    produce(t, topic, "no separator\n", "parse.key=true", "ignore.error=true")
    consume(t, topic, "--offset", "3")
    consume(t, topic, "--partition", "0", "--from-beginning", "--offset", "3")
    consume(t, topic, "--partition", "0", "--offset", "somewhere")
    consume(t, topic, "--partition", "0", "--offset", "-4")


def readers_and_formatters(t):
    topic = t.topic("a")
    make(t, topic)
    producer = ("kafka-console-producer", "--bootstrap-server", "$B", "--topic", topic)
    t.run(*producer, "--line-reader", "x", stdin="not sent\n")
    t.run(*producer, "--line-reader", "org.apache.kafka.tools.LineMessageReader", stdin="sent\n")
    # Java's estimate of a record's size, with and without key and headers.
    produce(t, topic, "x" * 1048600 + "\n")
    produce(t, topic, "k\t" + "x" * 1048600 + "\n", "parse.key=true")
    produce(t, topic, "h:v,i:w\tk\t" + "x" * 1048600 + "\n", "parse.key=true", "parse.headers=true")
    t.run(*producer, "--command-property", "buffer.memory=100", stdin="x" * 200 + "\n")
    for words in (("--key-deserializer", "nope"), ("--formatter", "org.apache.kafka.tools.consumer.LoggingMessageFormatter")):
        consume(t, topic, "--from-beginning", *words, count=1)


NOWHERE = ("--bootstrap-server", "127.0.0.1:1")


def nobody_there(t):
    """What a closed port looks like, in the time that the caller gave."""
    consumer = ("kafka-console-consumer", *NOWHERE, "--topic", "t")
    for words in (("--timeout-ms", "1500"), ("--timeout-ms", "1500", "--partition", "0")):
        t.run(*consumer, *words, timeout=45)
    t.run("kafka-console-producer", *NOWHERE, "--topic", "t", "--max-block-ms", "1000", stdin="one\n", timeout=45)
    for words in (("--list",), ("--describe", "--group", "g"), ("--delete", "--group", "g"), ("--delete-offsets", "--group", "g", "--topic", "t"),
                  ("--reset-offsets", "--group", "g", "--topic", "t", "--to-earliest", "--dry-run")):
        t.run("kafka-consumer-groups", *NOWHERE, *words, "--timeout", "1500", only=["rror", "due to", "t "], timeout=45)


def test_nobody_there(compare):
    compare(nobody_there)


def test_nobody_there_is_said(tools):
    """Before the time is over, in the log."""
    done = programs.run(tools, "kafka-consumer-groups", *NOWHERE, "--list", "--timeout", "1500")
    assert "Connection to node -1 (/127.0.0.1:1) could not be established. Node may not be available." in done.err


def test_readers_and_formatters(compare):
    compare(readers_and_formatters)


def test_keys_and_headers(compare):
    compare(keys_and_headers)


def test_places(compare):
    compare(places)


def test_codecs(compare):
    compare(codecs)


def test_groups(compare):
    compare(groups)


def test_wrong_words(compare):
    compare(wrong_words)
