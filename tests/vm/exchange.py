"""Sends a Mobility Header from this machine's own sockets and prints the answer: runs in the guest,
with no module but these. Messages are in hexadecimal.

    exchange.py mh|udp SOURCE DESTINATION MESSAGE

mh: next header 135, whose checksum the kernel fills in and verifies. udp: RFC 5844 4.1.3, by IPv4.
"""

import socket
import sys

UDP_PORT = 5436
NEXT_HEADER = 135
ACKNOWLEDGEMENT = 6


def main():
    how, source, destination, message = sys.argv[1:]
    if how == "udp":
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        port = UDP_PORT
    else:
        s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, NEXT_HEADER)
        port = 0
    s.bind((source, port))
    s.connect((destination, port))
    s.settimeout(5)
    s.send(bytes.fromhex(message))
    while True:
        answer = s.recv(2048)
        if answer[2] == ACKNOWLEDGEMENT:  # the anchor asks for heartbeats too
            print(answer.hex())
            return


main()
