"""kafka-consumer-groups."""

import re
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


def narrow(text: str) -> str:
    """The columns of --list are as wide as the longest name of all groups, those of other tests too."""
    return re.sub(r" {2,}", "  ", text)


def describe(t):
    topic, group = filled(t)
    groups(t, "--list", only=["groupNNN-g"])
    groups(t, "--list", "--state", only=["groupNNN-g", "STATE"], edit=narrow)
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


def without_jackson(text: str) -> str:
    """Java prints the errors of its CSV reader once where it tries a form and once more where it gives up."""
    return re.sub(r"^(com\.fasterxml| at \[Source).*\n?", "", text, flags=re.M)


def reset_refused(t):
    topic, group = filled(t)

    def to(*words, **how):
        groups(t, "--group", group, "--reset-offsets", "--dry-run", *words, sort=True, **how)

    for duration in ("foo", "P1Y"):
        to("--by-duration", duration, "--topic", topic)
    for moment in ("2020-13-01T00:00:00.000", "2020-02-30T00:00:00.000", "2020-01-01T00:00:00", "2020-01-01T", "2020-1-1T00:00:00.000"):
        to("--to-datetime", moment, "--topic", topic)
    to("--to-earliest", "--topic", f"{topic}:7")
    to("--to-earliest", "--topic", f"{topic}:0,1,8")
    to("--to-earliest", "--topic", t.topic("missing"))
    to("--to-earliest", "--topic", t.topic("missing") + ":0")
    for part in ("", "x", "0:1"):
        to("--to-earliest", "--topic", f"{topic}:{part}")
    to("--to-earliest", "--topic", f"{topic}:0,")


def files_refused(t):
    topic, group = filled(t)
    plan = t.broker.directory / f"plan-{t.number}.csv"
    t.names[str(plan)] = "PLAN"

    def take(text, *words):
        plan.write_text(text)
        groups(t, "--reset-offsets", "--from-file", str(plan), "--dry-run", *(words or ("--group", group)), edit=without_jackson, sort=True)

    for text in ("g,a,b\n", "", "\n", f"{topic},0\n", f"{topic},0,x\n", f"{topic},0,1,2\n", f"{topic},0,1\n\n", f"{topic}, 1, 1\n{topic},0,2\n"):
        take(text)
    take(f"{group},{topic},0,1\n", "--group", group, "--group", t.group("h"))


def order(t):
    """Rows of a reset and of its export stand in one order. Which one depends on the names, and these differ from run to run."""
    topics = [t.topic(word) for word in ("a", "b", "c")]
    for topic in topics:
        make(t, topic, "3")
    words = [word for topic in topics for word in ("--topic", topic)]
    done = [groups(t, "--group", t.group("g"), "--reset-offsets", "--to-earliest", "--dry-run", *words, *more, note=False).out for more in ((), ("--export",))]
    rows = [re.findall(r"(topic\d+-\w)[ ,]+(\d)[ ,]+0$", out, re.M) for out in done]
    assert len(rows[0]) == 9 and rows[0] == rows[1], done


def delete_offsets(t):
    topic, group = filled(t)
    missing, nobody = t.topic("missing"), t.group("missing")

    def of(name, *words):
        groups(t, "--delete-offsets", "--group", name, *(word for topic in words for word in ("--topic", topic)))

    of(group, missing)
    of(group, f"{missing}:1")
    of(group, f"{topic}:7")
    of(group, f"{topic}:0", missing)
    of(group, f"{topic}:")
    of(nobody, topic)
    of(nobody, missing)


def types(t):
    filled(t)
    for words in (("--type", "classic"), ("--state", "--type"), ("--type", "classic", "--state", "empty"), ("--type", "nosuch")):
        groups(t, "--list", *words, only=["groupNNN-g", "STATE", "TYPE"], sort=True, edit=narrow)


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


def test_reset_refused(compare):
    compare(reset_refused)


def test_files_refused(compare):
    compare(files_refused)


def test_order(compare):
    compare(order)


def test_delete_offsets(compare):
    compare(delete_offsets)


def test_types(compare):
    compare(types)


def test_active(compare):
    compare(active)
