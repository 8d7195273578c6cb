//! Which encapsulation a session gets, and its GRE keys (RFC 5844 4.1.3.1, RFC 5845).
//!
//! ```text
//!   care-of address   GRE Key option   F flag   T flag       packets in
//!   IPv6              no               -        -            IP
//!   IPv6              yes              -        -            GRE
//!   IPv4              no               clear    -            IP
//!   IPv4              no               set      -            UDP
//!   IPv4              yes              -        clear        GRE
//!   IPv4              yes              -        set          UDP, TLV-header, GRE
//! ```

use crate::addr::Encap;
use crate::mobility::config::GrePolicy;
use crate::mobility::message::Transport;
use crate::wire::mh::{BuFlags, Status};
use crate::wire::udp;
use hashbrown::HashSet;
use std::net::Ipv6Addr;

/// What a gateway asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TunnelRequest {
    /// Where the tunnel is to end.
    pub(crate) coa: Ipv6Addr,
    pub(crate) transport: Transport,
    pub(crate) flags: BuFlags,
    pub(crate) gre: Option<GreRequest>,
    /// What the session has with this gateway already.
    pub(crate) current: Option<Encap>,
}

/// A GRE Key option: the downlink key in it, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GreRequest(pub(crate) Option<u32>);

/// What it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TunnelGrant {
    pub(crate) encap: Encap,
    /// The gateway's key: if there is one, ours is to go with it (RFC 5845 3.3.1).
    pub(crate) downlink: Option<u32>,
    /// Below 128: what the acknowledgement says of it.
    pub(crate) status: Status,
}

/// The policy for a session: what customer or gateway requires is required, what neither forbids is
/// allowed.
pub(crate) fn combine(a: GrePolicy, b: GrePolicy) -> GrePolicy {
    match (a, b) {
        (GrePolicy::KeysRequired, _) | (_, GrePolicy::KeysRequired) => GrePolicy::KeysRequired,
        (GrePolicy::NotUsed, _) | (_, GrePolicy::NotUsed) => GrePolicy::NotUsed,
        (GrePolicy::Allowed, GrePolicy::Allowed) => GrePolicy::Allowed,
    }
}

/// Decides. `accept_udp` is `AcceptForcedIPv4UDPEncapsulationRequest`.
pub(crate) fn negotiate(
    request: &TunnelRequest,
    policy: GrePolicy,
    accept_udp: bool,
) -> Result<TunnelGrant, Status> {
    let over_ipv4 = request.coa.to_ipv4_mapped().is_some();
    let forced = over_ipv4 && request.flags.contains(BuFlags::F);
    // RFC 5844 4.1.3.1
    if forced && !accept_udp {
        return Err(Status::ADMINISTRATIVELY_PROHIBITED);
    }
    // RFC 5845 5.2: required are GRE *and* keys.
    if policy == GrePolicy::KeysRequired && !matches!(request.gre, Some(GreRequest(Some(_)))) {
        return Err(Status::GRE_KEY_OPTION_REQUIRED);
    }
    let port = data_port(request.transport);
    let plain = if forced { Encap::Udp(port) } else { Encap::Ip };
    let Some(GreRequest(downlink)) = request.gre else {
        return Ok(TunnelGrant { encap: plain, downlink: None, status: Status::ACCEPTED });
    };
    if policy == GrePolicy::NotUsed {
        let status = Status::GRE_KEY_OPTION_NOT_REQUIRED;
        return Ok(TunnelGrant { encap: plain, downlink: None, status });
    }
    let grant = |encap, status| TunnelGrant { encap, downlink, status };
    if !request.flags.contains(BuFlags::T) {
        return Ok(grant(Encap::Gre, Status::ACCEPTED));
    }
    // RFC 5845 7.4: it is in UDP over IPv4 only.
    if !over_ipv4 || !accept_udp {
        return Ok(grant(Encap::Gre, Status::GRE_TUNNELING_BUT_TLV_HEADER_NOT_SUPPORTED));
    }
    // RFC 5845 7.2: the format does not change before the next handoff.
    if request.current == Some(Encap::Gre) {
        return Ok(grant(Encap::Gre, Status::ACCEPTED));
    }
    Ok(grant(Encap::UdpGre(port), Status::ACCEPTED))
}

/// The port to which packets for a node go (RFC 5844 4.1.4.1). A gateway whose messages come from
/// another port than theirs is behind a translator of ports; it is taken to send its data from the
/// same port as its messages.
fn data_port(transport: Transport) -> u16 {
    let translated = transport.udp_port().filter(|port| *port != udp::SIGNALING_PORT);
    translated.unwrap_or(udp::TUNNEL_PORT)
}

/// The uplink keys in use: each names one session of the appliance. A key that was given back is
/// not given out before all others were.
#[derive(Debug)]
pub(crate) struct GreKeyAllocator {
    next: u32,
    used: HashSet<u32>,
}

impl GreKeyAllocator {
    pub(crate) fn new(first: u32) -> Self {
        Self { next: first, used: HashSet::new() }
    }

    /// A key that no session has. There are more of them than sessions in memory.
    pub(crate) fn allocate(&mut self) -> u32 {
        while self.used.contains(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let key = self.next;
        self.used.insert(key);
        self.next = self.next.wrapping_add(1);
        key
    }

    /// Notes the key of a session that was kept on disk; `false` if another session has it.
    pub(crate) fn restore(&mut self, key: u32) -> bool {
        // Those that were given out before the restart lie behind.
        if key.wrapping_sub(self.next) < 1 << 31 {
            self.next = key.wrapping_add(1);
        }
        self.used.insert(key)
    }

    pub(crate) fn release(&mut self, key: u32) {
        self.used.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_given_out_again_only_after_all_others() {
        let mut keys = GreKeyAllocator::new(u32::MAX);
        assert_eq!([keys.allocate(), keys.allocate()], [u32::MAX, 0]);
        keys.release(u32::MAX);
        assert_eq!(keys.allocate(), 1);
        keys.next = u32::MAX;
        assert_eq!([keys.allocate(), keys.allocate()], [u32::MAX, 2]);
    }

    #[test]
    fn keys_of_restored_sessions_are_behind_the_next_one() {
        let mut keys = GreKeyAllocator::new(100);
        assert!(keys.restore(7) && keys.restore(140) && keys.restore(120));
        assert!(!keys.restore(7));
        assert_eq!(keys.allocate(), 141);
    }
}
