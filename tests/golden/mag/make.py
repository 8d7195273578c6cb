#!/usr/bin/python3
"""Makes messages of a gateway with scapy, and lets tshark say what it reads in them.

Usage: /usr/bin/python3 tests/golden/mag/make.py   (Debian's python3-scapy and tshark)
"""

import subprocess
import tempfile
from pathlib import Path

from scapy.all import IP, UDP, Ether, IPv6, Raw, wrpcap
from scapy.layers.inet6 import MIP6MH_BU, MIP6MH_Generic, MIP6OptUnknown, PadN

HERE = Path(__file__).parent
START = 1_700_000_000


def option(kind, data):
    return MIP6OptUnknown(otype=kind, olen=len(data), odata=data)


def pad(length):
    return PadN(optdata=bytes(length - 2))


def update(seq, seconds, lifetime, handoff, prefix_len, prefix):
    options = [
        option(8, b"\x01mn1@example.org"),  # Mobile Node Identifier, NAI
        pad(6),  # Home Network Prefix at 8n+4
        option(22, bytes([0, prefix_len]) + prefix),
        option(23, bytes([0, handoff])),
        option(24, bytes([0, 3])),  # Ethernet
        pad(2),  # Timestamp at 8n+2
        option(27, ((START + seconds) << 16).to_bytes(8, "big")),
        option(25, bytes([0, 0, 2, 0, 0, 0, 1, 1])),  # Mobile Node Link-layer Identifier at 2n
        option(26, bytes(16)),  # Link-local Address at 8n+6
    ]
    header = MIP6MH_BU(nh=59, seq=seq, flags="AP", mhtime=lifetime)
    header.options = options
    header.autopad = 0
    return IPv6(nh=135, src="2001:db8:2::11", dst="2001:db8:1::1") / header


def dual_stack():
    """Asks for both families with a GRE key and a service; in UDP, so without a checksum."""
    options = [
        option(8, b"\x01mn1@example.org"),
        pad(6),
        option(22, bytes(18)),
        option(23, bytes([0, 4])),
        option(24, bytes([0, 3])),
        pad(2),
        option(27, (START << 16).to_bytes(8, "big")),
        option(25, bytes([0, 0, 2, 0, 0, 0, 1, 1])),
        option(26, bytes(16)),
        option(36, bytes(6)),  # IPv4 Home Address Request at 4n
        option(33, bytes([0, 0, 0, 0, 0, 1])),  # GRE Key at 4n
        option(20, b"ims"),  # Service Selection
    ]
    body = b"".join(bytes(o) for o in options)
    fixed = bytes([0, 1, 0x83, 0x80, 0, 100])  # number, A P F T, lifetime
    length = 6 + len(fixed) + len(body)
    fill = -length % 8
    assert fill >= 2
    header = bytes([59, (length + fill) // 8 - 1, 5, 0, 0, 0])
    mobility = header + fixed + body + bytes(pad(fill))
    return mobility, IP(src="192.0.2.11", dst="192.0.2.1") / UDP(sport=5436, dport=5436) / Raw(mobility)


def to_anchor(kind, message):
    """A message of a type that scapy does not know; the checksum is scapy's."""
    header = MIP6MH_Generic(nh=59, mhtype=kind, len=(6 + len(message)) // 8 - 1, msg=message)
    packet = IPv6(nh=135, src="2001:db8:2::11", dst="2001:db8:1::1") / header
    return bytes(packet)[40:], packet


HNP = bytes.fromhex("20010db8010000010000000000000000")
UPDATES = {
    "registration": update(1, 0, 100, 4, 0, bytes(16)),
    "refresh": update(2, 300, 100, 5, 64, HNP),
    "deregistration": update(3, 310, 0, 4, 64, HNP),
}
MESSAGES = {name: (bytes(packet)[40:], packet) for name, packet in UPDATES.items()}
MESSAGES["dual-stack"] = dual_stack()
# Acknowledgement, success, number 77, P; the rest is padding.
MESSAGES["revoked"] = to_anchor(16, bytes([2, 0, 0, 77, 0x80, 0, 1, 2, 0, 0]))
# R, number 99, Restart Counter 7 at 4n+2.
MESSAGES["heartbeat"] = to_anchor(13, bytes([0, 1, 0, 0, 0, 99, 1, 0, 28, 4, 0, 0, 0, 7, 1, 2, 0, 0]))

for name, (mobility, packet) in MESSAGES.items():
    (HERE / f"{name}.hex").write_text(mobility.hex() + "\n")
    with tempfile.NamedTemporaryFile(suffix=".pcap") as capture:
        wrpcap(capture.name, [Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet])
        said = subprocess.run(
            ["tshark", "-r", capture.name, "-V"],
            check=True, capture_output=True, text=True,
        )
    start = said.stdout.index("Mobile IPv6\n")
    start = said.stdout.rindex("\n", 0, start) + 1
    (HERE / f"{name}.txt").write_text(said.stdout[start:].rstrip() + "\n")
