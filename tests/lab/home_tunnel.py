#!/usr/bin/python3 -B
"""The data plane of a mobile node away from home: a TUN that has its home address, IPv6 in IPv6 to its home
agent behind it. Packets from elsewhere than the home agent are discarded. Ends with its process.
With --by-source only what is from the home address goes there.

    home_tunnel.py --home 2001:db8:100::7 --care-of 2001:db8:a::51 --agent 2001:db8:a::1
"""

import argparse
import fcntl
import ipaddress
import os
import selectors
import socket
import struct
import subprocess

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
NH_IPV6 = 41
NAME, TABLE = "mip0", "100"


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--home", required=True)
    p.add_argument("--care-of", required=True)
    p.add_argument("--agent", required=True)
    p.add_argument("--network", default="::/128", help="a mobile network behind the node")
    p.add_argument("--by-source", action="store_true")
    return p.parse_args()


def ip(*words):
    subprocess.run(["ip", "-6", *words], check=True)


def main():
    a = arguments()
    network = ipaddress.IPv6Network(a.network)
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", NAME.encode(), IFF_TUN | IFF_NO_PI))
    family = socket.AF_INET6 if ":" in a.care_of else socket.AF_INET
    skip = 0 if family == socket.AF_INET6 else 20  # raw sockets of IPv4 give the header, too
    outer = socket.socket(family, socket.SOCK_RAW, NH_IPV6)
    outer.bind((a.care_of, 0))
    ip("address", "add", f"{a.home}/128", "dev", NAME, "nodad")
    ip("link", "set", NAME, "mtu", "1460", "up")
    if a.by_source:
        ip("rule", "add", "from", a.home, "lookup", TABLE)
        ip("route", "add", "default", "dev", NAME, "table", TABLE)
    else:
        ip("route", "add", "default", "dev", NAME, "src", a.home)
    print("ready", flush=True)
    with selectors.DefaultSelector() as wait:
        wait.register(tun, selectors.EVENT_READ)
        wait.register(outer, selectors.EVENT_READ)
        while True:
            for key, _ in wait.select():
                if key.fileobj is outer:
                    packet, (source, *_) = outer.recvfrom(65535)
                    if source == a.agent:
                        os.write(tun, packet[skip:])
                else:
                    packet = os.read(tun, 65535)
                    source = ipaddress.IPv6Address(packet[8:24])
                    if str(source) == a.home or source in network:
                        outer.sendto(packet, (a.agent, 0))


main()
