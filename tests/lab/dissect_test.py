#!/usr/bin/python3 -B
"""Does tests/lab/dissect find what is broken? Captures with one fault each, made of the golden messages."""

import pathlib
import struct
import subprocess
import sys
import tempfile

from dissect_rules import IPV6_HEADER_LEN, MOBILITY

HERE = pathlib.Path(__file__).parent
ANCHORD, GATEWAY, CELL, STRANGER = "02000000a001", "02000000a011", "00005e005213", "020000000101"
TIME = 1795219199.5  # of the golden messages' Timestamp option
ETHERTYPE_IPV4, ETHERTYPE_IPV6, SLL2, MICROSECONDS = 0x0800, 0x86DD, 276, 0xA1B2C3D4
LOG = "INFO anchord::control: binding mn_id=mn1@example.org mag=2001:db8:100::2 kind={}\n"
LOG_UNNAMED = "INFO anchord::control: binding mag=2001:db8:100::2 kind=Refused(160)\n"
LINK_LOCAL, PREFIX = "fe800000000000000000000000000001", "20010db8000100000000000000000000"
ALL_ZERO = "00" * 16
ALL_NODES = "ff020000000000000000000000000001"
ICMPV6, TCP, UDP, UDP_PORT = 58, 6, 17, 5436

# Where things are in the golden messages, counted from the Mobility Header.
FLAGS, STATUS, SEQUENCE, LIFETIME, OPTIONS = 6 + 2, 6, 8, 10, 12
PADDING, PREFIX_OPTION, HANDOFF, TIMESTAMP, END = 30, 36, 56, 98, 112


def golden(name):
    text = (HERE / f"../golden/messages/{name}.hex").read_text()
    return bytes.fromhex("".join(text.split()))


def summed(packet, at, upper):
    """The packet with the right checksum at offset `at` of what follows the IPv6 header."""
    head, body = packet[:IPV6_HEADER_LEN], bytearray(packet[IPV6_HEADER_LEN:])
    body[at : at + 2] = b"\0\0"
    data = head[8:] + struct.pack("!II", len(body), upper) + body + bytes(len(body) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    body[at : at + 2] = struct.pack("!H", ~total & 0xFFFF)
    return head + bytes(body)


def with_bytes(packet, at, new, checksum=True):
    """A Mobility Header message with other bytes at an offset."""
    at += IPV6_HEADER_LEN
    changed = packet[:at] + new + packet[at + len(new) :]
    return summed(changed, 4, MOBILITY) if checksum else changed


def ipv6(source, destination, upper, body, at, hop_limit=255):
    head = struct.pack("!IHBB", 6 << 28, len(body), upper, hop_limit)
    return summed(head + bytes.fromhex(source + destination) + body, at, upper)


def advertisement(source=LINK_LOCAL, prefix=PREFIX, hop_limit=255):
    information = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 3600, 1800, 0) + bytes.fromhex(prefix)
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + information
    return ipv6(source, ALL_NODES, ICMPV6, body, 2, hop_limit)


PBU, PBA, RA = golden("pbu-attach"), golden("pba-accepted"), advertisement()
assert PBA[IPV6_HEADER_LEN + PREFIX_OPTION] == 22
ECHO = ipv6(PREFIX, LINK_LOCAL, ICMPV6, struct.pack("!BBHHH", 128, 0, 0, 7, 1) + b"12345678", 2, 64)
DATAGRAM = ipv6(PREFIX, LINK_LOCAL, UDP, struct.pack("!HHHH", 4444, 4444, 16, 0) + b"12345678", 6, 64)
SEGMENT = ipv6(PREFIX, LINK_LOCAL, TCP, struct.pack("!HHIIHHIxx", 44, 44, 1, 1, 0x5010, 9, 0), 16, 64)
# The same with data that make the sum 0, which Linux sends as 0xffff.
MINUS_ZERO = SEGMENT[:56] + b"\xff\xff" + SEGMENT[58:60] + SEGMENT[56:58]


def peers(kind, rest, answer=False):
    """A heartbeat or revocation between the golden messages' addresses."""
    body = struct.pack("!BBBBH", 59, (6 + len(rest)) // 8 - 1, kind, 0, 0) + rest
    head = PBA if answer else PBU
    return summed(head[:4] + struct.pack("!H", len(body)) + head[6:IPV6_HEADER_LEN] + body, 4, MOBILITY)


def by_udp(packet, checksum):
    """A golden message as RFC 5844 4.1.3 carries it, without the UDP checksum, which is optional."""
    message = packet[IPV6_HEADER_LEN:][:4] + checksum + packet[IPV6_HEADER_LEN + 6 :]
    datagram = struct.pack("!HHHH", UDP_PORT, UDP_PORT, 8 + len(message), 0) + message
    addresses = b"\xc0\0\2\1\xc0\0\2\2"
    head = struct.pack("!BBHIBBH", 0x45, 0, 20 + len(datagram), 0, 64, UDP, 0) + addresses
    total = sum(struct.unpack("!10H", head))
    return head[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + head[12:] + datagram


def tunnelled(gateway):
    """A packet for an address of the golden prefix, in a tunnel that ends there."""
    inner = ipv6(ALL_ZERO, PREFIX[:16] + "0000000000000042", UDP, struct.pack("!HHHH", 4444, 4444, 8, 0), 6, 64)
    return struct.pack("!IHBB", 6 << 28, len(inner), 41, 64) + PBA[8:24] + gateway + inner


ANOTHER = PBU[8:23] + b"\x66"
RESTART_COUNTER = bytes.fromhex("01001c0400000007")
HEARTBEAT, ALIVE_UNCOUNTED = (peers(13, struct.pack("!HI", flags, 9) + b"\1\2\0\0", flags) for flags in (0, 1))
ALIVE = peers(13, struct.pack("!HI", 1, 9) + RESTART_COUNTER + b"\1\2\0\0", True)
REVOKED = peers(16, struct.pack("!BBHH", 1, 1, 9, 0x8000) + b"\1\2\0\0", True)
REVOKED_TOO = peers(16, struct.pack("!BBHH", 2, 0, 9, 0x8000) + b"\1\2\0\0")


def answered(packet):
    return [(GATEWAY, PBU), (ANCHORD, packet)]


GONE = [(GATEWAY, with_bytes(PBU, LIFETIME, b"\0\0")), (ANCHORD, with_bytes(PBA, LIFETIME, b"\0\0"))]

# An update without an identifier, made by scapy as its hop limit says, and its refusal.
UNNAMED_PBU = with_bytes(PBU[:7] + b"\x3f" + PBU[8:], OPTIONS, b"\x01\x10" + bytes(16))
UNNAMED = with_bytes(PBA[:46] + b"\xa0" + PBA[47:52] + PBU[52:], OPTIONS, b"\x08\x01\x01\x01\x0d" + bytes(13))

# A node that registers itself: its update from the golden gateway's address with a Home Address option, and the answer by
# way of the home address.
HOME, OTHER_HOME = (bytes.fromhex(f"20010db80001000000000000000000{n:02x}") for n in (7, 8))

PADN = b"\1\2\0\0"


def mobility(kind, rest, source, to):
    """A Mobility Header whose checksum counts these addresses."""
    body = struct.pack("!BBBBH", 59, (6 + len(rest)) // 8 - 1, kind, 0, 0) + rest
    return summed(PBU[:4] + struct.pack("!H", len(body)) + PBU[6:8] + source + to + body, 4, MOBILITY)[40:]


def behind(next_header, header, message, source, to):
    head = struct.pack("!IHBB", 6 << 28, len(header + message), next_header, 64)
    return head + source + to + header + message


CARE_OF, AGENT = PBU[8:24], PBU[24:40]
OPTION, ROUTE = bytes([MOBILITY, 2, 1, 2, 0, 0, 201, 16]), bytes([MOBILITY, 2, 2, 1, 0, 0, 0, 0])
BU = behind(60, OPTION + HOME, mobility(5, struct.pack("!HHH", 9, 0xC000, 15) + PADN, HOME, AGENT), CARE_OF, AGENT)
BOUND = struct.pack("!BBHH", 0, 0, 9, 15) + PADN


def by_way_of(home, summed_over, rest=BOUND):
    return behind(43, ROUTE + home, mobility(6, rest, AGENT, summed_over), AGENT, CARE_OF)


def home_answered(packet):
    return [(STRANGER, BU), (ANCHORD, packet)]


STRAIGHT = behind(MOBILITY, b"", mobility(6, BOUND, AGENT, CARE_OF), AGENT, CARE_OF)
LONGER = struct.pack("!BBHH", 0, 0, 9, 16) + PADN

# Name, frames, what the log says, what the fault is about; "" for none.
CASES = [
    ("good", answered(PBA) + [(CELL, RA), (ANCHORD, ECHO), (ANCHORD, DATAGRAM)], "Created", ""),
    ("unnamed", [(GATEWAY, UNNAMED_PBU), (ANCHORD, UNNAMED)], "", ""),
    ("strangers", [(STRANGER, with_bytes(PBA, 4, b"xx", False))], "Created", ""),
    ("checksum", answered(with_bytes(PBA, 4, b"xx", False)), "Created", "checksum"),
    ("length", answered(with_bytes(PBA, 1, b"\x0c")), "Created", "length"),
    ("cut", answered(with_bytes(PBA, TIMESTAMP + 1, b"\x40")), "Created", "cut"),
    ("malformed", answered(with_bytes(PBA, PREFIX_OPTION + 1, b"\x03")), "Created", "tshark"),
    ("alignment", answered(with_bytes(PBA, PADDING, PBA[76:96] + PBA[70:76])), "Created", "8n+4"),
    ("padding", answered(with_bytes(PBA, PADDING + 3, b"\x01")), "Created", "padding"),
    ("status", answered(with_bytes(PBA, STATUS, b"\x82")), "Created", "log"),
    ("refusal", answered(with_bytes(PBA, STATUS, b"\x82")), "Refused(131)", "log"),
    ("sequence", answered(with_bytes(PBA, SEQUENCE, b"\x77\x77")), "Created", "nobody"),
    ("lifetime", answered(with_bytes(PBA, LIFETIME, b"\x7f\xff")), "Created", "lifetime"),
    ("handoff", answered(with_bytes(PBA, HANDOFF + 3, b"\x05")), "Created", "mip6.hi"),
    ("timestamp", answered(with_bytes(PBA, TIMESTAMP + 2, b"\x01")), "Created", "timestamp"),
    ("prefix", answered(with_bytes(PBA, PREFIX_OPTION + 4, bytes(16))), "Created", "address"),
    ("flag", [(GATEWAY, with_bytes(PBU, 8, b"\x02"))], "Created", "flag"),
    ("heartbeat", [(GATEWAY, HEARTBEAT), (ANCHORD, ALIVE)], "Created", ""),
    ("ipv4", [(GATEWAY, by_udp(PBU, b"\0\0"))], "Created", ""),
    ("two-checksums", [(GATEWAY, by_udp(PBU, b"\1\0"))], "Created", "beside"),
    ("unasked", [(ANCHORD, ALIVE)], "Created", "nobody"),
    ("uncounted", [(GATEWAY, HEARTBEAT), (ANCHORD, ALIVE_UNCOUNTED)], "Created", "mip6.rc"),
    ("revocation", [(ANCHORD, REVOKED), (GATEWAY, REVOKED_TOO)], "Created", ""),
    ("unrevoked", [(GATEWAY, REVOKED_TOO)], "Created", "nobody"),
    ("tunnelled", answered(PBA) + [(ANCHORD, tunnelled(PBU[8:24]))], "Created", ""),
    ("strayed", answered(PBA) + [(ANCHORD, tunnelled(ANOTHER))], "Created", "::66, not to"),
    ("too-late", answered(PBA) + GONE + [(ANCHORD, tunnelled(PBU[8:24]))], "Created", "nobody"),
    ("advertised", answered(PBA) + [(CELL, advertisement(prefix=ALL_NODES))], "Created", "advertisement"),
    ("router", answered(PBA) + [(CELL, advertisement(source=PREFIX))], "Created", "address"),
    ("hop-limit", answered(PBA) + [(CELL, advertisement(hop_limit=64))], "Created", "hop limit"),
    ("icmp", answered(PBA) + [(CELL, RA[:-1] + b"\x01")], "Created", "hecksum"),
    ("echo", answered(PBA) + [(ANCHORD, ECHO[:-1] + b"x")], "Created", "hecksum"),
    ("udp", answered(PBA) + [(ANCHORD, DATAGRAM[:-1] + b"x")], "Created", "hecksum"),
    ("tcp", answered(PBA) + [(ANCHORD, SEGMENT[:-1] + b"x")], "Created", "hecksum"),
    ("home", home_answered(by_way_of(HOME, HOME)), "Home(Registered)", ""),
    ("home-unlogged", home_answered(by_way_of(HOME, HOME)), "Home(Expired)", "log"),
    ("home-checksum", home_answered(by_way_of(HOME, CARE_OF)), "Home(Registered)", "checksum"),
    ("home-other", home_answered(by_way_of(OTHER_HOME, OTHER_HOME)), "Home(Registered)", "by way of"),
    ("home-straight", home_answered(STRAIGHT), "Home(Registered)", "by way of"),
    ("home-longer", home_answered(by_way_of(HOME, HOME, LONGER)), "Home(Registered)", "lifetime 16"),
    ("home-unasked", [(ANCHORD, by_way_of(HOME, HOME))], "Home(Registered)", "nobody"),
    ("minus-zero", answered(PBA) + [(ANCHORD, MINUS_ZERO)], "Created", ""),
]


def ethertype(packet):
    return ETHERTYPE_IPV6 if packet[0] >> 4 == 6 else ETHERTYPE_IPV4


def capture(frames):
    out = struct.pack("<IHHiIII", MICROSECONDS, 2, 4, 0, 0, 65535, SLL2)
    for sender, packet in frames:
        link = struct.pack("!HHIHBB", ethertype(packet), 0, 1, 1, 0, 6) + bytes.fromhex(sender) + b"\0\0"
        size = len(link + packet)
        out += struct.pack("<IIII", int(TIME), int(TIME % 1 * 1e6), size, size) + link + packet
    return out


def main():
    failures = []
    with tempfile.TemporaryDirectory() as made:
        for name, frames, kind, _ in CASES:
            directory = pathlib.Path(made, name)
            directory.mkdir()
            (directory / "wire.pcap").write_bytes(capture(frames))
            (directory / "anchord.log").write_text(LOG.format(kind) if kind else LOG_UNNAMED)
        run = [HERE / "dissect", *sorted(pathlib.Path(made).iterdir())]
        said = subprocess.run(run, stdout=subprocess.PIPE, text=True, check=False).stdout
    for name, _, _, wanted in CASES:
        faults = [line for line in said.splitlines() if line.startswith((f"{name},", f"{name}:"))]
        found = "\n".join(faults)
        if bool(faults) != bool(wanted) or wanted not in found:
            failures.append(f"{name}: '{wanted}' was wanted, found is '{found}'")
    print("\n".join(failures))
    print(f"{len(CASES)} captures, {len(failures)} of them misjudged")
    return 1 if failures else 0


sys.exit(main())
