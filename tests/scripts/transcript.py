"""Runs a list of tool commands and writes down what each said, with the words that differ from run to run replaced.

Two transcripts of the same commands, of any tools against any broker, are then equal or there is a difference to look at.
"""

import itertools
import re
import time

from peers import tools as tool_programs

run_number = itertools.count()


class Transcript:
    """One run of a scenario. `topic` and `group` give names of equal length in every run, so that columns stay where they are."""

    def __init__(self, tools, broker):
        self.tools, self.broker = tools, broker
        self.number = next(run_number)
        self.names: dict[str, str] = {}
        self.steps: list[dict] = []

    def _name(self, kind: str, word: str) -> str:
        name = f"{kind}{self.number:03}-{word}"
        self.names[name] = f"{kind}NNN-{word}"
        return name

    def topic(self, word: str = "a") -> str:
        return self._name("topic", word)

    def group(self, word: str = "a") -> str:
        return self._name("group", word)

    def run(self, tool: str, *arguments: str, stdin="", note: bool = True, sort: bool = False, only=None, edit=None, timeout: float = 60.0):
        """One command; $B in an argument is the bootstrap address, $C the controller's. `sort` where the order of lines is nobody's promise.

        `only` keeps the lines that contain one of these words, `edit` changes the text before it is kept. `note=False` leaves the command
        out of the transcript.
        """
        words = [a.replace("$B", self.broker.bootstrap).replace("$C", self.broker.controller) for a in arguments]
        done = tool_programs.run(self.tools, tool, *words, stdin=stdin, timeout=timeout)
        if done.code == 0 and self.broker.kind == "apache" and CHANGES.intersection(words):
            # Apache Kafka answers before its brokers have heard of what the controller did; people and cold tools do not notice.
            time.sleep(0.5)
        if note:
            self.steps.append({
                "command": NUMBERED.sub(r"\1NNN", self.normal(" ".join([tool, *words]))), "code": done.code,
                "out": self.lines(done.out, sort, only, edit), "err": without_echo(self.lines(carried(done.err), sort, None, edit)),
            })
        return done

    def lines(self, text: str, sort: bool, only, edit) -> list[str]:
        text = self.normal(text)
        found = [line.rstrip() for line in (edit(text) if edit else text).splitlines()]
        found = [line for line in found if not NOISE.search(line) and (only is None or any(word in line for word in only))]
        return sorted(found) if sort else found

    def normal(self, text: str) -> str:
        for name, placeholder in self.names.items():
            text = text.replace(name, placeholder)
        text = text.replace(self.broker.bootstrap, "127.0.0.1:PPPPP").replace(self.broker.controller, "127.0.0.1:CCCCC").replace(str(self.broker.directory), "DIRECTORY")
        for pattern, placeholder in CHANGING:
            text = pattern.sub(placeholder, text)
        return text


# Lines that say something of one implementation only: its logging, its stack, a word of advertisement.
NOISE = re.compile(r"^WARN \[|^WARN Couldn't resolve|INFO |^SLF4J|^\s+at \S+\(|^Caused by: |^\t\.\.\. \d+ more$|^WARNING: sun"
                   r"|^The consumer rebalance protocol \(KIP-848\)")

# On standard error the words count, not the exception that carried them nor the logger that wrote them. The table of options behind a
# wrong command line is each tool's own.
CARRIERS = [
    (re.compile(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[,.]\d{3}\] (ERROR|WARN|INFO) ", re.M), r"\1 "),
    (re.compile(r" \((org\.apache\.)?kafka\.[\w.$]+\)$", re.M), ""),
    (re.compile(r'^Exception in thread "main" ', re.M), ""),
    (re.compile(r"^(ERROR |Error occurred: )?((java|org\.apache\.kafka|kafka|joptsimple)\.[\w.$]+: )+", re.M), r"\1"),
    (re.compile(r"^requirement failed: ", re.M), ""),
    (re.compile(r"Unable to instantiate a formatter from (\S+): known are .*"), r"\1"),
    (re.compile(r"^Option +Description.*", re.M | re.S), "(the options)"),
    (re.compile(r"^usage: kafka-storage.*?(?=^kafka-storage: error)", re.M | re.S), "(the options)\n"),
    # Java goes through a set: which of those that are missing it names is drawn by every virtual machine anew.
    (re.compile(r"argument (--cluster-id/-t|--config/-c) is required"), "argument (one of them) is required"),
]

# Patterns in a command, such as topic007.*, name more than one topic; in what a tool says, other runs' names must stay other names.
NUMBERED = re.compile(r"\b(topic|group)\d{3}")


CHANGES = {"--create", "--delete", "--alter"}

# Java iterates over sets of options and states in an order that every virtual machine draws anew.
DRAWN = re.compile(r"(takes one of these options: |takes the following options: |Option combination \"|one of the following scenarios: "
                   r"|Valid (?:states|types) are: )(\S.*?)(\"|$)", re.M)


def carried(text: str) -> str:
    for pattern, placeholder in CARRIERS:
        text = pattern.sub(placeholder, text)
    return DRAWN.sub(lambda m: m[1] + ", ".join(sorted(re.findall(r"[\w-]+", m[2]))), text)


def without_echo(lines: list[str]) -> list[str]:
    """Java's tools print a message and then a stack that begins with it; and empty lines."""
    found = [line for line in lines if line]
    return [line for i, line in enumerate(found) if i == 0 or not found[i - 1].endswith(line)]


CHANGING = [
    (re.compile(r"directory\.id=[\w-]{22}"), "directory.id=IIIIIIIIIIIIIIIIIIIIII"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UUUUUUUU-UUUU-UUUU-UUUU-UUUUUUUUUUUU"),
    (re.compile(r"TopicId: [\w-]{22}"), "TopicId: IIIIIIIIIIIIIIIIIIIIII"),
    (re.compile(r"(CreateTime|LogAppendTime):\d{13}"), r"\1:TTTTTTTTTTTTT"),
    (re.compile(r"console-consumer-\d+"), "console-consumer-NNNNN"),
    # Kafka's tools name a file that cannot be read and no more.
    (re.compile(r"cannot read the properties file '([^']*)': .*"), r"\1"),
    # Names of Java's own exceptions, not Kafka's.
    (re.compile(r"(?<= due to )java\.[\w.]+: "), ""),
]
