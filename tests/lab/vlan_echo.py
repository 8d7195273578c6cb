#!/usr/bin/python3 -B
"""Answers pings in the VLANs of one interface, each in its own: the correspondents of customers, where the kernel
has no VLANs. Runs until it is ended; prints a line for each answer.

    vlan_echo.py eth0
"""

import logging
import socket
import struct
import sys

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import ICMP, IP, Dot1Q, Ether, raw  # noqa: E402

ETH_P_ALL = 3
SOL_PACKET, PACKET_AUXDATA = 263, 8
VLAN_VALID = 1 << 4  # of the status in the kernel's struct tpacket_auxdata
AUXDATA = struct.Struct("IIIHHHH")  # status, len, snaplen, mac, net, vlan_tci, vlan_tpid


def vlan_of(control):
    """The tag that the kernel took from the frame."""
    for level, kind, data in control:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, *_, tci, _ = AUXDATA.unpack(data[: AUXDATA.size])
            return tci & 0xFFF if status & VLAN_VALID else None
    return None


def main():
    (interface,) = sys.argv[1:]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as s:
        s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        s.bind((interface, ETH_P_ALL))
        print("listening", flush=True)
        while True:
            data, control, _, (_, _, kind, *_) = s.recvmsg(2048, 256)
            vlan = vlan_of(control)
            if vlan is None or kind == socket.PACKET_OUTGOING:
                continue
            frame = Ether(data)
            if ICMP not in frame or frame[ICMP].type != 8:
                continue
            ip, icmp = frame[IP], frame[ICMP]
            answer = Ether(dst=frame.src, src=frame.dst) / Dot1Q(vlan=vlan) / IP(src=ip.dst, dst=ip.src)
            answer /= ICMP(type=0, id=icmp.id, seq=icmp.seq) / icmp.payload
            s.send(raw(answer))
            print(f"{ip.src} in VLAN {vlan}", flush=True)


main()
