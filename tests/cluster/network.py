"""Network namespaces: each node has one with an address of its own, all joined by a bridge in a namespace from which the clients work.

Needs root. Nothing outside of these namespaces is touched; they go with the test.
"""

import os
import subprocess


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class Net:
    def __init__(self, nodes):
        self.name = f"samsa-{os.getpid()}"
        self.nodes = nodes
        self.cut = set()
        for number in range(nodes + 1):
            ip("netns", "add", self.namespace(number))
            ip("-n", self.namespace(number), "link", "set", "lo", "up")
        hub = self.namespace(0)
        ip("-n", hub, "link", "add", "bridge", "type", "bridge")
        ip("-n", hub, "addr", "add", "10.77.0.100/24", "dev", "bridge")
        ip("-n", hub, "link", "set", "bridge", "up")
        for number in range(1, nodes + 1):
            ip("-n", hub, "link", "add", f"to{number}", "type", "veth", "peer", "name", "eth0", "netns", self.namespace(number))
            ip("-n", hub, "link", "set", f"to{number}", "master", "bridge")
            ip("-n", hub, "link", "set", f"to{number}", "up")
            ip("-n", self.namespace(number), "addr", "add", f"{self.address(number)}/24", "dev", "eth0")
            ip("-n", self.namespace(number), "link", "set", "eth0", "up")

    def namespace(self, number):
        return f"{self.name}-{number}"

    @staticmethod
    def address(number):
        return f"10.77.0.{number}"

    def inside(self, number):
        """The front of a command line that is to run there; 0: where the clients are."""
        return ["ip", "netns", "exec", self.namespace(number)]

    def lose(self, number):
        """Packets to and from the node vanish; nobody is told."""
        ip("-n", self.namespace(0), "link", "set", f"to{number}", "nomaster")

    def heal(self, number):
        ip("-n", self.namespace(0), "link", "set", f"to{number}", "master", "bridge")

    def remove(self):
        for number in range(self.nodes + 1):
            subprocess.run(["ip", "netns", "delete", self.namespace(number)], capture_output=True)
