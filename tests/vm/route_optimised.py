#!/usr/bin/python3 -B
"""A correspondent of a node of Mobile IPv6, by hand: sends echo requests to its care-of address with a type 2 routing
header, and looks at every byte of the replies, which have to come from there with a Home Address option (RFC 6275 6.3, 6.4).
Runs in the correspondent's namespace; prints what is amiss. Shares no code with ours.

    route_optimised.py --correspondent 2001:db8:f::1 --care-of 2001:db8:100::42 --home 2001:db8:77::7 --times 5
"""

import argparse
import ipaddress
import socket
import struct
import sys
import time

ETH_P_IPV6, ETHERNET_LEN, IPV6_LEN = 0x86DD, 14, 40
ROUTING, ICMPV6, DESTINATION = 43, 58, 60
ECHO_REQUEST, ECHO_REPLY, IDENTIFIER = 128, 129, 0x6275
HOPS, PATIENCE = 64, 20.0
HOME_ADDRESS = 201


def arguments():
    p = argparse.ArgumentParser()
    for name in ["correspondent", "care-of", "home"]:
        p.add_argument(f"--{name}", type=ipaddress.IPv6Address, required=True)
    p.add_argument("--times", type=int, required=True)
    return p.parse_args()


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def echo(kind, src, dst, time_):
    """The message with its checksum, which counts the home address and neither header (8.1 of RFC 8200)."""
    body = struct.pack("!HH", IDENTIFIER, time_) + bytes(range(64))
    pseudo = src.packed + dst.packed + struct.pack("!II", len(body) + 4, ICMPV6)
    return struct.pack("!BBH", kind, 0, checksum(pseudo + struct.pack("!BBH", kind, 0, 0) + body)) + body


def request(a, time_):
    message = echo(ECHO_REQUEST, a.correspondent, a.home, time_)
    route = struct.pack("!BBBBI", ICMPV6, 2, 2, 1, 0) + a.home.packed
    head = struct.pack("!IHBB", 6 << 28, len(route + message), ROUTING, HOPS)
    return head + a.correspondent.packed + a.care_of.packed + route + message


def fault(a, packet, time_):
    """What is wrong with a reply from the care-of address; None: nothing."""
    if packet[6] != DESTINATION:
        return f"next header {packet[6]}"
    options, message = packet[IPV6_LEN : IPV6_LEN + 24], packet[IPV6_LEN + 24 :]
    if options[:2] != bytes([ICMPV6, 2]) or options[6:] != bytes([HOME_ADDRESS, 16]) + a.home.packed:
        return f"destination options {options.hex()}"
    if message != echo(ECHO_REPLY, a.home, a.correspondent, time_):
        return f"message {message.hex()}"
    return None


def main():
    a = arguments()
    faults = []
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IPV6)) as back,
        socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW) as out,
    ):
        back.bind(("eth0", ETH_P_IPV6))
        for time_ in range(a.times):
            out.sendto(request(a, time_), (str(a.care_of), 0))  # the kernel finds the neighbour
            end = time.monotonic() + PATIENCE
            answer = "no reply"
            while answer == "no reply" and (left := end - time.monotonic()) > 0:
                back.settimeout(left)
                try:
                    packet = back.recv(2048)[ETHERNET_LEN:]
                except TimeoutError:
                    break
                packet = packet[: IPV6_LEN + struct.unpack_from("!H", packet, 4)[0]]
                if packet[8:24] == a.care_of.packed:
                    answer = fault(a, packet, time_)
            if answer:
                faults.append(f"{time_}: {answer}")
    print("\n".join(faults))
    sys.exit(bool(faults))


main()
