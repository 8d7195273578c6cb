#!/usr/bin/python3
"""Sends router solicitations on an interface until a router answers: what a host does that finds
itself on another link (RFC 4861 6.3.7). Exit status 1 if none answers.

The kernel by itself solicits only when an interface comes up for the first time; on a real host its
network manager does it.   solicit.py eth0 [seconds]
"""

import socket
import struct
import sys
import time

ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT = 133, 134
ALL_ROUTERS = "ff02::2"
SOURCE_LINK_LAYER = 1


def main():
    name, seconds = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 20
    index = socket.if_nametoindex(name)
    with open(f"/sys/class/net/{name}/address", encoding="ascii") as f:
        mac = bytes.fromhex(f.read().strip().replace(":", ""))
    option = bytes([SOURCE_LINK_LAYER, 1]) + mac
    s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode())
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    s.settimeout(0.5)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            # The kernel fills in the checksum.
            s.sendto(struct.pack("!BBHI", ROUTER_SOLICITATION, 0, 0, 0) + option, (ALL_ROUTERS, 0, 0, index))
            pause = time.monotonic() + 0.5
            while time.monotonic() < pause:
                if s.recv(2048)[0] == ROUTER_ADVERTISEMENT:
                    return 0
        except TimeoutError:
            pass
        except OSError:
            time.sleep(0.1)  # the link, or its link-local address, is not ready yet
    return 1


sys.exit(main())
