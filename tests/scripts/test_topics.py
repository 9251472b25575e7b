"""kafka-topics."""


def create_and_describe(t):
    topic, other = t.topic("a"), t.topic("b")

    def topics(*words, **how):
        t.run("kafka-topics", "--bootstrap-server", "$B", *words, **how)

    topics("--create", "--topic", topic, "--partitions", "2", "--replication-factor", "1", "--config", "retention.ms=100000",
           "--config", "cleanup.policy=compact")
    topics("--create", "--topic", topic)
    topics("--create", "--topic", t.topic("huge"), "--partitions", "1000000000")
    topics("--create", "--topic", topic, "--if-not-exists")
    topics("--create", "--topic", other)
    topics("--describe", "--topic", topic)
    topics("--describe", "--topic", f"{topic}|{other}", sort=True)
    topics("--describe", "--topic", topic, "--exclude-internal", "--topics-with-overrides")
    topics("--list", "--topic", f"{topic[:-1]}.*", sort=True)
    topics("--alter", "--topic", topic, "--partitions", "4")
    topics("--describe", "--topic", topic)
    topics("--alter", "--topic", topic, "--partitions", "3")
    topics("--delete", "--topic", topic)
    topics("--delete", "--topic", other, "--if-exists")


def assignments(t):
    topic = t.topic("a")
    t.run("kafka-topics", "--bootstrap-server", "$B", "--create", "--topic", topic, "--replica-assignment", "1,1")
    t.run("kafka-topics", "--bootstrap-server", "$B", "--describe", "--topic", topic)
    t.run("kafka-topics", "--bootstrap-server", "$B", "--create", "--topic", t.topic("b"), "--replica-assignment", "1:7")


def wrong_words(t):
    missing, bad = t.topic("missing"), t.topic("bad")

    def topics(*words):
        t.run("kafka-topics", "--bootstrap-server", "$B", *words)

    topics("--describe", "--topic", missing)
    topics("--describe", "--topic", missing, "--if-exists")
    topics("--delete", "--topic", missing)
    topics("--delete", "--topic", missing, "--if-exists")
    topics("--alter", "--topic", missing, "--partitions", "3")
    topics("--create", "--topic", "no/slash")
    topics("--create", "--topic", bad, "--replication-factor", "3")
    topics("--create", "--topic", bad, "--partitions", "0")
    topics("--create", "--topic", bad, "--config", "no.such=1")
    topics("--create", "--topic", bad, "--config", "retention.ms=soon")
    topics("--create", "--topic", "with.dot_and_line")
    topics("--delete", "--topic", "with.dot_and_line")


def test_create_and_describe(compare):
    compare(create_and_describe)


def test_assignments(compare):
    compare(assignments)


def test_wrong_words(compare):
    compare(wrong_words)
