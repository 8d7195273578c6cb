"""How TRex is asked, and what is made of its answers; a client that plays back."""

import csv
import pathlib
import tempfile
import unittest
from unittest import mock

import report
import tester
from plan import Plan
from search import Answer, Trial

SEEN = {"total_min": 5, "average": 9.5, "total_max": 70, "jitter": 2}
UNSEEN = {"total_min": 0, "average": 0, "total_max": 0, "jitter": 0}
ERRORS = {"dropped": 3, "out_of_order": 1, "dup": 0}


class Clock:
    """Time that passes only where somebody waits."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        """Seconds."""
        return self.now

    def sleep(self, seconds):
        """Waits."""
        self.now += seconds


class Asked(unittest.TestCase):
    """A Tester on a client that does what the test says."""

    def setUp(self):
        self.clock = Clock()
        patched = mock.patch.object(tester, "time", self.clock)
        patched.start()
        self.addCleanup(patched.stop)
        api = mock.Mock()
        self.device = tester.Tester(api, "server")
        self.client = api.STLClient.return_value

    def counters(self, *values):
        """Each is what ports 0 and 1 sent and received; the last one stays."""
        answers = [{p: {"opackets": o, "ipackets": i} for p, (o, i) in enumerate(ports)} for ports in values]
        self.client.get_stats.side_effect = lambda: answers.pop(0) if len(answers) > 1 else answers[0]

    def test_a_trial_compares_what_one_port_sent_with_what_the_other_received(self):
        self.counters([(600, 7), (8, 599)])
        trial = self.device.trial(tester.PORTS["downlink"], 60, 10, {})
        self.assertEqual((trial.sent, trial.received, trial.lost), (600, 599, 1))
        trial = self.device.trial(tester.PORTS["uplink"], 60, 10, {})
        self.assertEqual((trial.sent, trial.received), (8, 7))
        trial = self.device.trial(tester.PORTS["both"], 60, 10, {})
        self.assertEqual((trial.sent, trial.received), (608, 606))

    def test_a_rate_is_shared_by_the_ports_that_send(self):
        self.counters([(0, 0), (0, 0)])
        self.device.trial(tester.PORTS["both"], 1_000_000, 10, {})
        self.client.start.assert_called_once_with(ports=[0, 1], mult="500000pps", duration=10, force=True)

    def test_time_is_the_wall_clock_s_and_late_packets_are_waited_for(self):
        self.client.wait_on_traffic.side_effect = lambda **_: self.clock.sleep(30)
        asked_at = []
        self.client.get_stats.side_effect = lambda: asked_at.append(self.clock.now) or {
            p: {"opackets": 10_000, "ipackets": 10_000} for p in (0, 1)}
        trial = self.device.trial(tester.PORTS["downlink"], 1000, 10, {})
        self.assertEqual((trial.elapsed, trial.verdict), (30, "void"))
        self.assertEqual(asked_at, [tester.REST_SECONDS + 30 + tester.LATE_FRAMES_SECONDS])

    def test_a_burst_is_over_when_nothing_comes_back_any_more(self):
        self.counters([(0, 0), (9, 1)], [(0, 0), (9, 4)], [(0, 2), (9, 4)], [(0, 9), (9, 9)])
        done = self.device.burst(tester.ACCESS, ["stream"], 1)
        self.assertEqual(done, tester.Sweep(sent=9, received=9, answered=9))
        self.client.reset.assert_called_once_with(ports=[0, 1])
        self.client.add_streams.assert_called_once_with(["stream"], ports=[1])
        self.client.start.assert_called_once_with(ports=[1], mult="1", duration=-1, force=True)

    def test_latency_is_left_out_where_no_stamped_packet_was_recognised(self):
        group = {1: {"latency": SEEN, "err_cntrs": ERRORS}, 2: {"latency": UNSEEN, "err_cntrs": ERRORS}}
        self.client.get_pgid_stats.return_value = {"latency": group}
        found = self.device.latency({"downlink": 1, "uplink": 2})
        self.assertEqual(list(found), ["downlink"])
        self.assertEqual([found["downlink"][key] for key in ("min", "average", "max", "dropped")], [5, 9.5, 70, 3])


class Reported(unittest.TestCase):
    """Table and CSV."""

    def row(self):
        """A million packets a second of 64 bytes for 60 s."""
        latency = {"downlink": {"min": 5, "average": 9.5, "max": 70, "jitter": 2, "dropped": 0, "out_of_order": 0}}
        trial = Trial(1e6, 60, 60_000_000, 60_000_000, 60, latency)
        return report.row("downlink", 64, 64, Plan(1000, 16), "random", Answer(trial, "device", 9))

    def test_bit_rates_are_those_of_each_side_of_the_tunnel(self):
        row = self.row()
        self.assertEqual((row["core_mbit_s"], row["access_mbit_s"]), (656.0, 976.0))
        self.assertEqual((row["pps"], row["latency_us"]), (1_000_000, "downlink 5/10/70"))

    def test_no_answer_is_a_line_too(self):
        row = report.row("uplink", 64, 64, Plan(1000, 16), "random", Answer(None, "device", 12))
        self.assertEqual((row["pps"], row["core_mbit_s"], row["bound"]), (0, 0, "device"))

    def test_files_hold_what_the_table_shows(self):
        trials = [report.trial_row("downlink", 64, Trial(1e6, 10, 9, 8, 10))]
        with tempfile.TemporaryDirectory() as directory:
            report.write(pathlib.Path(directory, "new"), [self.row()], trials)
            with open(pathlib.Path(directory, "new/throughput.csv"), encoding="utf-8", newline="") as file:
                (line,) = csv.DictReader(file)
            with open(pathlib.Path(directory, "new/trials.csv"), encoding="utf-8", newline="") as file:
                (trial,) = csv.DictReader(file)
        self.assertEqual(line, {key: str(value) for key, value in self.row().items()})
        self.assertEqual((trial["lost"], trial["verdict"]), ("1", "void"))
        self.assertIn("1000000", report.table([self.row()]))
