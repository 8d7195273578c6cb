"""A TRex server and its client in one, for tests: sends a stream's frames through packet sockets.

    STLClient(server="t-core=02:00:00:00:00:01,t-access=02:00:00:00:00:02")

are the interfaces of port 0 and port 1, each with the MAC address that its frames go to.

It keeps TRex's promises, not its speed: rates up to some ten thousand packets a second, wall time, and
counters by port that count every frame that is on the wire.
"""

import itertools
import socket
import struct
import threading
import time

import engine

ETH_P_ALL, SOL_PACKET, PACKET_STATISTICS, SO_RCVBUFFORCE = 3, 263, 6, 33  # of Linux
PACKET_OUTGOING = 4
RECEIVE_BUFFER = 64 << 20  # bytes: a whole sweep
LATENCY_NONE = {"average": 0, "total_min": 0, "total_max": 0, "jitter": 0}


class Port:
    """One interface: counts what comes, sends what it is told."""

    def __init__(self, interface, peer):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        self.socket.bind((interface, ETH_P_ALL))
        self.head = bytes.fromhex(peer.replace(":", "")) + self.socket.getsockname()[4]
        self.streams, self.sent, self.received, self.lost = [], 0, 0, 0
        threading.Thread(target=self.count, daemon=True).start()

    def count(self):
        """Runs for ever beside the others."""
        frame = bytearray(64)
        while True:
            _, sender = self.socket.recvfrom_into(frame)
            if sender[2] != PACKET_OUTGOING:
                self.received += 1

    def send(self, stream, rate, total):
        """`total` frames, or as many as a trial has; `rate` a second."""
        started = time.monotonic()
        for number, frame in enumerate(itertools.islice(engine.frames(stream), total)):
            ahead = number / rate - (time.monotonic() - started)
            if ahead > 0.001:
                time.sleep(ahead)
            self.socket.send(self.head + frame[len(self.head) :])
            self.sent += 1

    def overran(self):
        """Frames that the socket had no room for: the stand-in's fault, not the anchor's."""
        _, drops = struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self.lost += drops
        return self.lost


class STLClient:
    """What our driver calls of TRex's client."""

    def __init__(self, server):
        self.server, self.ports, self.running = server, [], []

    def connect(self):
        """Opens both interfaces."""
        self.ports = [Port(*port.split("=")) for port in self.server.split(",")]

    def disconnect(self):
        """Nothing is left running."""
        self.wait_on_traffic(ports=[0, 1], timeout=60, rx_delay_ms=0)

    def reset(self, ports):
        """No streams, counters at zero."""
        for port in ports:
            self.ports[port].streams = []
        self.clear_stats()

    def add_streams(self, streams, ports):
        """Kept until the next reset."""
        for port in ports:
            self.ports[port].streams += [stream.to_json() for stream in streams]

    def clear_stats(self):
        """Counters at zero."""
        for port in self.ports:
            port.sent = port.received = 0

    def start(self, ports, mult, duration, force):
        """`mult` is "1" for bursts, else packets a second of all streams of a port: "1000pps"."""
        assert force and not self.running
        for port in ports:
            rates = [stream["mode"]["rate"]["value"] for stream in self.ports[port].streams]
            fixed = [stream["flow_stats"]["enabled"] for stream in self.ports[port].streams]
            scale = factor(mult, rates, fixed)
            for stream, rate, is_fixed in zip(self.ports[port].streams, rates, fixed):
                rate = rate if is_fixed else rate * scale
                total = stream["mode"].get("total_pkts") or round(rate * duration)
                sender = threading.Thread(target=self.ports[port].send, args=(stream, rate, total))
                sender.start()
                self.running.append(sender)

    def wait_on_traffic(self, ports, timeout, rx_delay_ms):
        """Until every stream has ended."""
        assert ports and rx_delay_ms == 0
        for sender in self.running:
            sender.join(timeout)
            assert not sender.is_alive(), f"it did not end in {timeout} s"
        self.running = []

    def get_stats(self):
        """By port."""
        for port in self.ports:
            assert port.overran() == 0, "the stand-in is too slow for this rate"
        return {i: {"opackets": port.sent, "ipackets": port.received} for i, port in enumerate(self.ports)}

    def get_pgid_stats(self):
        """The stand-in stamps no packets: groups without a packet, as TRex shows them."""
        groups = [s["flow_stats"]["stream_id"] for p in self.ports for s in p.streams if s["flow_stats"]["enabled"]]
        nothing = {"latency": LATENCY_NONE, "err_cntrs": {"dropped": 0, "out_of_order": 0, "dup": 0}}
        return {"latency": {group: nothing for group in groups}}


def factor(mult, rates, fixed):
    """What the rates are multiplied by; those of latency streams stay as they are."""
    if mult == "1":
        return 1
    kept = sum(rate for rate, is_fixed in zip(rates, fixed) if is_fixed)
    return (float(mult.removesuffix("pps")) - kept) / (sum(rates) - kept)
