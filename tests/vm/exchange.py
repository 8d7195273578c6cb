"""Sends a message of Mobile IPv6 from this machine's own sockets and prints the answer: runs in the guest,
with no module but these. Messages are in hexadecimal.

    exchange.py mh|home-test|icmp|udp SOURCE DESTINATION MESSAGE
    exchange.py correspondent ADDRESS TOKEN

mh, home-test: next header 135, whose checksum the kernel fills in and verifies; answered by a Binding Acknowledgement,
or by a Home Test. icmp: answered by a Mobile Prefix Advertisement. udp: RFC 5844 4.1.3, by IPv4.
correspondent: answers Home Test Inits (RFC 6275 9.4.1), and prints from where they came.
"""

import socket
import sys

UDP_PORT = 5436
NEXT_HEADER = 135
HOME_TEST_INIT, HOME_TEST, ACKNOWLEDGEMENT = 1, 3, 6
PREFIX_ADVERTISEMENT = 147
# Next header, where the type of a message stands, and the answer's.
IPV6 = {
    "mh": (NEXT_HEADER, 2, ACKNOWLEDGEMENT),
    "home-test": (NEXT_HEADER, 2, HOME_TEST),
    "icmp": (socket.IPPROTO_ICMPV6, 0, PREFIX_ADVERTISEMENT),
}


def correspond(address, token):
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, NEXT_HEADER) as s:
        s.bind((address, 0))
        while True:
            message, (source, *_) = s.recvfrom(2048)
            if message[2] == HOME_TEST_INIT:
                print(source, flush=True)
                cookie = message[8:16]
                s.sendto(bytes([59, 2, HOME_TEST, 0, 0, 0, 0, 7]) + cookie + bytes.fromhex(token), (source, 0))


def main():
    if sys.argv[1] == "correspondent":
        correspond(*sys.argv[2:])
    how, source, destination, message = sys.argv[1:]
    at, wanted = 2, ACKNOWLEDGEMENT
    if how == "udp":
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        port = UDP_PORT
    else:
        next_header, at, wanted = IPV6[how]
        s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, next_header)
        port = 0
    s.bind((source, port))
    s.connect((destination, port))
    s.settimeout(5)
    s.send(bytes.fromhex(message))
    while True:
        answer = s.recv(2048)
        if answer[at] == wanted:  # the anchor asks for heartbeats too
            print(answer.hex())
            return


main()
