"""The addresses of a measurement: one plan for the anchor's configuration, the profiles and the tests.

    correspondent ---- core0 [anchord] access0 ---- gateway 0 .. gateway mags-1
    CN, CN_IPV4              LMA                    mag(n)            node n: hnp(n) or hoa(n)

Node n, 0 <= n < bindings, is behind gateway n modulo mags. Its prefix and its IPv4 address are asked
for by name in its Proxy Binding Update, so they do not depend on the order in which the anchor
takes updates. GRE keys are the anchor's choice: it counts from FIRST_UPLINK_KEY, in that order.
"""

import dataclasses
import ipaddress

LMA = "2001:db8:100::1"  # on access0
TESTER_ACCESS = "2001:db8:100::2"  # next hop towards the gateways: the tester's access port
MAG_NETWORK = "2001:db8:101::/64"
MAG_BASE = "2001:db8:101::1:0"  # the lower 16 bits are the gateway's number
TUNNEL_OVERHEAD = 40  # bytes of the outer IPv6 header
GRE_OVERHEAD = 8  # bytes of the GRE header with its key

ANCHOR_CORE, TESTER_CORE = "2001:db8:200::1", "2001:db8:200::2"
ANCHOR_CORE_IPV4, TESTER_CORE_IPV4 = "192.0.2.1", "192.0.2.2"
CN_NETWORK, CN = "2001:db8:300::/64", "2001:db8:300::1"
CN_NETWORK_IPV4, CN_IPV4 = "198.18.0.0/24", "198.18.0.1"  # RFC 2544 C.2.2

# RFC 5180 gives benchmarks a /48, which has not enough /64s for a million nodes.
HNP_POOL, HNP_LEN = "2001:db8:4000::/40", 64
HNP_BASE = 0x40000000  # bytes 4 to 7 of the prefix of node 0
HOA_POOL = "10.0.0.0/8"
HOA_BASE = 0x0A010000  # the address of node 0: the pool's first 2^16 hold its router's
FIRST_UPLINK_KEY = 1  # anchord's `first_gre_key`
DOWNLINK_KEY_BASE = 1  # the key that node 0's gateway asks for
MN_ID_PREFIX = bytes.fromhex("0210")  # of an EUI-48, locally administered; the node's number follows

BINDINGS_MAX = 2**24 - 2**16 - 1  # the fewer of the two pools'
MAGS_MAX = 2**16


@dataclasses.dataclass(frozen=True)
class Plan:
    """How many nodes and gateways there are, and how the nodes' packets are carried."""

    bindings: int = 1_000_000
    mags: int = 1024
    inner: str = "ipv6"
    gre: bool = False

    def __post_init__(self):
        if not 2 <= self.bindings <= BINDINGS_MAX:
            raise ValueError(f"bindings: {self.bindings} is not 2 to {BINDINGS_MAX}")
        if self.mags & (self.mags - 1) or not 2 <= self.mags <= MAGS_MAX:
            raise ValueError(f"mags: {self.mags} is not a power of two from 2 to {MAGS_MAX}")

    @staticmethod
    def of(args):
        """From parsed arguments; ValueError says which one is wrong."""
        return Plan(args.bindings, args.mags, args.inner, args.gre)

    @property
    def overhead(self):
        """Bytes that the tunnel adds to a packet."""
        return TUNNEL_OVERHEAD + (GRE_OVERHEAD if self.gre else 0)

    @property
    def correspondent(self):
        """The address that nodes talk to."""
        return CN if self.inner == "ipv6" else CN_IPV4

    def node(self, n):
        """The address that node n sends from: the first of its prefix, or its IPv4 home address."""
        return str(ipaddress.IPv6Address(hnp(n)) + 1) if self.inner == "ipv6" else hoa(n)

    def mag(self, n):
        """The gateway that serves node n."""
        return str(ipaddress.IPv6Address(MAG_BASE) + n % self.mags)


def add_arguments(parser):
    """The options that make a plan."""
    parser.add_argument("--bindings", type=int, default=Plan.bindings, help="nodes, one binding each")
    parser.add_argument("--mags", type=int, default=Plan.mags, help="gateways, a power of two")
    parser.add_argument("--inner", choices=("ipv6", "ipv4"), default=Plan.inner, help="the nodes' packets")
    parser.add_argument("--gre", action="store_true", help="with GRE and keys (RFC 5845), else IP in IPv6")


def hnp(n):
    """The home network prefix of node n, without its length, which is HNP_LEN."""
    first = ipaddress.IPv6Network(HNP_POOL).network_address
    return str(first + (n << 128 - HNP_LEN))


def hoa(n):
    """The IPv4 home address of node n."""
    return str(ipaddress.IPv4Address(HOA_BASE + n))


def mn_id(n):
    """The identifier of node n, as anchorctl shows it."""
    octets = MN_ID_PREFIX + n.to_bytes(4, "big")
    return "eui-48:" + octets.hex(":")
