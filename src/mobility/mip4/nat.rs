//! Is there a NAT, and is there a UDP tunnel through it (RFC 3519 4.6, 4.6.1)?

use crate::addr::Encap;
use crate::mobility::mip4::NatPolicy;
use crate::mobility::mip4::request::Request;
use crate::wire::mip4::{ReplyCode, RequestFlags, UdpTunnelReply};
use std::net::Ipv4Addr;

/// What becomes of a request for a UDP tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nat {
    /// The node asked, not the foreign agent.
    pub(super) by_node: bool,
    /// The tunnel's end is where the node's first keepalive comes from.
    pub(super) half_bound: bool,
    /// What is answered.
    pub(super) reply: UdpTunnelReply,
}

impl Nat {
    /// Whether there is a tunnel.
    pub(super) const fn has_tunnel(self) -> bool {
        self.reply.code == UdpTunnelReply::WILL_TUNNEL
    }
}

/// What is to be done about a request from `src`; `None` if nobody asked.
pub(super) fn decide(
    request: &Request<'_>,
    src: Ipv4Addr,
    policy: NatPolicy,
) -> Result<Option<Nat>, ReplyCode> {
    let (asked, by_node) = match (request.node.udp_tunnel, request.agent.udp_tunnel) {
        (Some(asked), _) => (asked, true),
        (None, Some(asked)) => (asked, false),
        (None, None) => return Ok(None),
    };
    let flags = request.fixed.flags;
    // 4.6.1: the node has a co-located address if it asks, and has none if the foreign agent does.
    if flags.contains(RequestFlags::D) != by_node {
        return Err(ReplyCode::POORLY_FORMED);
    }
    let answer = |code, forced, keepalive_s| {
        let reply = UdpTunnelReply { code, forced, keepalive_s };
        // 4.11: the node speaks through an agent, and its tunnel goes another way. (An agent that
        // asks for itself is the tunnel's end.)
        Ok(Some(Nat { by_node, half_bound: by_node && asked.through_agent, reply }))
    };
    let is_behind_nat = src != request.fixed.care_of;
    if !(is_behind_nat || asked.force) {
        return answer(UdpTunnelReply::DECLINED, false, 0);
    }
    let permitted = if is_behind_nat { policy.traversal } else { policy.forced };
    if !permitted {
        return Err(ReplyCode::PROHIBITED);
    }
    // 3.1.4, 4.1
    let wanted = match asked.encapsulation {
        0 if flags.contains(RequestFlags::G) => GRE,
        0 if flags.contains(RequestFlags::M) => MINIMAL,
        0 => IP,
        other => other,
    };
    if wanted != IP {
        return Err(ReplyCode::UDP_ENCAPSULATION_UNAVAILABLE);
    }
    answer(UdpTunnelReply::WILL_TUNNEL, !is_behind_nat, policy.keepalive_s)
}

/// In what packets travel without a UDP tunnel. RFC 3024 4.3.1: minimal encapsulation is refused,
/// unless GRE would do as well.
pub(super) fn encapsulation(flags: RequestFlags) -> Result<Encap, ReplyCode> {
    if flags.contains(RequestFlags::G) {
        Ok(Encap::Gre)
    } else if flags.contains(RequestFlags::M) {
        Err(ReplyCode::ENCAPSULATION_UNAVAILABLE)
    } else {
        Ok(Encap::Ip)
    }
}

/// Protocol numbers.
const IP: u8 = 4;
const GRE: u8 = 47;
const MINIMAL: u8 = 55;
