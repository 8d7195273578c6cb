"""What the messages of anchord and anchor-mag have to say: the rules of tests/lab/dissect."""

import collections
import datetime
import ipaddress
import struct

# Link-layer addresses of tests/smoke/_lab.sh: anchord's two ports; the gateways towards the anchor
# and towards their nodes.
ANCHORD = {"02:00:00:00:a0:01", "02:00:00:00:a0:02"}
GATEWAYS = {"02:00:00:00:a0:11", "02:00:00:00:a0:12", "02:00:00:00:a0:13", "00:00:5e:00:52:13"}
SCAPY_HOP_LIMIT = "63"  # of tests/lab/pbu.py, whose updates are wrong on purpose

LOG_BURST = 100  # src/control/mod.rs: with more lines than that some may be missing
ANSWERED = {"Created", "Refreshed", "HandedOff", "Deregistered", "Revived", "Duplicate", "Refused"} | {
    "Ipv4Released",
    "Ipv6Released",
}

# The same of nodes that register themselves, whom the log need not name: by itself stands where a name would.
ANSWERED_HOME = {"Registered", "Refreshed", "Moved", "Deregistered", "Refused"}
BY_ITSELF = "itself"

# Protocols whose dissection counts: others are tshark's guesses at what nodes send to each other.
LAYERS = set("""eth sll ethertype vlan arp ip ipv6 icmp icmpv6 udp tcp gre mipv6 data frame _ws.malformed
    dhcp dhcpv6 ipv6.dstopts ipv6.fraghdr ipv6.hopopts ipv6.routing""".split())

WARNING, ERROR = 0x600000, 0x800000  # tshark's severities
IPV6, MOBILITY, UDP, ROUTING, FRAGMENT, GRE, IPV6_HEADER_LEN = 41, 135, 17, 43, 44, 47, 40
UDP_LEN, TLV_LEN, GRE_KEY = 8, 4, 0x20
TYPE_2_LEN = 24  # of a routing header to a home address, which is its last 16 bytes
DESTINATION, HOME_ADDRESS, HOME_OPTIONS_LEN = 60, 201, 24  # likewise
MORE_FRAGMENTS = 0x20  # in the sixth byte of an IPv4 header
PBU, PBA, SWITCH, HEARTBEAT, REVOCATION = "5", "6", "12", "13", "16"
INDICATION = "1"  # B.R. Type (RFC 5846 5.1); 2 is the acknowledgement
NO_IDENTIFIER = "160"
OUT_OF_ORDER = 135
REFUSED = 128  # and more
FIXED_LEN = {5: 12, 6: 12, 13: 12, 16: 12}  # of the messages that have options, the header included
PAD1, PADN = 0, 1
# Options that begin at n*x + y (RFC 6275 6.2, 5213 8, 5844 3, 5845 6.4, 5847 3.3): (n, y)
ALIGNMENT = {2: (2, 0), 3: (8, 6), 22: (8, 4), 26: (8, 6), 27: (8, 2), 28: (4, 2)}
ALIGNMENT |= {33: (4, 0), 36: (4, 0), 37: (4, 0), 38: (4, 0)}
CLOCK_TOLERANCE_S = 3.0
# Linux sends a TCP segment whose checksum is 0 with 0xffff, as UDP must (`CSUM_MANGLED_0`): a host's
# doing, one segment of 65,536. Ours cannot make it of another (`dataplane::checksum`).
OF_A_HOST = "TCP Checksum 0xffff instead of 0x0000"


def sound(frame):
    """Faults of any frame of ours: malformed, a bad checksum, a Mobility Header not as it should be."""
    sender = frame.first("sll.src.eth") or frame.first("eth.src")
    if sender not in ANCHORD | GATEWAYS:
        return []
    if is_first_fragment(frame.data):
        return []  # tshark reads what it begins with as if it were whole; the last one has it all
    layers = frame.first("frame.protocols").split(":")
    said = list(zip(frame.all("_ws.expert.severity"), frame.all("_ws.expert.message")))
    remarks = [text for level, text in said if int(level) >= (WARNING if is_signaling(layers) else ERROR)]
    remarks += [text for level, text in said if int(level) == WARNING and "hecksum" in text]
    remarks = [remark for remark in remarks if not remark.startswith(OF_A_HOST)]
    remarks += ["malformed"] * len(frame.all("_ws.malformed"))
    if not set(layers) <= LAYERS:
        remarks = [remark for remark in remarks if "hecksum" in remark]
    elif frame.first("mip6.ba.status") == NO_IDENTIFIER:
        # RFC 5213 5.3.1 (4) wants the empty identifier that tshark remarks upon.
        remarks = [remark for remark in remarks if not remark.startswith("Mobile Node Identifier")]
    elif frame.first("mip6.mhtype") == SWITCH:
        remarks = []  # tshark takes the options of RFC 5142 5.1 to begin elsewhere; ours are looked at below
    faults = [f"tshark says: {remark}" for remark in remarks]
    if is_signaling(layers):
        faults += mobility_header(out_of_tunnels(frame.data))
    return faults


def is_first_fragment(data):
    """Whether a packet is the first fragment of a larger one."""
    if data[:1] and data[0] >> 4 == 4:
        return len(data) > 8 and data[6] & 0x3F == MORE_FRAGMENTS and data[7] == 0
    return len(data) > 44 and data[0] >> 4 == 6 and data[6] == FRAGMENT and data[42:44] == b"\0\1"


def is_signaling(layers):
    """Whether its own message is a Mobility Header, not one quoted in an error."""
    return "mipv6" in layers and not {"icmp", "icmpv6"} & set(layers)


def out_of_tunnels(data):
    """The packet of a message that is in a tunnel to a node, else the packet itself."""
    while True:
        is_ipv6 = data[0] >> 4 == 6
        at, carried = (IPV6_HEADER_LEN, data[6]) if is_ipv6 else ((data[0] & 15) * 4, data[9])
        if carried == UDP and not is_ipv6:
            at, carried = at + UDP_LEN, IPV6 if data[at + UDP_LEN] >> 4 == 6 else carried
            if data[at] >> 4 == 0:  # the TLV-header (RFC 5845 7.2)
                at, carried = at + TLV_LEN, data[at + 1]
        if carried == GRE:
            at, carried = at + (8 if data[at] & GRE_KEY else 4), IPV6
        if carried != IPV6:
            return data
        data = data[at:]


def mobility_header(data):
    """The checksum, which tshark does not verify, and how the options are laid out."""
    if (data[9] if data[0] >> 4 == 4 else data[6]) == UDP:
        at = (data[0] & 15) * 4 if data[0] >> 4 == 4 else IPV6_HEADER_LEN
        message = data[at + 8 : at + struct.unpack_from("!H", data, at + 4)[0]]
        faults = [] if message[4:6] == b"\0\0" else ["a checksum beside that of UDP (RFC 5844 4.1.3)"]
    elif (route := to_home(data)) or (option := from_home(data)) or data[6] == MOBILITY:
        at = IPV6_HEADER_LEN + len(route or option)
        message = data[at : IPV6_HEADER_LEN + struct.unpack_from("!H", data, 4)[0]]
        ends = (data[8:24] + route[8:]) if route else (option[8:] or data[8:24]) + data[24:IPV6_HEADER_LEN]
        pseudo = ends + struct.pack("!II", len(message), MOBILITY)  # RFC 6275 6.1.1
        total = sum(struct.unpack(f"!{len(pseudo + message) // 2}H", pseudo + message))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        faults = [] if total == 0xFFFF else ["the Mobility Header's checksum is wrong"]
    else:
        return ["a Mobility Header behind something else"]
    if len(message) != 8 * (message[1] + 1):
        faults.append("the Mobility Header's length is not the packet's")
    switch = 8 + 16 * message[6] if str(message[2]) == SWITCH else len(message)  # behind so many addresses
    return faults + laid_out(message, FIXED_LEN.get(message[2], switch))


def to_home(data):
    """The type 2 routing header of a packet with a Mobility Header (RFC 6275 6.4), else nothing."""
    route = data[IPV6_HEADER_LEN : IPV6_HEADER_LEN + TYPE_2_LEN]
    return route if data[6] == ROUTING and route[:8] == bytes([MOBILITY, 2, 2, 1, 0, 0, 0, 0]) else b""


def from_home(data):
    """The Destination Options header of a packet with a Mobility Header that has nothing but the home address in its
    place (RFC 6275 6.3), which ends it, else nothing."""
    options = data[IPV6_HEADER_LEN : IPV6_HEADER_LEN + HOME_OPTIONS_LEN]
    home = options[:2] == bytes([MOBILITY, 2]) and options[6:8] == bytes([HOME_ADDRESS, 16])
    return options if data[6] == DESTINATION and home else b""


def laid_out(message, at):
    """Faults of the options from `at` on: alignment, padding that is not zero."""
    faults = []
    while at < len(message):
        kind = message[at]
        if kind == PAD1:
            at += 1
            continue
        end = at + 2 + (message[at + 1] if at + 1 < len(message) else len(message))
        n, y = ALIGNMENT.get(kind, (1, 0))
        if end > len(message):
            faults.append(f"option {kind} is cut")
        if at % n != y:
            faults.append(f"option {kind} at offset {at}, not {n}n+{y}")
        if kind == PADN and any(message[at + 2 : end]):
            faults.append("padding that is not zero")
        at = end
    return faults


class Test:
    """One test's signaling, followed in the order of the wire."""

    def __init__(self, log):
        self.log = log
        self.updates = collections.defaultdict(list)  # (gateway, sequence number) -> updates
        self.prefixes = set()
        self.serving = {}  # network -> where its tunnel ends
        self.waiting = set()  # where tunnels end whose updates have no answer yet
        self.routers = set()  # where those of mobile routers end or ended: their networks need not be on the wire
        self.link_local = set()
        self.answers = collections.Counter()
        self.asked = set()  # heartbeats and revocations: kind, from, to, sequence number

    def message(self, frame, seen):
        """Faults of a frame of the wire; `seen` counts what was looked at."""
        sender = frame.first("sll.src.eth")
        layers = frame.first("frame.protocols").split(":")
        kind = frame.first("mip6.mhtype") if is_signaling(layers) else None
        if kind == PBU:
            return self.update(frame, sender, seen)
        if sender in ANCHORD and kind == PBA:
            seen["acknowledgements"] += 1
            by_gateway = frame.first("mip6.ba.p_flag") == "1"
            return self.acknowledgement(frame) if by_gateway else self.home_acknowledgement(frame)
        if kind in (HEARTBEAT, REVOCATION):
            return self.peer(frame, sender, kind, seen)
        # Of a tunnel packet in fragments the addresses inside are in another frame.
        quoting = next((at for at, layer in enumerate(layers) if layer in ("icmp", "icmpv6")), len(layers))
        if sender in ANCHORD and ("ipv6", "ipv6") in zip(layers[:quoting], layers[1:quoting]):
            seen["tunnel packets"] += 1
            return self.tunnelled(frame)
        if sender in GATEWAYS and "134" in frame.all("icmpv6.type"):
            seen["advertisements"] += 1
            return self.advertisement(frame)
        return []

    def tunnelled(self, frame):
        """A packet goes to the gateway that serves its node, or is about to."""
        (end, inner, *_) = frame.all("ipv6.dst")
        node = ipaddress.ip_address(inner)
        served = {at for network, at in self.serving.items() if at and node in network}
        wanted = ", ".join(served) or "nobody"
        return [] if end in served | self.waiting | self.routers else [f"a packet for {node} to {end}, not to {wanted}"]

    def update(self, frame, sender, seen):
        self.updates[source(frame), frame.first("mip6.bu.seqnr")].append(frame)
        self.waiting.add(care_of(frame))
        by_node = frame.all("mip6.bu.p_flag") != ["1"] and frame.first("frame.protocols").count(":ipv6") > 1
        if by_node:  # its gateway's tunnel brings it
            return []
        if sender not in GATEWAYS or (frame.first("ipv6.hlim") or frame.first("ip.ttl")) == SCAPY_HOP_LIMIT:
            return []
        seen["updates"] += 1
        faults = [f"no {flag} flag" for flag in "ap" if frame.all(f"mip6.bu.{flag}_flag") != ["1"]]
        faults += [f"{len(frame.all(f))} of {f}" for f in ("mip6.hi", "mip6.att") if len(frame.all(f)) != 1]
        if not frame.all("mip6.mnid.identifier"):
            faults.append("an update without the node's identifier")
        if frame.all("mip6.timestamp_tmp") and not is_now(frame):
            faults.append("a timestamp that is not the frame's time")
        return faults

    def acknowledgement(self, frame):
        status = int(frame.first("mip6.ba.status"))
        name = frame.first("mip6.mnid.identifier") or ""
        asked = self.updates[destination(frame), frame.first("mip6.ba.seqnr")]
        # The log names who serves the node now: where its tunnel ends.
        mag = care_of(asked[-1]) if asked and status < REFUSED else destination(frame)
        self.answers[mag, name, status if status >= REFUSED else 0] += 1
        if status < REFUSED:
            self.prefixes |= prefixes(frame)
            self.link_local |= set(frame.all("mip6.lila_lla"))
        if not asked:
            return ["an acknowledgement of an update that nobody sent"]
        self.waiting.discard(care_of(asked[-1]))
        if status < REFUSED:
            serving = care_of(asked[-1]) if frame.first("mip6.ba.lifetime") != "0" else None
            self.serving |= {ipaddress.ip_network("/".join(prefix)): serving for prefix in prefixes(frame)}
        return min((answers(frame, update) for update in asked), key=len)

    def home_acknowledgement(self, frame):
        """The answer to a node that registered itself."""
        status = int(frame.first("mip6.ba.status"))
        asked = self.updates[destination(frame), frame.first("mip6.ba.seqnr")]
        if status == OUT_OF_ORDER:  # it has the number that was accepted last (RFC 6275 9.5.1)
            asked = [u for (at, _), all_at in self.updates.items() if at == destination(frame) for u in all_at]
        asked = [update for update in asked if not update.all("mip6.bu.p_flag") == ["1"]]
        if not asked:
            return ["an acknowledgement of an update that nobody sent"]
        home = asked[-1].first("ipv6.opt.mipv6.home_address") or source(asked[-1])
        end = care_of(asked[-1]) if status < REFUSED else destination(frame)
        if status < REFUSED and end == home:  # it came home: the log has where it was
            end = self.serving.get(ipaddress.ip_network(home)) or end
        self.answers[end, BY_ITSELF, status if status >= REFUSED else 0] += 1
        self.waiting.discard(care_of(asked[-1]))
        if status < REFUSED:
            self.serving[ipaddress.ip_network(home)] = end if frame.first("mip6.ba.lifetime") != "0" else None
            if frame.first("mip6.nemo.ba.r_flag") == "1":
                self.routers.add(end)
        return min((answers_home(frame, update) for update in asked), key=len)

    def peer(self, frame, sender, kind, seen):
        """Heartbeats (RFC 5847) and revocations (RFC 5846): who answers was asked."""
        if kind == HEARTBEAT:
            answers_one = frame.first("mip6.hb.r_flag") == "1"
            is_asked = frame.first("mip6.hb.u_flag") != "1"
            number, wanted = frame.first("mip6.hb.seqnr"), "mip6.rc"
        else:
            answers_one = frame.first("mip6.bri_br.type") != INDICATION
            is_asked = True
            number, wanted = frame.first("mip6.bri_seqnr"), "mip6.bri_status"
        if not answers_one:
            self.asked.add((kind, source(frame), destination(frame), number))
        if sender not in ANCHORD | GATEWAYS:
            return []
        seen[{HEARTBEAT: "heartbeats", REVOCATION: "revocations"}[kind]] += 1
        if not answers_one:
            return []
        faults = [] if frame.all(wanted) else [f"an answer without {wanted}"]
        if is_asked and (kind, destination(frame), source(frame), number) not in self.asked:
            faults.append("an answer to a question that nobody asked")
        return faults

    def advertisement(self, frame):
        faults = [] if frame.first("ipv6.hlim") == "255" else ["hop limit of neighbor discovery is not 255"]
        if source(frame) not in self.link_local:
            faults.append("an advertisement from an address that the anchor did not choose")
        said = zip(frame.all("icmpv6.opt.prefix"), frame.all("icmpv6.opt.prefix.length"))
        strange = set(said) - self.prefixes
        return faults + [f"an advertisement of {p}/{n}, which no acknowledgement gave" for p, n in strange]

    def end(self):
        """Faults that the whole shows: what was sent is what the log says."""
        if self.log is None:
            return []
        strange = self.answers - self.log
        return [
            f"{n} acknowledgements to {mag} for '{name}' with status {status}, which the log does not have"
            for (mag, name, status), n in strange.items()
        ]


def answers(pba, pbu):
    """Faults of an acknowledgement as the answer to an update (RFC 5213 5.3.6)."""
    status = int(pba.first("mip6.ba.status"))
    asked, granted = (int(f.first(x)) for f, x in ((pbu, "mip6.bu.lifetime"), (pba, "mip6.ba.lifetime")))
    faults = [] if pba.all("mip6.ba.p_flag") == ["1"] else ["no P flag"]
    if (source(pba), destination(pba)) != (destination(pbu), source(pbu)):
        faults.append("not from and to where the update came from and went to")
    echoed = {"mip6.mnid.identifier": [], "mip6.hi": ["0"], "mip6.att": ["0"], "mip6.mnlli.lli": []}
    for field, without in echoed.items():
        if pba.all(field) != (pbu.all(field) or without):
            faults.append(f"{field} is {pba.all(field)}, the update had {pbu.all(field)}")
    if bool(pba.all("mip6.timestamp_tmp")) != bool(pbu.all("mip6.timestamp_tmp")):
        faults.append("a timestamp in one of update and acknowledgement")
    if status in (156, 157) and not is_now(pba):
        faults.append("a refusal for the timestamp that does not tell our clock")
    if status < REFUSED:
        if granted > asked or (granted == 0) != (asked == 0):
            faults.append(f"lifetime {granted}, {asked} was asked for")
        addresses = [prefix for prefix, _ in prefixes(pba)] + pba.all("mip6.ipv4ha.ha")
        if not addresses or {"::", "0.0.0.0"} & set(addresses):
            faults.append("accepted without an address")
        if pba.all("mip6.gre_key") and not pbu.all("mip6.gre_key"):
            faults.append("a GRE key that was not asked for")
        if pba.all("mip6.timestamp_tmp") != pbu.all("mip6.timestamp_tmp"):
            faults.append("accepted with another timestamp")
        if pbu.all("mip6.lila_lla") and not "".join(pba.all("mip6.lila_lla")).startswith("fe80::"):
            faults.append("accepted without a link-local address")
    elif prefixes(pba) != (prefixes(pbu) or (set() if pbu.all("mip6.ipv4ha.ha") else {("::", "0")})):
        faults.append(f"refused with prefixes {prefixes(pba)}, the update had {prefixes(pbu)}")
    return faults


def answers_home(ba, bu):
    """Faults of an acknowledgement as the answer to a node's update (RFC 6275 9.5.4)."""
    status = int(ba.first("mip6.ba.status"))
    asked, granted = (int(f.first(x)) for f, x in ((bu, "mip6.bu.lifetime"), (ba, "mip6.ba.lifetime")))
    home = bu.all("ipv6.opt.mipv6.home_address")
    faults = []
    if ba.all("ipv6.routing.mipv6.home_address") != home:
        faults.append(f"by way of {ba.all('ipv6.routing.mipv6.home_address')}, the home address is {home}")
    if (source(ba), destination(ba)) != (destination(bu), source(bu)):
        faults.append("not from and to where the update came from and went to")
    if status < REFUSED and (granted > asked or (granted == 0) != (asked == 0)):
        faults.append(f"lifetime {granted}, {asked} was asked for")
    if status >= REFUSED and granted:
        faults.append("a lifetime of what was refused")
    if bool(ba.all("mip6.nemo.ba.r_flag") == ["1"]) and bu.all("mip6.nemo.bu.r_flag") != ["1"]:
        faults.append("an R flag that the update had not")
    return faults


def prefixes(frame):
    return set(zip(frame.all("mip6.nemo.mnp.mnp"), frame.all("mip6.nemo.mnp.pfl")))


def care_of(update):
    said = (update.first(f"mip6.{field}") for field in ("acoa.acoa", "alt_ip4", "ipv4coa.addr"))
    return next(filter(None, said), None) or source(update)


def source(frame):
    return inner(frame, "src")


def destination(frame):
    return inner(frame, "dst")


def inner(frame, end):
    """Of what is in a tunnel to a node: of the packet in it."""
    in_tunnel = frame.first("frame.protocols").split(":").count("ipv6") > 1
    return (frame.all(f"ipv6.{end}")[-1:] if in_tunnel else [frame.first(f"ipv6.{end}")])[0] or frame.first(f"ip.{end}")


def is_now(frame):
    """Whether its timestamp is the time of its capture."""
    said = frame.first("mip6.timestamp_tmp") or ""
    text, _, fraction = said.removesuffix(" UTC").partition(".")
    try:
        at = datetime.datetime.strptime(text, "%b %d, %Y %H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return False
    return abs(at.timestamp() + float(f"0.{fraction or 0}") - frame.time) < CLOCK_TOLERANCE_S
