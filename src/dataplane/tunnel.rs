//! The workers' tunnel table: for each gateway the bytes that stand before every packet to it.
//!
//! ```text
//!   | destination MAC, source MAC, 86dd | 6, 0, 41, 64, LMAA, Proxy-CoA | MTU, port, path |
//!     0                                  14                              54          63
//! ```
//!
//! One cache line a gateway, shared by all of its nodes: a handoff rewrites a number in an entry
//! and nothing here.

use super::fib::{Fib, Generation, Route};
use super::header::{ETHER_LEN, ETHERTYPE_IPV6, IPV6_LEN, protocol};
use super::update::{Tunnel, TunnelId};
use super::worker::PortConfig;
use crate::addr::PortId;

/// Bytes of an Ethernet and an IPv6 header.
pub(super) const HEAD_LEN: usize = ETHER_LEN + IPV6_LEN;

/// Hop limit of tunnel packets (RFC 2473 section 6.3; the IPv6 default of RFC 4861's `CurHopLimit`
/// as IANA assigns it).
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
}

/// What a worker prepends to a packet, and where it then goes.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct TunnelSlot {
    /// Ethernet and IPv6 header; traffic class, flow label and payload length are still zero.
    pub(super) head: [u8; HEAD_LEN],
    /// The largest tunnel packet, by configuration and by the port.
    pub(super) mtu: u16,
    generation: u32,
    /// Where it leaves.
    pub(super) port: PortId,
    /// Whether it can.
    pub(super) path: Path,
}

const _: () = assert!(size_of::<TunnelSlot>() == 64, "one cache line a packet");

impl TunnelSlot {
    const ABSENT: Self = Self {
        head: [0; HEAD_LEN],
        mtu: 0,
        generation: 0,
        port: PortId(0),
        path: Path::Unreachable,
    };

    /// Whether a tunnel packet between these two addresses came through this tunnel.
    pub(super) fn connects(&self, src: u128, dst: u128) -> bool {
        // Absent slots have remote `::`, which is the source of no packet that gets here.
        self.head[38..54] == src.to_be_bytes() && self.head[22..38] == dst.to_be_bytes()
    }
}

/// All tunnels of a worker, by number.
#[derive(Debug)]
pub(super) struct TunnelTable {
    slots: Box<[TunnelSlot]>,
    /// What was published, to resolve from.
    published: Box<[Option<Tunnel>]>,
}

impl TunnelTable {
    /// Room for tunnels `0..tunnels_max`.
    pub(super) fn new(tunnels_max: usize) -> Self {
        Self {
            slots: vec![TunnelSlot::ABSENT; tunnels_max].into_boxed_slice(),
            published: vec![None; tunnels_max].into_boxed_slice(),
        }
    }

    /// Creates or replaces a tunnel. `false` if its number exceeds the table.
    #[must_use]
    pub(super) fn set(&mut self, id: TunnelId, tunnel: Tunnel) -> bool {
        let at = id.0 as usize;
        let (Some(slot), Some(published)) = (self.slots.get_mut(at), self.published.get_mut(at))
        else {
            return false;
        };
        *published = Some(tunnel);
        *slot = TunnelSlot::ABSENT;
        slot.head[12..14].copy_from_slice(&ETHERTYPE_IPV6);
        slot.head[14] = 6 << 4;
        slot.head[20] = protocol::IPV6;
        slot.head[21] = HOP_LIMIT;
        slot.head[22..38].copy_from_slice(&tunnel.path.local.octets());
        slot.head[38..54].copy_from_slice(&tunnel.path.remote.octets());
        true
    }

    /// Removes a tunnel.
    pub(super) fn remove(&mut self, id: TunnelId) {
        let at = id.0 as usize;
        if let (Some(slot), Some(published)) = (self.slots.get_mut(at), self.published.get_mut(at))
        {
            (*slot, *published) = (TunnelSlot::ABSENT, None);
        }
    }

    /// For admission: the addresses hold, the path may be stale.
    pub(super) fn ends(&self, id: TunnelId) -> Option<&TunnelSlot> {
        self.slots.get(id.0 as usize)
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

fn resolve(slot: &mut TunnelSlot, tunnel: &Tunnel, fib: &Fib, ports: &[PortConfig]) {
    let (path, port) = match fib.lookup(tunnel.path.remote.to_bits()) {
        Route::Send(port, mac) => {
            slot.head[..6].copy_from_slice(&mac.0);
            (Path::Ready, port)
        }
        Route::Unresolved(port, _) => (Path::Unresolved, port),
        // Into a tunnel again or to ourselves: loopback encapsulation (RFC 2473 section 4.1.2).
        Route::Anchored | Route::Local | Route::Unreachable | Route::Blackhole => {
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
