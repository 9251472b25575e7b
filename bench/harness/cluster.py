"""Three (or more) combined nodes on this machine, the same way for both sides: static voters, replication factor and min ISR as in production."""
import subprocess

from peers.broker import free_ports

CLUSTER = {"default.replication.factor": "3", "min.insync.replicas": "2", "offsets.topic.replication.factor": "3",
           "transaction.state.log.replication.factor": "3", "transaction.state.log.min.isr": "2"}


def brokers(make, directory, nodes, properties):
    ports = free_ports(nodes)
    voters = ",".join(f"{number}@127.0.0.1:{port}" for number, port in enumerate(ports, 1))
    found = []
    for number, port in enumerate(ports, 1):
        broker = make(directory / str(number), **{"node.id": str(number), "controller.quorum.voters": voters}, **CLUSTER, **properties)
        broker.controller_port = port
        broker.overrides["controller.quorum.bootstrap.servers"] = ""
        broker.format = lambda broker=broker: format_member(broker)
        found.append(broker)
    return found


def format_member(broker):
    broker.write_properties()
    return subprocess.run(broker.storage_command("format", "-t", broker.cluster_id, "-c", str(broker.properties_file)), capture_output=True,
                          text=True, timeout=120)
