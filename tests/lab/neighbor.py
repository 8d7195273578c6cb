#!/usr/bin/python3 -B
"""Sends one Neighbor Solicitation, made by scapy, and prints the advertisement that answers it as JSON.

For a link without link-layer addresses, such as a TUN. Runs where the link is; without an answer in time it prints
{"target": null}.

    neighbor.py --interface mn-tun --src fe80::c633:6407 --dst ff02::1:ff00:201 --target fe80::c000:201
"""

import argparse
import json
import logging
import socket
import time

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import IPv6  # noqa: E402
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, in6_chksum  # noqa: E402

ETH_P_IPV6, NH_ICMPV6 = 0x86DD, 58


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--interface", required=True)
    p.add_argument("--src", required=True)
    p.add_argument("--dst", required=True)
    p.add_argument("--target", required=True)
    p.add_argument("--wait", type=float, default=3.0, help="seconds")
    return p.parse_args()


def advertisement(data):
    """What a packet advertises; None if it does not."""
    ip = IPv6(data)
    if ICMPv6ND_NA not in ip:
        return None
    na = ip[ICMPv6ND_NA]
    message = data[40 : 40 + ip.plen]
    return {
        "target": na.tgt,
        "router": na.R,
        "solicited": na.S,
        "override": na.O,
        "options": len(message) - 24,
        "hop_limit": ip.hlim,
        "src": ip.src,
        "dst": ip.dst,
        "intact": in6_chksum(NH_ICMPV6, ip, message) == 0,
    }


def main():
    a = arguments()
    # The option has no place on such a link: whoever answers ignores it (RFC 4213 3.8).
    options = ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:99")
    question = IPv6(src=a.src, dst=a.dst, hlim=255) / ICMPv6ND_NS(tgt=a.target) / options
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IPV6)) as link:
        link.bind((a.interface, ETH_P_IPV6))
        link.send(bytes(question))
        end = time.monotonic() + a.wait
        while (left := end - time.monotonic()) > 0:
            link.settimeout(left)
            try:
                found = advertisement(link.recv(2048))
            except TimeoutError:
                break
            if found:
                print(json.dumps(found))
                return
    print(json.dumps({"target": None}))


main()
