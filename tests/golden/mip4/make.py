#!/usr/bin/python3
"""Builds the golden messages of Mobile IPv4 beside this file with scapy; ../README.md says how and why.

scapy has the requests and replies of RFC 5944 and does lengths and checksums; the extensions and the
messages of RFC 3543 are declared here, from the RFCs, and Python's hmac signs. Each exchange is what a
node or foreign agent says, NAME-request, and what the home agent has to answer, NAME-reply.
"""

import hmac
import pathlib

from scapy.all import IP, UDP, ByteField, IP6Field, IntField, IPField, Packet, ShortField, StrField, raw
from scapy.layers.mobileip import MobileIP, MobileIPRRP, MobileIPRRQ

HERE = pathlib.Path(__file__).parent
AGENT, HOME, CARE_OF = "192.0.2.1", "10.1.0.5", "198.51.100.7"
NAT, FOREIGN = "203.0.113.9", "198.51.100.254"
NODE_KEY, AGENT_KEY = bytes([0x5A] * 16), bytes([0xA5] * 16)
# 2026-11-21 00:00:00 UTC in NTP's seconds.
NOW = 1_795_219_200 + 2_208_988_800


class Prefix(Packet):
    """RFC 5454 section 2.1."""

    fields_desc = [ByteField("type", 152), ByteField("length", 18), ByteField("subtype", 1),
                   ByteField("plen", 64), IP6Field("prefix", "::")]


class PrefixReply(Packet):
    """RFC 5454 section 2.2."""

    fields_desc = [ByteField("type", 152), ByteField("length", 20), ByteField("subtype", 2),
                   ByteField("code", 0), ByteField("plen", 64), ByteField("reserved", 0),
                   IP6Field("prefix", "::")]


class TunnelingMode(Packet):
    """RFC 5454 section 2.3."""

    fields_desc = [ByteField("type", 152), ByteField("length", 2), ByteField("subtype", 3),
                   ByteField("reserved", 0)]


class UdpTunnelRequest(Packet):
    """RFC 3519 section 3.1."""

    fields_desc = [ByteField("type", 144), ByteField("length", 6), ByteField("subtype", 0),
                   ByteField("reserved1", 0), ByteField("flags", 0), ByteField("encapsulation", 0),
                   ShortField("reserved3", 0)]


class UdpTunnelReply(Packet):
    """RFC 3519 section 3.2."""

    fields_desc = [ByteField("type", 44), ByteField("length", 6), ByteField("subtype", 0),
                   ByteField("code", 0), ShortField("flags", 0), ShortField("keepalive", 110)]


class Nai(Packet):
    """RFC 2794 section 2."""

    fields_desc = [ByteField("type", 131), ByteField("length", 15), StrField("nai", b"mn1@example.org")]


class RevocationSupport(Packet):
    """RFC 3543 section 3.2."""

    fields_desc = [ByteField("type", 137), ByteField("length", 6), ShortField("flags", 0x8000),
                   IntField("timestamp", 1000)]


class Revocation(Packet):
    """RFC 3543 section 3.3."""

    fields_desc = [ByteField("type", 7), ByteField("reserved", 0), ShortField("flags", 0),
                   IPField("home", HOME), IPField("home_domain", AGENT),
                   IPField("foreign_domain", FOREIGN), IntField("identifier", 0)]


class RevocationAck(Packet):
    """RFC 3543 section 3.4."""

    fields_desc = [ByteField("type", 15), ByteField("reserved", 0), ShortField("flags", 0),
                   IPField("home", HOME), IntField("identifier", 0)]


def joined(*parts):
    return b"".join(raw(part) for part in parts)


def signed(payload, kind=32, spi=256, key=NODE_KEY, digest="md5"):
    """RFC 5944 section 3.5.1: over all before, and the extension's type, length and SPI."""
    length = 4 + hmac.new(key, b"", digest).digest_size
    payload += bytes([kind, length]) + spi.to_bytes(4, "big")
    return payload + hmac.new(key, payload, digest).digest()


def by_agent(payload):
    return signed(payload, 34, 300, AGENT_KEY)


def rrq(number, flags=0x20, lifetime=600, care_of=CARE_OF, home=HOME, seconds=NOW):
    fields = {"flags": flags, "lifetime": lifetime, "homeaddr": home, "haaddr": AGENT}
    return MobileIP() / MobileIPRRQ(coaddr=care_of, id=(seconds << 32) + number, **fields)


def rrp(number, code=1, lifetime=600, home=HOME, seconds=NOW):
    fields = {"code": code, "lifetime": lifetime, "homeaddr": home, "haaddr": AGENT}
    return MobileIP() / MobileIPRRP(id=(seconds << 32) + number, **fields)


def to_agent(payload, src=CARE_OF, port=5000):
    return IP(src=src, dst=AGENT, tos=0) / UDP(sport=port, dport=434) / payload


def answer(payload, dst=CARE_OF, port=5000):
    header = IP(src=AGENT, dst=dst, tos=0xC0, id=0, flags="DF", ttl=64)
    return header / UDP(sport=434, dport=port) / payload


FIRST = {"prefix": "2001:db8:1::"}
FOREIGN_PREFIX = {"prefix": "2001:db8:9::"}
SHA = {"spi": 257, "digest": "sha256"}
MESSAGES = {
    "plain-request": to_agent(signed(joined(rrq(1)))),
    "plain-reply": answer(signed(joined(rrp(1)))),
    "sha256-request": to_agent(signed(joined(rrq(2)), **SHA)),
    "sha256-reply": answer(signed(joined(rrp(2)), **SHA)),
    "late-request": to_agent(signed(joined(rrq(3, seconds=NOW - 100)))),
    "late-reply": answer(signed(joined(rrp(3, code=133, lifetime=0)))),
    "nai-request": to_agent(signed(joined(rrq(4), Nai()))),
    "nai-reply": answer(signed(joined(rrp(4), Nai()))),
    "dual-request": to_agent(signed(joined(
        rrq(5), Prefix(**FIRST), Prefix(**FOREIGN_PREFIX), TunnelingMode()))),
    "dual-reply": answer(signed(joined(
        rrp(5), PrefixReply(code=1, **FIRST), PrefixReply(code=9, **FOREIGN_PREFIX)))),
    "nat-request": to_agent(signed(joined(rrq(6), UdpTunnelRequest())), src=NAT, port=6000),
    "nat-reply": answer(signed(joined(rrp(6), UdpTunnelReply())), dst=NAT, port=6000),
    "agent-request": to_agent(by_agent(joined(
        signed(joined(rrq(7, flags=0, care_of=FOREIGN))), RevocationSupport())), src=FOREIGN, port=434),
    "agent-reply": answer(by_agent(joined(
        signed(joined(rrp(7))), RevocationSupport(timestamp=NOW))), dst=FOREIGN, port=434),
    "revoked-request": to_agent(
        by_agent(joined(Revocation(flags=0x4000, identifier=1001))), src=FOREIGN, port=434),
    "revoked-reply": answer(
        by_agent(joined(RevocationAck(flags=0x8000, identifier=1001))), dst=FOREIGN, port=434),
    "end-request": to_agent(signed(joined(rrq(8, lifetime=0, care_of=HOME))), src=HOME),
    "end-reply": answer(signed(joined(rrp(8, lifetime=0))), dst=HOME),
}

if __name__ == "__main__":
    for name, message in MESSAGES.items():
        octets = raw(message)
        lines = [octets[at:at + 16].hex(" ") for at in range(0, len(octets), 16)]
        (HERE / f"{name}.hex").write_text("\n".join(lines) + "\n")
