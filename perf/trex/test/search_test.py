"""The search finds what a device can do, and never more; simulated devices."""

import random
import unittest

from search import TRIALS_MAX, Goal, Trial, throughput

GOAL = Goal(highest=20e6, resolution=0.005, search_seconds=10, final_seconds=60)


class Device:
    """Loses what is above a rate, as `loss` says; notes every trial."""

    def __init__(self, loss, tester_limit=float("inf")):
        self.loss, self.tester_limit, self.trials = loss, tester_limit, []

    def __call__(self, rate, seconds):
        elapsed = seconds * max(1, rate / self.tester_limit)
        sent = round(rate * seconds)
        trial = Trial(rate, seconds, sent, sent - self.loss(rate, sent), elapsed)
        self.trials.append(trial)
        return trial


def above(limit):
    """All packets above a rate are lost, none below."""
    return lambda rate, sent: 0 if rate <= limit else round(sent * (1 - limit / rate))


class Search(unittest.TestCase):
    """RFC 2544 26.1."""

    def test_answer_is_within_the_resolution_below_what_the_device_can_do(self):
        for limit in (25e3, 1_234_567, 9_999_999.5, 13e6, 19_999_999):
            device = Device(above(limit))
            answer = throughput(device, GOAL)
            self.assertLessEqual(answer.trial.rate, limit)
            self.assertGreater(answer.trial.rate, limit * (1 - 2 * GOAL.resolution))
            self.assertEqual((answer.bound, answer.trials), ("device", len(device.trials)))

    def test_answer_is_a_trial_of_full_length_without_loss(self):
        device = Device(above(5e6))
        answer = throughput(device, GOAL)
        self.assertEqual((answer.trial.seconds, answer.trial.lost), (60, 0))
        self.assertIs(answer.trial, device.trials[-1])
        self.assertEqual({trial.seconds for trial in device.trials[:-1]}, {10})

    def test_trials_are_not_repeated_where_all_have_full_length(self):
        device = Device(above(5e6))
        throughput(device, Goal(20e6, 0.005, 60, 60))
        rates = [trial.rate for trial in device.trials]
        self.assertEqual(len(rates), len(set(rates)))

    def test_one_packet_lost_is_a_loss(self):
        device = Device(lambda rate, sent: 1 if rate > 3e6 else 0)
        self.assertLessEqual(throughput(device, GOAL).trial.rate, 3e6)

    def test_rate_that_passes_only_short_trials_is_not_the_answer(self):
        # A queue that takes 15 s to fill: above 4 million packets a second only long trials lose.
        device = Device(above(8e6))
        short = device.loss
        device.loss = lambda rate, sent: max(short(rate, sent), int(rate > 4e6 and sent > 15 * rate))
        answer = throughput(device, GOAL)
        self.assertLessEqual(answer.trial.rate, 4e6)
        self.assertGreater(answer.trial.rate, 3.9e6)

    def test_noisy_device_gets_only_a_rate_that_it_has_confirmed(self):
        for seed in range(50):
            noise = random.Random(seed)
            # Ever more likely to lose from 6 to 10 million packets a second.
            device = Device(lambda rate, sent: int(noise.uniform(6e6, 10e6) < rate))
            answer = throughput(device, GOAL)
            self.assertTrue(6e6 * 0.99 < answer.trial.rate < 10e6)
            self.assertTrue(answer.trial.passed and answer.trial.seconds == 60)
            failed = [trial.rate for trial in device.trials if not trial.passed]
            self.assertLess(answer.trial.rate, min(failed))

    def test_device_that_passes_everything_is_bound_by_the_highest_rate(self):
        answer = throughput(Device(above(1e9)), GOAL)
        self.assertEqual((answer.trial.rate, answer.bound, answer.trials), (GOAL.highest, "highest", 2))

    def test_device_that_forwards_nothing_gets_no_answer(self):
        answer = throughput(Device(lambda rate, sent: sent), GOAL)
        self.assertEqual((answer.trial, answer.bound), (None, "device"))
        self.assertLess(answer.trials, 15)

    def test_device_without_a_steady_rate_ends_the_search(self):
        passes = iter([False] + [True, False] * TRIALS_MAX)
        device = Device(lambda rate, sent: 0 if next(passes) else 1)
        self.assertLessEqual(throughput(device, GOAL).trials, TRIALS_MAX)

    def test_tester_that_cannot_offer_the_rate_is_what_bounds_the_answer(self):
        answer = throughput(Device(above(1e9), tester_limit=2e6), GOAL)
        self.assertEqual(answer.bound, "tester")
        self.assertLess(answer.trial.rate, 2e6 / Trial.OFFERED_MIN)


class Verdict(unittest.TestCase):
    """What a trial says."""

    def test_slow_tester_is_no_loss_of_the_device(self):
        # TRex runs late: all packets were sent and came back, in three times the time.
        self.assertEqual(Trial(1000, 10, 10_000, 10_000, 30).verdict, "void")
        self.assertEqual(Trial(1000, 10, 9_899, 9_899, 10).verdict, "void")
        self.assertEqual(Trial(1000, 10, 9_900, 9_900, 10).verdict, "pass")

    def test_more_packets_than_were_sent_make_a_trial_void(self):
        self.assertEqual(Trial(1000, 10, 10_000, 10_001, 10).verdict, "void")

    def test_lost_packets_are_counted(self):
        trial = Trial(1000, 10, 10_000, 9_999, 10)
        self.assertEqual((trial.verdict, trial.lost, trial.offered), ("loss", 1, 1000))
