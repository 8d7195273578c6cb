#!/usr/bin/python3
"""Moves bytes over one TCP connection, both ways, and compares what came with what was sent.

    transfer.py serve ADDRESS PORT            answers one connection: sends back what it gets
    transfer.py send ADDRESS PORT FROM BYTES  prints {"sent": n, "received": n, "same": bool, "seconds": s}
"""

import json
import random
import socket
import sys
import threading
import time


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def serve(address, port):
    with socket.socket(family(address), socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(8)
        while True:
            peer, _ = listener.accept()
            with peer:
                whole = b"".join(iter(lambda: peer.recv(1 << 16), b""))
                peer.sendall(whole)


def send(address, port, source, count):
    data = random.Random(5213).randbytes(count)
    begin = time.monotonic()
    with socket.socket(family(address), socket.SOCK_STREAM) as peer:
        peer.settimeout(30)
        peer.bind((source, 0))
        peer.connect((address, port))

        def push():
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)

        pushing = threading.Thread(target=push)
        pushing.start()
        back = b"".join(iter(lambda: peer.recv(1 << 16), b""))
        pushing.join()
    seconds = round(time.monotonic() - begin, 3)
    print(json.dumps({"sent": count, "received": len(back), "same": back == data, "seconds": seconds}))


if sys.argv[1] == "serve":
    serve(sys.argv[2], int(sys.argv[3]))
else:
    send(sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
