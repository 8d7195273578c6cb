"""Throughput by RFC 2544 26.1: the highest rate at which a trial loses nothing.

A binary search finds the rate, with trials that may be short (RFC 2544 24). The rate is the answer
only when a trial of full length at it passes too; if that fails, the search goes on below it with
trials of full length alone.

Pure: `run` does the trials.
"""

import dataclasses

TRIALS_MAX = 60  # of one search; it ends that of a device without any steady rate
RANGE = 1000  # the lowest rate that is tried is this part of the highest


@dataclasses.dataclass(frozen=True)
class Trial:
    """What a trial found. `rate` is what it was to offer in packets a second, both ports together;
    `seconds` how long, and `elapsed` how long it took."""

    rate: float
    seconds: float
    sent: int
    received: int
    elapsed: float
    latency: dict = dataclasses.field(default_factory=dict)  # by direction, see tester.py

    OFFERED_MIN = 0.99  # of the rate; a tester that sends less says nothing of the device

    @property
    def lost(self):
        """Packets."""
        return self.sent - self.received

    @property
    def offered(self):
        """Packets a second that were really sent."""
        return self.sent / max(self.elapsed, self.seconds)

    @property
    def is_void(self):
        """The tester was too slow (it runs late rather than drop), or somebody else sends too."""
        return self.offered < self.OFFERED_MIN * self.rate or self.lost < 0

    @property
    def passed(self):
        """RFC 2544 26.1: as many packets came back as were sent."""
        return not self.is_void and self.lost == 0

    @property
    def verdict(self):
        """In a word."""
        return "void" if self.is_void else "pass" if self.passed else "loss"


@dataclasses.dataclass(frozen=True)
class Goal:
    """Rates are packets a second, times are seconds."""

    highest: float
    resolution: float  # the part of the answer by which it may be too low
    search_seconds: float
    final_seconds: float

    @property
    def lowest(self):
        """The lowest rate that is tried."""
        return self.highest / RANGE


@dataclasses.dataclass(frozen=True)
class Answer:
    """`trial` is the one of full length that passed; None if no rate did. `bound` says what kept the
    search from going higher: the "device", the "tester", or the "highest" rate that was allowed."""

    trial: Trial | None
    bound: str
    trials: int


def throughput(run, goal):
    """Searches; `run(rate, seconds)` returns a Trial."""
    seconds = goal.search_seconds
    passed, failed = [], None  # trials that passed, ascending, all below the one that did not
    for trials in range(TRIALS_MAX):
        best = passed[-1] if passed else None
        is_found = best and is_close(best, failed, goal)
        if is_found and best.seconds >= goal.final_seconds:
            return Answer(best, bound(failed), trials)
        if failed and failed.rate <= goal.lowest:
            return Answer(None, bound(failed), trials)
        if is_found:
            trial = run(best.rate, goal.final_seconds)
        elif failed is None:
            trial = run(goal.highest, seconds)
        else:
            trial = run(max((failed.rate + (best.rate if best else 0)) / 2, goal.lowest), seconds)
        passed = [t for t in passed if t.rate < trial.rate]
        if trial.passed:
            passed.append(trial)
            continue
        failed = trial
        if trial.seconds >= goal.final_seconds:
            # Short trials have said too much, if there were any: none counts from here on.
            seconds = goal.final_seconds
            passed = [t for t in passed if t.seconds >= seconds]
    return Answer(None, bound(failed), TRIALS_MAX)


def is_close(best, failed, goal):
    """Whether the best rate is as near to the answer as is wanted."""
    return failed is None or failed.rate - best.rate <= goal.resolution * failed.rate


def bound(failed):
    """Who ended the search upwards."""
    if failed is None:
        return "highest"
    return "tester" if failed.is_void else "device"
