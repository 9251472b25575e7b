"""The load generators. Each gives a dict: records, bytes, seconds, errors, and where it has them p50, p99, p999 in milliseconds."""
import contextlib
import json
import re
import subprocess

from peers import maven
from peers.paths import BUILD, REPO, TESTS

OUT = BUILD / "bench"
RDLOAD = OUT / "rdload"
WITNESS = OUT / "witness"
APART = OUT / "apart"
WIRELOAD = BUILD / "release" / "wireload"
realtime = False  # Whether loads and brokers run with real-time scheduling.
rank = 1  # Of the loads that are started, with real-time scheduling; that of brokers is 2.


def prepare():
    OUT.mkdir(parents=True, exist_ok=True)
    shared = REPO / "bench" / "load" / "processors.h"
    for program, libraries in ((RDLOAD, ["-lrdkafka"]), (WITNESS, []), (APART, [])):
        source = REPO / "bench" / "load" / f"{program.name}.cc"
        if not program.exists() or program.stat().st_mtime < max(source.stat().st_mtime, shared.stat().st_mtime):
            subprocess.run(["clang++-19", "-std=c++20", "-O2", str(source), "-o", str(program), *libraries, "-lpthread"], check=True)
    maven.kafka_libs()


def _prefer():
    from .nodes import prefer
    prefer()


def run(command, timeout=600):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=timeout, preexec_fn=_prefer)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))[:300]}: {done.stdout[-500:]} {done.stderr[-1500:]}")
    return done.stdout


def _pairs(options):
    return [f"{key}={value}" for key, value in options.items()]


def wire(mode, bootstrap, topic, **options):
    return json.loads(run([WIRELOAD, mode, bootstrap, topic, *_pairs(options)]))


@contextlib.contextmanager
def witnessed():
    """Gives a dict that has, at the end, for how many milliseconds the machine stood meanwhile (bench/load/witness.cc); empty where the system does not
    let a witness go first."""
    seen = {}
    process = subprocess.Popen([str(WITNESS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        process.stdout.readline()  # It watches from here on.
        yield seen
        out, _ = process.communicate(timeout=60)
        if process.returncode == 0:
            seen |= json.loads(out)
    finally:
        process.kill()
        process.wait()


def apart():
    """How far apart two of the machine's processors are at the moment, in nanoseconds (bench/load/apart.cc)."""
    return json.loads(run([APART]))["ns"]


def start_wire(mode, bootstrap, topic, **options):
    """One that goes on beside others; finish() gives its figures."""
    process = subprocess.Popen([str(WIRELOAD), mode, bootstrap, topic, *_pairs(options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, preexec_fn=_prefer)
    return process


def finish(process, timeout=600):
    out, err = process.communicate(timeout=timeout)
    if process.returncode != 0:
        raise RuntimeError(err[-1500:])
    result = json.loads(out)
    if result.get("errors"):
        raise RuntimeError(f"{result['errors']} errors: {result.get('error', '')}")
    return result


def rd(mode, bootstrap, topic, **options):
    return json.loads(run([RDLOAD, mode, bootstrap, topic, *_pairs(options)]))


JAVA = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData", f"-Dlog4j2.configurationFile={TESTS}/peers/kafka/tools-log4j2.properties"]


def java(tool, bootstrap, topic, records=100_000, size=1024, rate=-1, **properties):
    libs = str(maven.kafka_libs() / "*")
    if tool == "produce":
        given = [f"{key.replace('_', '.')}={value}" for key, value in properties.items()]
        out = run([*JAVA, "-cp", libs, "org.apache.kafka.tools.ProducerPerformance", "--topic", topic, "--num-records", records,
                   "--record-size", size, "--throughput", rate, "--producer-props", f"bootstrap.servers={bootstrap}", *given])
        last = out.strip().splitlines()[-1]
        sent, per_second = re.match(r"(\d+) records sent, ([\d.]+) records/sec", last).groups()
        percentiles = re.search(r"(\d+) ms 50th, (\d+) ms 95th, (\d+) ms 99th, (\d+) ms 99.9th", last).groups()
        return {"records": int(sent), "bytes": int(sent) * size, "seconds": int(sent) / float(per_second), "errors": records - int(sent),
                "p50": float(percentiles[0]), "p99": float(percentiles[2]), "p999": float(percentiles[3])}
    if tool == "consume":
        out = run([*JAVA, "-cp", libs, "org.apache.kafka.tools.ConsumerPerformance", "--topic", topic, "--bootstrap-server", bootstrap,
                   "--num-records", records, "--timeout", 60000])
        head, values = [line.split(", ") for line in out.strip().splitlines() if "," in line][-2:]
        found = dict(zip(head, values))
        count = int(found["data.consumed.in.nMsg"])
        return {"records": count, "bytes": float(found["data.consumed.in.MB"]) * 1048576, "seconds": float(found["fetch.time.ms"]) / 1000,
                "errors": max(0, records - count)}
    if tool == "end-to-end":
        out = run([*JAVA, "-cp", libs, "org.apache.kafka.tools.EndToEndLatency", "--bootstrap-server", bootstrap, "--topic", topic,
                   "--num-records", records, "--producer-acks", "all", "--record-size", size])
        p50, p99, p999 = re.search(r"50th = ([\d.]+), 99th = ([\d.]+), 99.9th = ([\d.]+)", out).groups()
        return {"records": records, "bytes": records * size, "seconds": 1, "errors": 0, "p50": float(p50), "p99": float(p99), "p999": float(p999)}
    raise ValueError(tool)
