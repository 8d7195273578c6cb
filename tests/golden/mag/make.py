#!/usr/bin/python3
"""Makes the updates of a gateway with scapy, and lets tshark say what it reads in them.

Usage: /usr/bin/python3 tests/golden/mag/make.py   (Debian's python3-scapy and tshark)
"""

import subprocess
import tempfile
from pathlib import Path

from scapy.all import Ether, IPv6, wrpcap
from scapy.layers.inet6 import MIP6MH_BU, MIP6OptUnknown, PadN

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


HNP = bytes.fromhex("20010db8010000010000000000000000")
UPDATES = {
    "registration": update(1, 0, 100, 4, 0, bytes(16)),
    "refresh": update(2, 300, 100, 5, 64, HNP),
    "deregistration": update(3, 310, 0, 4, 64, HNP),
}

for name, packet in UPDATES.items():
    whole = bytes(packet)
    (HERE / f"{name}.hex").write_text(whole[40:].hex() + "\n")
    with tempfile.NamedTemporaryFile(suffix=".pcap") as capture:
        wrpcap(capture.name, [Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IPv6(whole)])
        said = subprocess.run(
            ["tshark", "-r", capture.name, "-V"],
            check=True, capture_output=True, text=True,
        )
    mipv6 = said.stdout[said.stdout.index("    Mobile IPv6\n"):]
    (HERE / f"{name}.txt").write_text(mipv6.rstrip() + "\n")
