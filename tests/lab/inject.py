#!/usr/bin/python3
"""Sends what no honest peer would: a Mobility Header in anybody's name, or frames of a capture again.

    inject.py message SOURCE DESTINATION MESSAGE    in hexadecimal, its checksum filled in; by this kernel's routes
    inject.py frames INTERFACE FILE.pcap            each as it is, by this interface
"""

import socket
import struct
import sys

FILE_HEADER_LEN, RECORD_HEADER_LEN = 24, 16
NH_MOBILITY, HOP_LIMIT = 135, 63  # as tests/lab/pbu.py


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


def send_message(source, destination, message):
    message = bytes.fromhex(message)
    header = struct.pack("!IHBB", 6 << 28, len(message), NH_MOBILITY, HOP_LIMIT)
    ends = b"".join(socket.inet_pton(socket.AF_INET6, a) for a in (source, destination))
    pseudo = ends + struct.pack("!II", len(message), NH_MOBILITY)
    front, back = message[:4], message[6:]
    message = front + checksum(pseudo + front + back) + back
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
        s.sendto(header + ends + message, (destination, 0))


def send_frames(interface, file):
    with open(file, "rb") as f:
        capture = f.read()
    at = FILE_HEADER_LEN
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind((interface, 0))
        while at < len(capture):
            (length,) = struct.unpack_from("=I", capture, at + 8)
            at += RECORD_HEADER_LEN
            s.send(capture[at : at + length])
            at += length


{"message": send_message, "frames": send_frames}[sys.argv[1]](*sys.argv[2:])
