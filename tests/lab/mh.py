"""Mobility Headers on raw sockets, for gateways that share no code with ours: pbu.py and peer.py."""

import logging
import socket
import struct
import time

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import IPv6, Raw  # noqa: E402
from scapy.layers.inet6 import in6_chksum  # noqa: E402

NH_MOBILITY = 135


def padding(length):
    """Pad1 or PadN behind a message of so many bytes, up to a multiple of eight."""
    tail = -length % 8
    return b"" if tail == 0 else b"\0" if tail == 1 else bytes([1, tail - 2]) + bytes(tail - 2)


def in_ipv6(message, source, destination, hop_limit=64):
    """A packet with this message, whose checksum is zero yet."""
    ip = IPv6(src=source, dst=destination, nh=NH_MOBILITY, hlim=hop_limit)
    checksum = in6_chksum(NH_MOBILITY, ip / Raw(message), message)
    return ip / Raw(message[:4] + struct.pack("!H", checksum) + message[6:])


def exchange(packet, wait, read):
    """Sends a packet as it is. What `read` makes of the first message from its destination that it takes for the
    answer, or None after so many seconds."""
    with (
        socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW) as out,
        socket.socket(socket.AF_INET6, socket.SOCK_RAW, NH_MOBILITY) as back,
    ):
        back.bind((packet.src, 0))
        out.sendto(bytes(packet), (packet.dst, 0))  # the kernel finds the neighbour
        end = time.monotonic() + wait
        while (left := end - time.monotonic()) > 0:
            back.settimeout(left)
            try:
                message, (source, *_) = back.recvfrom(2048)
            except TimeoutError:
                break
            if source == packet.dst and len(message) >= 12 and (found := read(message)):
                return found
    return None
