"""TRex as the tester: port 0 is cabled to the anchor's core port, port 1 to its access port."""

import dataclasses
import time

from search import Trial

CORE, ACCESS = 0, 1
LATE_FRAMES_SECONDS = 2  # RFC 2544 23 (d): wait for what is under way
REST_SECONDS = 5  # RFC 2544 23 (e): before the next trial
POLL_SECONDS = 0.5
SLOWDOWN_MAX = 20  # a tester that takes longer than that many times a trial is broken
START_SECONDS = 60
UNTIL_DONE = -1  # TRex's duration of streams that end by themselves
PORTS = {"downlink": (CORE,), "uplink": (ACCESS,), "both": (CORE, ACCESS)}  # that send


@dataclasses.dataclass(frozen=True)
class Sweep:
    """What came of a burst."""

    sent: int
    received: int  # at the other port
    answered: int  # at the port that sent


class Tester:
    """A connection to TRex's server. Its ports are ours alone while it lasts."""

    def __init__(self, api, server):
        self.client = api.STLClient(server=server)

    def __enter__(self):
        self.client.connect()
        return self

    def __exit__(self, *_):
        self.client.disconnect()

    def load(self, streams):
        """Takes the streams of each port, {port: [stream]}, in place of all that there were."""
        self.client.reset(ports=[CORE, ACCESS])
        for port, of_port in streams.items():
            self.client.add_streams(of_port, ports=[port])

    def trial(self, ports, rate, seconds, groups):
        """One trial at `rate` packets a second over all `ports`. `groups` are the latency streams'
        numbers by direction."""
        time.sleep(REST_SECONDS)
        self.client.clear_stats()
        elapsed = self.send(ports, seconds, mult=f"{rate / len(ports):.0f}pps", duration=seconds)
        time.sleep(LATE_FRAMES_SECONDS)
        stats = self.client.get_stats()
        sent = sum(stats[port]["opackets"] for port in ports)
        received = sum(stats[other(port)]["ipackets"] for port in ports)
        return Trial(rate, seconds, sent, received, elapsed, self.latency(groups))

    def burst(self, port, streams, seconds):
        """Sends bursts that take so many seconds, and waits until nothing comes back any more."""
        self.load({port: streams})
        # A duration could cut off the end of the burst.
        self.send((port,), seconds, mult="1", duration=UNTIL_DONE)
        done, quiet_since = None, time.monotonic()
        while time.monotonic() - quiet_since < LATE_FRAMES_SECONDS:
            time.sleep(POLL_SECONDS)
            stats = self.client.get_stats()
            now = Sweep(stats[port]["opackets"], stats[other(port)]["ipackets"], stats[port]["ipackets"])
            if now != done:
                done, quiet_since = now, time.monotonic()
        return done

    def send(self, ports, seconds, **how):
        """Starts the ports for some seconds and returns how many it took. Wall time: a tester that
        cannot keep up takes longer, and its counters do not tell."""
        started = time.monotonic()
        self.client.start(ports=list(ports), force=True, **how)
        limit = SLOWDOWN_MAX * seconds + START_SECONDS
        self.client.wait_on_traffic(ports=list(ports), timeout=limit, rx_delay_ms=0)
        return time.monotonic() - started

    def latency(self, groups):
        """Microseconds by direction: min, average, max, jitter; and what the stream lost or saw out
        of order. Directions whose stamped packets were not recognised are left out (README.md)."""
        if not groups:
            return {}
        found = self.client.get_pgid_stats()["latency"]
        return {
            direction: {
                "min": found[group]["latency"]["total_min"],
                "average": found[group]["latency"]["average"],
                "max": found[group]["latency"]["total_max"],
                "jitter": found[group]["latency"]["jitter"],
                "dropped": found[group]["err_cntrs"]["dropped"],
                "out_of_order": found[group]["err_cntrs"]["out_of_order"],
            }
            for direction, group in groups.items()
            if group in found and found[group]["latency"]["total_max"] > 0
        }


def other(port):
    """Where the packets of a port come out."""
    return ACCESS if port == CORE else CORE
