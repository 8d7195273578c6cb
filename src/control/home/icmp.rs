//! What nodes ask a home agent by ICMPv6 (RFC 6275 6.5, 6.7), and what home agents of a link say of
//! themselves (7).

use super::super::counters::Counter;
use super::Control;
use crate::addr::PortId;
use crate::mobility::event::Event;
use crate::mobility::ha::{AgentInformation, LinkId, PrefixHeard, RouterHeard};
use crate::nic::FramePool;
use crate::time::Now;
use crate::wire::ether;
use crate::wire::icmpv6;
use crate::wire::icmpv6::mobility::{AgentAdvertisement, MobilityRequest};
use crate::wire::icmpv6::ndp::Envelope;
use crate::wire::ipv6::{Ipv6Header, find_upper_layer};

impl<P: FramePool> Control<P> {
    /// Looks at a frame for the kernel that may be a node's question. `true`: it was one.
    pub(super) fn hear_node(&mut self, frame: &[u8], now: Now) -> bool {
        let Some((event, from_node)) = question(frame) else { return false };
        self.counters[Counter::HomeQuestionReceived] += 1;
        // Anybody may ask: RFC 4443 2.4 (f) in spirit.
        if from_node && self.admit_error(now) {
            self.handle_event(event, now);
        }
        true
    }

    /// RFC 6275 10.5.1: a router on home links.
    pub(super) fn hear_router(&mut self, port: PortId, message: &[u8], from: Envelope, now: Now) {
        let Ok(heard) = AgentAdvertisement::parse(message, from) else { return };
        let information = heard.information.map(|(preference, lifetime_s, mobile_routers)| {
            AgentInformation { preference, lifetime_s, mobile_routers }
        });
        let prefixes: Vec<PrefixHeard> = heard
            .prefixes()
            .map(|p| PrefixHeard {
                prefix: p.prefix,
                address: p.address,
                valid_lifetime_s: p.valid_lifetime_s,
            })
            .collect();
        let links: Vec<LinkId> = self.home.links_of(port).collect();
        for link in links {
            let router = RouterHeard {
                link,
                src: from.src,
                home_agent: heard.home_agent,
                router_lifetime_s: heard.router_lifetime_s,
                information,
                prefixes: prefixes.clone(),
            };
            self.handle_event(Event::HomeLinkRouter(router), now);
        }
    }
}

/// The question in a frame, and whether it is one of a node that may be answered; `None`: it asks
/// nothing.
fn question(frame: &[u8]) -> Option<(Event, bool)> {
    let (ether::IPV6, packet) = ether::payload(frame).ok()? else { return None };
    let ip = Ipv6Header::parse(packet).ok()?;
    let packet = packet.get(..ip.packet_len())?;
    let upper = find_upper_layer(packet).ok()?;
    if upper.next_header != icmpv6::NEXT_HEADER || upper.is_fragment {
        return None;
    }
    let home = upper.home_address.map(|(home, _)| home);
    // 6.3: the home address counts for the checksum.
    let message = packet.get(upper.offset..)?;
    let event = match MobilityRequest::parse(message, home.unwrap_or(ip.src), ip.dst).ok()? {
        MobilityRequest::Discovery { id, mobile_router } => {
            Event::AgentDiscovery { src: ip.src, dst: ip.dst, id, mobile_router }
        }
        // 6.7: from the care-of address with a Home Address option, or from home.
        MobilityRequest::Prefixes { id } => {
            let home = home.unwrap_or(ip.src);
            Event::PrefixSolicitation { src: ip.src, home, dst: ip.dst, id }
        }
    };
    let one_node = !ip.src.is_multicast() && !ip.src.is_unspecified();
    Some((event, one_node && upper.unskippable_option.is_none()))
}
