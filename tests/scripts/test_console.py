"""kafka-console-producer and kafka-console-consumer."""


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
