"""What makes two nodes a cluster: cluster.xml, who each node is, keys and certificates.

Written beside the disks before the first boot, and copied onto a new disk, so that a node finds
them when it starts for the first time.
"""

import json
from pathlib import Path
from xml.etree import ElementTree as ET  # only written here, never parsed

from mirror.adapters.lab import plan
from mirror.adapters.pki import create_cluster, issue_node


def write(directory: Path, hosts: tuple[plan.HostPlan, ...]) -> None:
    """Make `directory`/NAME for each node, laid out as SAFEVAR/cluster; keep what is there."""
    if directory.exists():
        return
    nodes = [host for host in hosts if host.role == "node"]
    create_cluster(directory / "authority")
    for node in nodes:
        own = directory / node.name
        own.mkdir()
        (own / "cluster.xml").write_text(_cluster_xml(nodes))
        (own / "node.json").write_text(json.dumps({"name": node.name}) + "\n")
        addresses = [port.address for port in node.ports]
        issue_node(directory / "authority", node.name, addresses, own / "pki")


def _cluster_xml(nodes: list[plan.HostPlan]) -> str:
    cluster = ET.Element("cluster")
    lans = ET.SubElement(cluster, "lans")
    for lan in plan.LANS:
        element = ET.SubElement(lans, "lan", name=plan.CLUSTER_LAN_NAMES[lan])
        for node in nodes:
            ET.SubElement(element, "node", name=node.name, addr=node.address(lan))
    ET.indent(cluster)
    return ET.tostring(cluster, encoding="unicode", xml_declaration=True) + "\n"
