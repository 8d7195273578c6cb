"""What tshark says of the frames that the profiles make: an oracle that shares no code with them."""

import itertools
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

import engine
import plan as addresses
import registration
import traffic
from plan import Plan

FIELDS = """frame.len _ws.malformed _ws.expert.severity udp.checksum.status ip.checksum.status ipv6.src ipv6.dst
    ip.src ip.dst gre.key mip6.mhtype mip6.mnid.subtype mip6.nemo.mnp.mnp mip6.nemo.mnp.pfl mip6.ipv4ha.ha
    mip6.gre_key mip6.hi mip6.att mip6.bu.p_flag mip6.bu.lifetime""".split()
SETTINGS = ["ip.check_checksum:TRUE", "udp.check_checksum:TRUE"]
ERROR = str(0x800000)  # tshark's severity; it warns of an EUI-48, which it shows as text
GOOD, UNCHECKED = "1", {"2", "3"}  # tshark's words for a checksum: good; not checked or not there
ETHERNET = 1
SAMPLE = 40  # frames of each stream


def capture(frames):
    """A capture file."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, ETHERNET)
    return head + b"".join(struct.pack("<IIII", 0, 0, len(f), len(f)) + f for f in frames)


def dissected(frames):
    """A dictionary of field to values, outermost first, for each frame."""
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        pathlib.Path(file.name).write_bytes(capture(frames))
        run = ["tshark", "-n", "-r", file.name, "-T", "fields", "-E", "separator=;", "-E", "aggregator=|"]
        for setting in SETTINGS:
            run += ["-o", setting]
        for field in FIELDS:
            run += ["-e", field]
        text = subprocess.run(run, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True).stdout
    split = [[column.split("|") if column else [] for column in line.split(";")] for line in text.splitlines()]
    return [dict(zip(FIELDS, line)) for line in split]


@unittest.skipUnless(shutil.which("tshark"), "tshark is missing")
class Dissected(unittest.TestCase):
    """One run of tshark over all kinds of frames."""

    @classmethod
    def setUpClass(cls):
        cls.made = []  # (what, plan, node), in the order of the frames
        frames = []
        for inner, gre in itertools.product(("ipv6", "ipv4"), (False, True)):
            plan = Plan(SAMPLE, 16, inner, gre)
            streams = {"update": registration.updates(plan, 1)}
            for direction in traffic.DIRECTIONS:
                streams[direction] = traffic.load(plan, direction, 64, "inc")
            for what, (stream,) in streams.items():
                cls.made += [(what, plan, n) for n in range(SAMPLE)]
                frames += itertools.islice(engine.frames(stream.to_json()), SAMPLE)
        cls.seen = dissected(frames)

    def each(self, *kinds):
        """What was made and what tshark saw."""
        self.assertEqual(len(self.seen), len(self.made))
        return [(what, plan, n, found) for (what, plan, n), found in zip(self.made, self.seen) if what in kinds]

    def test_no_frame_is_malformed_and_all_checksums_are_good(self):
        for what, plan, n, found in self.each("update", *traffic.DIRECTIONS):
            about = f"{what} of {plan}, node {n}: {found}"
            self.assertEqual(found["_ws.malformed"], [], about)
            self.assertNotIn(ERROR, found["_ws.expert.severity"], about)
            if what != "update" and plan.inner == "ipv6":
                self.assertEqual(found["udp.checksum.status"], [GOOD], about)
            if what != "update" and plan.inner == "ipv4":
                self.assertTrue(set(found["udp.checksum.status"]) <= UNCHECKED, about)
                self.assertEqual(found["ip.checksum.status"], [GOOD], about)

    def test_packets_have_the_addresses_of_the_plan(self):
        for what, plan, n, found in self.each(*traffic.DIRECTIONS):
            ends = [plan.correspondent, plan.node(n)]
            tunnel = [] if what == "downlink" else [plan.mag(n), addresses.LMA]
            if what == "uplink":
                ends.reverse()
            family = "ipv6" if plan.inner == "ipv6" else "ip"
            sources = found["ipv6.src"] + (found["ip.src"] if family == "ip" else [])
            destinations = found["ipv6.dst"] + (found["ip.dst"] if family == "ip" else [])
            self.assertEqual(sources, tunnel[:1] + ends[:1])
            self.assertEqual(destinations, tunnel[1:] + ends[1:])
            key = int(found["gre.key"][0], 0) if found["gre.key"] else None
            self.assertEqual(key, 1 + n if plan.gre and what == "uplink" else None)
            self.assertEqual(found["frame.len"], [str(78 + (plan.overhead if tunnel else 0))])

    def test_updates_say_what_the_plan_says(self):
        for _, plan, n, found in self.each("update"):
            self.assertEqual([found["ipv6.src"], found["ipv6.dst"]], [[plan.mag(n)], [addresses.LMA]])
            self.assertEqual([found["mip6.mhtype"], found["mip6.mnid.subtype"]], [["5"], ["5"]])
            self.assertEqual([found["mip6.hi"], found["mip6.att"]], [["1"], ["4"]])
            self.assertEqual([found["mip6.bu.p_flag"], found["mip6.bu.lifetime"]], [["1"], ["65535"]])
            prefix = [addresses.hnp(n)] if plan.inner == "ipv6" else []
            self.assertEqual(found["mip6.nemo.mnp.mnp"], prefix)
            self.assertEqual(found["mip6.ipv4ha.ha"], [] if prefix else [addresses.hoa(n)])
            key = int(found["mip6.gre_key"][0], 0) if found["mip6.gre_key"] else None
            self.assertEqual(key, 1 + n if plan.gre else None)
