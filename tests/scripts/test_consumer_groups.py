"""kafka-consumer-groups."""

import time

from scripts.test_console import consume, make, produce

BASE = 1_700_000_000_000


def groups(t, *words, **how):
    return t.run("kafka-consumer-groups", "--bootstrap-server", "$B", *words, **how)


def filled(t) -> tuple[str, str]:
    """A topic of two partitions with ten lines in one of them, and a group that has read four."""
    topic, group = t.topic("a"), t.group("g")
    make(t, topic, "2")
    produce(t, topic, "".join(f"key\tline {i}\n" for i in range(10)), "parse.key=true", note=False)
    consume(t, topic, "--group", group, "--from-beginning", count=4, note=False)
    return topic, group


def describe(t):
    topic, group = filled(t)
    groups(t, "--list", only=["groupNNN-g"])
    groups(t, "--list", "--state", only=["groupNNN-g", "STATE"])
    groups(t, "--describe", "--group", group, sort=True)
    groups(t, "--describe", "--group", group, "--members")
    groups(t, "--describe", "--group", group, "--state")
    groups(t, "--describe", "--group", group, "--members", "--verbose")
    groups(t, "--describe", "--group", group, "--state", "--verbose")
    groups(t, "--describe", "--group", t.group("missing"))
    groups(t, "--describe", "--group", t.group("missing"), "--state")


def reset(t):
    topic, group = filled(t)

    def to(*words):
        groups(t, "--group", group, "--reset-offsets", *words, sort=True)

    to("--to-earliest", "--topic", topic, "--dry-run")
    to("--to-earliest", "--topic", topic, "--execute")
    to("--to-latest", "--topic", topic, "--execute")
    to("--to-offset", "5", "--topic", f"{topic}:0", "--execute")
    to("--to-offset", "500", "--topic", topic, "--execute")
    to("--shift-by", "-2", "--topic", topic, "--execute")
    to("--shift-by", "100", "--topic", topic, "--execute")
    to("--to-current", "--topic", topic, "--execute")
    to("--to-datetime", "2023-01-01T00:00:00.000", "--topic", topic, "--execute")
    to("--to-datetime", "2100-01-01T00:00:00.000", "--topic", topic, "--execute")
    to("--by-duration", "P1D", "--topic", topic, "--execute")
    to("--to-earliest", "--all-topics", "--execute")
    to("--to-earliest", "--topic", topic)
    to("--to-earliest", "--execute")
    to("--to-earliest", "--to-latest", "--topic", topic, "--execute")
    to("--topic", topic, "--execute")
    to("--to-datetime", "yesterday", "--topic", topic, "--execute")
    groups(t, "--describe", "--group", group, sort=True)


def export_and_from_file(t):
    topic, group = filled(t)
    done = groups(t, "--group", group, "--reset-offsets", "--to-offset", "3", "--topic", topic, "--export", sort=True)
    plan = t.broker.directory / f"plan-{t.number}.csv"
    plan.write_text("".join(line + "\n" for line in done.out.splitlines() if line.count(",") == 2 and topic in line))
    path = str(plan)
    t.names[path] = "PLAN"
    groups(t, "--group", group, "--reset-offsets", "--from-file", path, "--dry-run", sort=True)
    groups(t, "--group", group, "--reset-offsets", "--from-file", path, "--execute", sort=True)
    groups(t, "--describe", "--group", group, sort=True)


def delete(t):
    topic, group = filled(t)
    groups(t, "--delete-offsets", "--group", group, "--topic", topic, sort=True)
    groups(t, "--delete", "--group", group)
    groups(t, "--list", only=["groupNNN-g"])
    groups(t, "--delete", "--group", group)
    groups(t, "--delete", "--group", t.group("missing"))


def active(t):
    """What may not be done while a member is there."""
    from peers import tools as programs

    topic, group = filled(t)
    member = programs.start(t.tools, "kafka-console-consumer", "--bootstrap-server", t.broker.bootstrap, "--topic", topic, "--group", group,
                            stdout=-3, stderr=-3)
    try:
        for _ in range(100):
            if "Stable" in groups(t, "--describe", "--group", group, "--state", note=False).out:
                break
            time.sleep(0.2)
        groups(t, "--describe", "--group", group, sort=True)
        groups(t, "--describe", "--group", group, "--members", "--verbose")
        groups(t, "--describe", "--group", group, "--state", "--verbose")
        groups(t, "--delete", "--group", group)
        groups(t, "--group", group, "--reset-offsets", "--to-earliest", "--topic", topic, "--execute")
        groups(t, "--delete-offsets", "--group", group, "--topic", topic)
    finally:
        member.terminate()
        member.wait(30)


def test_describe(compare):
    compare(describe)


def test_reset(compare):
    compare(reset)


def test_export_and_from_file(compare):
    compare(export_and_from_file)


def test_delete(compare):
    compare(delete)


def test_active(compare):
    compare(active)
