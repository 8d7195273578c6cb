"""The profiles make the packets that they should, for every node."""

import importlib
import io
import ipaddress
import itertools
import unittest
from contextlib import redirect_stderr

import engine
import parsed
import plan as addresses
import registration
import traffic
from plan import Plan

MANY = 20_011  # nodes; no multiple of the number of gateways
FEW = 1_000
CARRIED = [("ipv6", False), ("ipv4", False), ("ipv6", True), ("ipv4", True)]
MN_ID, HNP, HANDOFF, ACCESS_TECH, MN_LL_ID, GRE_KEY, IPV4_HOA = 8, 22, 23, 24, 25, 33, 36


def some(streams, count):
    """The first frames of the only stream."""
    (stream,) = streams
    return itertools.islice(engine.frames(stream.to_json()), count)


def last_node(streams):
    """The frame of the last node, and the one that follows it."""
    (stream,) = (stream.to_json() for stream in streams)
    for variable in stream["vm"]["instructions"]:
        if variable["type"] == "flow_var":
            end = "max_value" if variable["op"] == "inc" else "min_value"
            variable["init_value"] = variable[end]
    return list(itertools.islice(engine.frames(stream), 2))


class UserPackets(unittest.TestCase):
    """Downlink and uplink."""

    def check(self, plan, direction, frame, n, size):
        """The frame is node n's packet of this direction."""
        outer = parsed.frame(frame)
        if direction == "downlink":
            inner, ends = outer, (plan.correspondent, plan.node(n))
        else:
            inner, key = parsed.tunnelled(outer)
            ends = (plan.node(n), plan.correspondent)
            self.assertEqual(outer.ends(), (plan.mag(n), addresses.LMA))
            self.assertEqual(key, addresses.FIRST_UPLINK_KEY + n if plan.gre else None)
        self.assertEqual(inner.ends(), ends)
        self.assertTrue(parsed.is_datagram(inner))
        self.assertEqual(len(frame), 14 + size + (0 if direction == "downlink" else plan.overhead))

    def test_every_node_gets_a_packet_in_order_and_then_the_first_again(self):
        for direction in traffic.DIRECTIONS:
            plan = Plan(bindings=MANY)
            frames = some(traffic.load(plan, direction, 64, "inc"), MANY + 2)
            for i, frame in enumerate(frames):
                self.check(plan, direction, frame, i % MANY, 64)

    def test_every_encapsulation_is_right_for_every_node(self):
        for (inner, gre), direction in itertools.product(CARRIED, traffic.DIRECTIONS):
            plan = Plan(FEW, 64, inner, gre)
            for n, frame in enumerate(some(traffic.sweep(plan, direction, 1), FEW)):
                self.check(plan, direction, frame, n, traffic.SWEEP_SIZE)

    def test_random_order_reaches_all_nodes_and_no_other(self):
        for (inner, gre), direction in itertools.product(CARRIED, traffic.DIRECTIONS):
            plan = Plan(64, 16, inner, gre)
            numbers = {plan.node(n): n for n in range(64)}
            seen = set()
            for frame in some(traffic.load(plan, direction, 64, "random"), 64 * 20):
                outer = parsed.frame(frame)
                node = outer.destination if direction == "downlink" else parsed.tunnelled(outer)[0].source
                self.check(plan, direction, frame, numbers[node], 64)
                seen.add(node)
            self.assertEqual(len(seen), 64)

    def test_sizes_are_those_of_the_inner_packet_and_fit_the_tunnel(self):
        plan = Plan(FEW)
        for direction, size in itertools.product(traffic.DIRECTIONS, (64, 128, 1280, 1460, 9000)):
            for n, frame in enumerate(some(traffic.load(plan, direction, size, "inc"), 3)):
                self.check(plan, direction, frame, n, size)

    def test_imix_is_seven_to_four_to_one_and_needs_no_fragments(self):
        for inner, gre in CARRIED:
            plan = Plan(FEW, 64, inner, gre)
            streams = [stream.to_json() for stream in traffic.load(plan, "uplink", "imix", "inc")]
            self.assertEqual([stream["mode"]["rate"]["value"] for stream in streams], [7, 4, 1])
            sizes = [len(next(engine.frames(stream))) - 14 for stream in streams]
            self.assertEqual(sizes, [size + plan.overhead for size in (64, 576, 1400)])
            self.assertLessEqual(max(sizes), 1500)

    def test_latency_stream_leaves_room_for_the_stamp_and_has_a_group_of_its_own(self):
        groups = set()
        for direction in traffic.DIRECTIONS:
            _, stream = traffic.load(Plan(FEW), direction, 64, "random", latency_rate=1000)
            probe = stream.to_json()
            self.assertEqual(probe["mode"]["rate"]["value"], 1000)
            self.assertTrue(probe["flow_stats"]["enabled"])
            groups.add(probe["flow_stats"]["stream_id"])
            ends = {frame[-16:] for frame in itertools.islice(engine.frames(probe), FEW)}
            self.assertEqual(ends, {bytes(16)})
        self.assertEqual(len(groups), 2)

    def test_last_of_the_most_nodes_is_inside_the_pools(self):
        highest = addresses.BINDINGS_MAX - 1
        ipv4, ipv6 = ipaddress.IPv4Network(addresses.HOA_POOL), ipaddress.IPv6Network(addresses.HNP_POOL)
        self.assertLess(ipaddress.IPv4Address(addresses.hoa(highest)), ipv4.broadcast_address)
        self.assertIn(ipaddress.IPv6Address(addresses.hnp(highest)), ipv6)
        for (inner, gre), direction in itertools.product(CARRIED, traffic.DIRECTIONS):
            plan = Plan(addresses.BINDINGS_MAX, addresses.MAGS_MAX, inner, gre)
            last, first = last_node(traffic.sweep(plan, direction, 1))
            self.check(plan, direction, last, plan.bindings - 1, traffic.SWEEP_SIZE)
            self.check(plan, direction, first, 0, traffic.SWEEP_SIZE)


class Updates(unittest.TestCase):
    """Registration."""

    def check(self, plan, frame, n):
        """The frame is node n's update; returns its identifiers."""
        outer = parsed.frame(frame)
        self.assertEqual(outer.ends(), (plan.mag(n), addresses.LMA))
        update = parsed.update(outer)
        self.assertEqual((update.seq, update.flags, update.lifetime), (1, 0x8200, 0xFFFF))
        value = {kind: data for kind, (_, data) in update.options.items()}
        number = n.to_bytes(4, "big")
        self.assertEqual(value[MN_ID], b"\x05\x02\x10" + number)
        self.assertEqual((value[HANDOFF], value[ACCESS_TECH]), (b"\0\1", b"\0\4"))
        if plan.inner == "ipv6":
            prefix = bytes.fromhex("20010db8") + (0x40000000 + n).to_bytes(4, "big") + bytes(8)
            self.assertEqual(value[HNP], b"\0\x40" + prefix)
            self.assertEqual(update.options[HNP][0] % 8, 4)
        else:
            self.assertEqual(value[IPV4_HOA], b"\x20\0" + (0x0A010000 + n).to_bytes(4, "big"))
            self.assertEqual(update.options[IPV4_HOA][0] % 4, 0)
        self.assertEqual(value.get(GRE_KEY), b"\0\0" + (1 + n).to_bytes(4, "big") if plan.gre else None)
        return value[MN_ID], value[MN_LL_ID]

    def test_every_node_is_registered_once_with_identifiers_of_its_own(self):
        plan = Plan(bindings=MANY)
        seen = [self.check(plan, frame, n) for n, frame in enumerate(some(registration.updates(plan, 1), MANY))]
        self.assertEqual([len(set(ids)) for ids in zip(*seen)], [MANY, MANY])
        (stream,) = registration.updates(plan, 20_000)
        self.assertEqual(stream.to_json()["mode"]["total_pkts"], MANY)

    def test_every_kind_of_binding_is_asked_for(self):
        for inner, gre in CARRIED:
            plan = Plan(FEW, 64, inner, gre)
            for n, frame in enumerate(some(registration.updates(plan, 1), FEW)):
                self.check(plan, frame, n)

    def test_last_of_the_most_nodes_is_registered(self):
        for inner, gre in CARRIED:
            plan = Plan(addresses.BINDINGS_MAX, addresses.MAGS_MAX, inner, gre)
            last, first = last_node(registration.updates(plan, 1))
            self.check(plan, last, plan.bindings - 1)
            self.check(plan, first, 0)


class Console(unittest.TestCase):
    """What TRex's own console loads."""

    def streams(self, name, port, *tunables):
        """Of a profile, as the console asks for them."""
        return importlib.import_module(name).register().get_streams(direction=port % 2, tunables=list(tunables))

    def carries(self, streams):
        """The next header of the first stream's packets."""
        return parsed.frame(next(engine.frames(streams[0].to_json()))).next_header

    def test_a_port_gets_the_direction_of_the_profile(self):
        found = [self.carries(self.streams(name, port)) for name in ("downlink", "uplink", "mixed") for port in (0, 1)]
        self.assertEqual(found, [parsed.UDP, parsed.UDP, parsed.IPV6, parsed.IPV6, parsed.UDP, parsed.IPV6])
        self.assertEqual(self.carries(self.streams("registration", 1)), parsed.MOBILITY_HEADER)

    def test_tunables_are_heard(self):
        streams = self.streams("mixed", 1, "--size", "imix", "--bindings", "5", "--mags", "2", "--gre", "--latency", "9")
        self.assertEqual((len(streams), self.carries(streams)), (4, parsed.GRE))
        (burst,) = self.streams("registration", 1, "--bindings", "5", "--rate", "7")
        self.assertEqual(burst.to_json()["mode"]["total_pkts"], 5)

    def test_wrong_tunables_are_refused(self):
        for wrong in (["--size", "63"], ["--size", "big"], ["--order", "down"], ["--unknown"]):
            with self.assertRaises(SystemExit), redirect_stderr(io.StringIO()):
                self.streams("downlink", 0, *wrong)
        for wrong in (["--mags", "3"], ["--bindings", "1"], ["--bindings", "17000000"]):
            with self.assertRaises(ValueError):
                self.streams("downlink", 0, *wrong)
