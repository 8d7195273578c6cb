//! The workers' tunnel table: for each gateway the bytes that stand before every packet to it.
//!
//! ```text
//!   | destination MAC, source MAC, 86dd | 8 bytes a packet, LMAA, Proxy-CoA    | MTU, port, path |
//!   | destination MAC, source MAC, 0800 | 45, 0, 64, 4, sum, both addresses | UDP: 5437, port    |
//!     0                                  14                               34    42  54          63
//! ```
//!
//! One cache line a gateway, shared by all of its nodes: a handoff rewrites a number in an entry
//! and nothing here. GRE and TLV headers are put together a packet ([`super::encap`]): a key is a
//! binding's, a length a packet's.

use super::checksum::{sum_of, value};
use super::classify::Via;
use super::fib::{Fib, Generation, Route};
use super::header::{ETHER_LEN, Family, IPV4_LEN, IPV6_LEN, ether_type, protocol};
use super::update::{Copies, Tunnel, TunnelId};
use super::worker::PortConfig;
use crate::addr::{CustomerId, Encap, PortId, Protection, TunnelPath};
use crate::nic::Frame;
use crate::wire::{mip4, udp};
use hashbrown::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Bytes of an Ethernet and an IPv6 header.
pub(super) const HEAD_LEN: usize = ETHER_LEN + IPV6_LEN;

/// Where the UDP header begins in a head of IPv4.
pub(super) const UDP_AT: usize = ETHER_LEN + IPV4_LEN;

/// Hop limit and time to live of tunnel packets (RFC 2473 section 6.3; the default of RFC 4861's
/// `CurHopLimit` and of IPv4's TTL as IANA assigns them).
pub(super) const HOP_LIMIT: u8 = 64;

/// What is known of the way to a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Path {
    /// The Ethernet header is complete.
    Ready,
    /// The next hop's link-layer address is not known.
    Unresolved,
    /// There is no way, or the tunnel does not exist.
    Unreachable,
    /// Its other end is an address that a node holds: its packets enter that node's tunnel.
    Nested,
}

/// What its packets look like: the outer family and what stands behind the outer header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Shape {
    Ipv6,
    Ipv6Gre,
    Ipv4,
    Ipv4Gre,
    Ipv4Udp,
    Ipv4UdpGre,
    Ipv4Mip4Udp,
}

impl Shape {
    /// `None` if nobody has defined such a thing: UDP over IPv6, two families.
    fn of(path: &TunnelPath) -> Option<Self> {
        let [local, remote] = [path.local, path.remote].map(|a| Family::of(a.to_bits()));
        match (local, remote, path.encap) {
            (Family::Ipv6, Family::Ipv6, Encap::Ip) => Some(Self::Ipv6),
            (Family::Ipv6, Family::Ipv6, Encap::Gre) => Some(Self::Ipv6Gre),
            (Family::Ipv4, Family::Ipv4, Encap::Ip) => Some(Self::Ipv4),
            (Family::Ipv4, Family::Ipv4, Encap::Gre) => Some(Self::Ipv4Gre),
            (Family::Ipv4, Family::Ipv4, Encap::Udp(_) | Encap::Mip6Udp(_)) => Some(Self::Ipv4Udp),
            (Family::Ipv4, Family::Ipv4, Encap::UdpGre(_)) => Some(Self::Ipv4UdpGre),
            (Family::Ipv4, Family::Ipv4, Encap::Mip4Udp(_)) => Some(Self::Ipv4Mip4Udp),
            _ => None,
        }
    }

    #[inline]
    pub(super) const fn family(self) -> Family {
        match self {
            Self::Ipv6 | Self::Ipv6Gre => Family::Ipv6,
            Self::Ipv4 | Self::Ipv4Gre | Self::Ipv4Udp | Self::Ipv4UdpGre | Self::Ipv4Mip4Udp => {
                Family::Ipv4
            }
        }
    }

    #[inline]
    pub(super) const fn has_gre(self) -> bool {
        matches!(self, Self::Ipv6Gre | Self::Ipv4Gre | Self::Ipv4UdpGre)
    }
}

/// How a packet that came out of a tunnel differs from what the tunnel's packets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mismatch {
    /// Other addresses.
    Ends,
    /// Other headers between them.
    Shape,
    /// Another UDP port of the gateway.
    Port,
}

/// What a worker prepends to a packet, and where it then goes.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct TunnelSlot {
    /// Ethernet and IP header, UDP ports or a home address behind it; what differs from packet to
    /// packet is still zero. The checksum field of an IPv4 header is that of the header so far.
    pub(super) head: [u8; HEAD_LEN],
    /// The largest tunnel packet, by configuration and by the port.
    pub(super) mtu: u16,
    generation: u32,
    /// Where it leaves.
    pub(super) port: PortId,
    /// Whether it can.
    pub(super) path: Path,
    pub(super) shape: Shape,
}

const _: () = assert!(size_of::<TunnelSlot>() == 64, "one cache line a packet");

impl TunnelSlot {
    const ABSENT: Self = Self {
        head: [0; HEAD_LEN],
        mtu: 0,
        generation: 0,
        port: PortId(0),
        path: Path::Unreachable,
        shape: Shape::Ipv6,
    };

    /// All that is known before the tunnel is resolved; `None` if there is no such tunnel.
    fn new(path: &TunnelPath) -> Option<Self> {
        let shape = Shape::of(path)?;
        let mut slot = Self { shape, ..Self::ABSENT };
        let head = &mut slot.head;
        let [local, remote] = [path.local, path.remote].map(|a| a.octets());
        match shape.family() {
            Family::Ipv6 => {
                head[12..14].copy_from_slice(&ether_type::IPV6);
                head[22..38].copy_from_slice(&local);
                head[38..54].copy_from_slice(&remote);
            }
            Family::Ipv4 => {
                head[12..14].copy_from_slice(&ether_type::IPV4);
                head[14] = 0x45;
                head[22] = HOP_LIMIT;
                head[26..30].copy_from_slice(&local[12..]);
                head[30..34].copy_from_slice(&remote[12..]);
            }
        }
        match path.encap {
            Encap::Udp(port) | Encap::UdpGre(port) => write_ports(head, local_port(port), port),
            Encap::Mip6Udp(port) => write_ports(head, udp::DSMIP_PORT, port),
            Encap::Mip4Udp(port) => write_ports(head, mip4::PORT, port),
            Encap::Gre if shape.family() == Family::Ipv4 => head[23] = protocol::GRE,
            // The next header, or the protocol, is the inner packet's or GRE's: written with it.
            Encap::Gre | Encap::Ip => {}
        }
        if shape.family() == Family::Ipv4 {
            let sum = value(sum_of(&head[ETHER_LEN..UDP_AT]));
            head[24..26].copy_from_slice(&sum.to_be_bytes());
        }
        Some(slot)
    }

    /// One that stands in no table, ready to send by; `None` if there is no such tunnel.
    pub(super) fn by_itself(tunnel: &Tunnel, fib: &Fib, ports: &[PortConfig]) -> Option<Self> {
        let mut slot = Self::new(&tunnel.path)?;
        resolve(&mut slot, tunnel, fib, ports);
        Some(slot)
    }

    /// Whether a frame has a tunnel packet of this family, which is the tunnel's, that came from
    /// the gateway to our end.
    #[inline(always)]
    #[allow(clippy::inline_always)] // some comparisons
    pub(super) fn has_ends_of(&self, family: Family, frame: &[u8]) -> bool {
        let head = &self.head;
        match family {
            Family::Ipv6 => frame.first_chunk::<HEAD_LEN>().is_some_and(|frame| {
                frame[22..38] == head[38..54] && frame[38..54] == head[22..38]
            }),
            Family::Ipv4 => frame.first_chunk::<UDP_AT>().is_some_and(|frame| {
                let ends = |bytes: &[u8]| bytes.last_chunk().map(|ends| u64::from_ne_bytes(*ends));
                ends(frame) == ends(&head[..UDP_AT]).map(|ends| ends.rotate_left(32))
            }),
        }
    }

    /// Its other end, IPv4-mapped if it is one of IPv4.
    pub(super) fn remote(&self) -> Ipv6Addr {
        let head = &self.head;
        match self.shape.family() {
            Family::Ipv6 => Ipv6Addr::from(head[38..54].first_chunk().copied().unwrap_or([0; 16])),
            Family::Ipv4 => {
                let remote = head[30..34].first_chunk().copied().unwrap_or([0; 4]);
                Ipv4Addr::from(remote).to_ipv6_mapped()
            }
        }
    }

    /// Whether a tunnel packet between these two addresses, IPv4-mapped or not, came through this
    /// tunnel.
    #[inline]
    pub(super) fn admits(&self, src: u128, dst: u128, via: Via) -> Result<(), Mismatch> {
        let (src, dst) = (src.to_be_bytes(), dst.to_be_bytes());
        let is_between = match self.shape.family() {
            // Absent slots have remote `::`, which is the source of no packet that gets here.
            Family::Ipv6 => self.head[38..54] == src && self.head[22..38] == dst,
            Family::Ipv4 => self.head[30..34] == src[12..] && self.head[26..30] == dst[12..],
        };
        if !is_between {
            return Err(Mismatch::Ends);
        }
        match (self.shape, via) {
            (Shape::Ipv6 | Shape::Ipv4, Via::Ip)
            | (Shape::Ipv6Gre | Shape::Ipv4Gre, Via::Gre(_)) => Ok(()),
            (Shape::Ipv4Udp, Via::Udp(port))
            | (Shape::Ipv4UdpGre, Via::UdpGre(port, _))
            | (Shape::Ipv4Mip4Udp, Via::Mip4Udp(port)) => {
                let is_ours = self.head[UDP_AT + 2..UDP_AT + 4] == port.to_be_bytes();
                if is_ours { Ok(()) } else { Err(Mismatch::Port) }
            }
            _ => Err(Mismatch::Shape),
        }
    }
}

/// Writes what stands of UDP in a head.
fn write_ports(head: &mut [u8; HEAD_LEN], ours: u16, theirs: u16) {
    head[23] = protocol::UDP;
    head[UDP_AT..UDP_AT + 2].copy_from_slice(&ours.to_be_bytes());
    head[UDP_AT + 2..UDP_AT + 4].copy_from_slice(&theirs.to_be_bytes());
}

/// Our port of tunnel packets to a gateway's port: that of tunnels (RFC 5844 section 4.1.4.1), or,
/// where a NAT has given the gateway another one, that of signaling. Only the mapping for signaling
/// is known to the anchor, and a NAT may let through only what comes from where signaling went.
const fn local_port(gateway: u16) -> u16 {
    if gateway == udp::TUNNEL_PORT { udp::TUNNEL_PORT } else { udp::SIGNALING_PORT }
}

/// What the number of an entry's tunnel may stand for instead of one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Special {
    /// Several: a copy of each packet takes each of them.
    Copies(Copies),
    /// This one, as far as packets need not be in ESP.
    Protected(TunnelId, Protection),
}

/// All tunnels of a worker, by number.
#[derive(Debug)]
pub(super) struct TunnelTable {
    slots: Box<[TunnelSlot]>,
    /// What was published, to resolve from.
    published: Box<[Option<Tunnel>]>,
    /// What stands for several tunnels, or for a part of one. Its slot is none: the loops for
    /// common packets leave it to the general path.
    special: HashMap<TunnelId, Special>,
}

impl TunnelTable {
    /// Room for tunnels `0..tunnels_max`.
    pub(super) fn new(tunnels_max: usize) -> Self {
        Self {
            slots: vec![TunnelSlot::ABSENT; tunnels_max].into_boxed_slice(),
            published: vec![None; tunnels_max].into_boxed_slice(),
            special: HashMap::new(),
        }
    }

    /// Creates or replaces a tunnel. `false` if its number exceeds the table, or if nobody has
    /// defined such a tunnel: then there is none.
    #[must_use]
    pub(super) fn set(&mut self, id: TunnelId, tunnel: Tunnel) -> bool {
        self.remove(id);
        let at = id.0 as usize;
        match (self.slots.get_mut(at), self.published.get_mut(at), TunnelSlot::new(&tunnel.path)) {
            (Some(slot), Some(published), Some(new)) => {
                (*slot, *published) = (new, Some(tunnel));
                true
            }
            _ => false,
        }
    }

    /// Creates what stands for tunnels that there are. `false` if its number exceeds the table:
    /// then there is none.
    #[must_use]
    pub(super) fn set_special(&mut self, id: TunnelId, special: Special) -> bool {
        self.remove(id);
        let fits = (id.0 as usize) < self.slots.len();
        if fits {
            self.special.insert(id, special);
        }
        fits
    }

    /// What this number stands for, if that is no tunnel.
    pub(super) fn special(&self, id: TunnelId) -> Option<Special> {
        self.special.get(&id).copied()
    }

    /// The tunnel with this number, and what of its packets may not be in it; of several the one
    /// that ends at `remote`, or the first.
    pub(super) fn one_of(&self, id: TunnelId, remote: u128) -> (TunnelId, Option<Protection>) {
        let copies = match self.special(id) {
            None => return (id, None),
            Some(Special::Protected(id, protection)) => return (id, Some(protection)),
            Some(Special::Copies(copies)) => copies,
        };
        let remote = Ipv6Addr::from_bits(remote);
        let ends_there = |id: &TunnelId| self.ends(*id).is_some_and(|t| t.remote() == remote);
        let mut members = copies.into_iter().flatten();
        (members.clone().find(ends_there).or_else(|| members.next()).unwrap_or(id), None)
    }

    /// Removes a tunnel, or what stands for tunnels.
    pub(super) fn remove(&mut self, id: TunnelId) {
        self.special.remove(&id);
        let at = id.0 as usize;
        if let (Some(slot), Some(published)) = (self.slots.get_mut(at), self.published.get_mut(at))
        {
            (*slot, *published) = (TunnelSlot::ABSENT, None);
        }
    }

    /// For admission: the addresses hold, the path may be stale.
    #[inline]
    pub(super) fn ends(&self, id: TunnelId) -> Option<&TunnelSlot> {
        self.slots.get(id.0 as usize)
    }

    /// Asks for the line of a tunnel.
    #[inline]
    pub(super) fn prefetch<F: Frame>(&self, id: TunnelId) {
        F::prefetch(&self.slots, id.0 as usize);
    }

    /// For sending: resolved already, and its next hop too. `None`: ask [`Self::resolved`].
    #[inline]
    pub(super) fn ready(&self, id: TunnelId, generation: Generation) -> Option<&TunnelSlot> {
        let slot = self.slots.get(id.0 as usize)?;
        (slot.generation == generation.0 && slot.path == Path::Ready).then_some(slot)
    }

    /// For sending: resolved by the FIB as it is now.
    pub(super) fn resolved(
        &mut self,
        id: TunnelId,
        fib: &Fib,
        ports: &[PortConfig],
    ) -> Option<&TunnelSlot> {
        let slot = self.slots.get_mut(id.0 as usize)?;
        let Generation(generation) = fib.generation();
        if slot.generation != generation {
            let tunnel = self.published.get(id.0 as usize)?.as_ref()?;
            resolve(slot, tunnel, fib, ports);
            slot.generation = generation;
        }
        Some(slot)
    }
}

/// The address space that gateways are in: the operator's.
pub(super) const TRANSPORT: CustomerId = CustomerId(0);

/// What a tunnel inside of another leaves for the headers of that one: the longest, of GRE with a
/// key over IPv6.
const SECOND_LEN: u16 = 48;

fn resolve(slot: &mut TunnelSlot, tunnel: &Tunnel, fib: &Fib, ports: &[PortConfig]) {
    let (path, port) = match fib.lookup(TRANSPORT, tunnel.path.remote.to_bits()) {
        Route::Send(port, mac) => {
            slot.head[..6].copy_from_slice(&mac.0);
            (Path::Ready, port)
        }
        Route::Unresolved(port, _) => {
            slot.head[..6].fill(0);
            (Path::Unresolved, port)
        }
        Route::Anchored => {
            let widest = ports.iter().map(|p| p.mtu).max().unwrap_or(0);
            slot.mtu = tunnel.mtu.min(widest).saturating_sub(SECOND_LEN);
            slot.path = Path::Nested;
            return;
        }
        // To ourselves: loopback encapsulation (RFC 2473 section 4.1.2).
        Route::Local | Route::Unreachable | Route::Blackhole => {
            slot.path = Path::Unreachable;
            return;
        }
    };
    if let Some(config) = ports.get(usize::from(port.0)) {
        slot.head[6..12].copy_from_slice(&config.mac.0);
        slot.mtu = tunnel.mtu.min(config.mtu);
    }
    (slot.path, slot.port) = (path, port);
}
