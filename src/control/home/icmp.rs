//! What nodes ask a home agent by ICMPv6 (RFC 6275 6.5, 6.7), by which address (9.3.1), and what
//! home agents of a link say of themselves (7).

use super::super::admission::Admit;
use super::super::counters::Counter;
use super::super::signaling;
use super::Control;
use crate::addr::PortId;
use crate::mobility::event::Event;
use crate::mobility::ha::{AgentInformation, HomeBinding, HomeState, PrefixHeard, RouterHeard};
use crate::mobility::message::Transport;
use crate::mobility::packet::Ends;
use crate::nic::FramePool;
use crate::time::Now;
use crate::wire::ether;
use crate::wire::icmpv6;
use crate::wire::icmpv6::mobility::{AgentAdvertisement, MobilityRequest};
use crate::wire::icmpv6::ndp::Envelope;
use crate::wire::ipv6::{Ipv6Header, find_upper_layer};
use crate::wire::mh::{self, BindingError};
use std::net::Ipv6Addr;

impl<P: FramePool> Control<P> {
    /// Looks at a frame for the kernel that may be a node's question. `true`: it was one.
    pub(super) fn hear_node(&mut self, frame: &[u8], now: Now) -> bool {
        if let Some(claim) = Claim::of(frame).filter(|c| self.own.has(c.dst))
            && !self.is_bound(claim)
        {
            self.counters[Counter::HomeAddressUnbound] += 1;
            self.refuse_claim(claim, now);
            return true;
        }
        let Some((event, from_node)) = question(frame, false) else { return false };
        self.counters[Counter::HomeQuestionReceived] += 1;
        // Anybody may ask: RFC 4443 2.4 (f) in spirit.
        if from_node && self.admit_error(now) {
            self.handle_event(event, now);
        }
        true
    }

    /// Looks at a frame that the kernel took out of ESP. `true`: it was a node's question.
    pub(in crate::control) fn hear_protected(&mut self, frame: &[u8], now: Now) -> bool {
        let Some((event, from_node)) = question(frame, true) else { return false };
        self.counters[Counter::HomeQuestionReceived] += 1;
        let from = signaling::source(frame).filter(|_| from_node);
        if from.is_some_and(|from| self.admit(from, now) == Admit::Yes) {
            self.handle_event(event, now);
        }
        true
    }

    /// RFC 6275 9.3.1: a home address counts only with the care-of address that is registered.
    fn is_bound(&self, claim: Claim) -> bool {
        let is = |b: &HomeBinding| b.state == HomeState::Active && b.care_of == claim.care_of;
        self.anchor.ha().cache().of_home(claim.home).any(is)
    }

    /// RFC 6275 9.3.3: to the care-of address itself, unless that names nobody, or many.
    fn refuse_claim(&mut self, claim: Claim, now: Now) {
        let Claim { care_of, home, dst } = claim;
        if care_of.is_multicast() || care_of.is_unspecified() || care_of.is_loopback() {
            return;
        }
        let ends = Ends { src: dst, dst: care_of, transport: Transport::Ipv6, home: Some(home) };
        let status = BindingError::UNKNOWN_BINDING;
        let write = |buf: &mut [u8]| signaling::write_binding_error(status, &ends, buf);
        self.send_error(care_of, false, Counter::BindingErrorSent, now, write);
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
        let Some(link) = self.home.link_of(port) else { return };
        let router = RouterHeard {
            link,
            src: from.src,
            home_agent: heard.home_agent,
            router_lifetime_s: heard.router_lifetime_s,
            information,
            prefixes,
        };
        self.handle_event(Event::HomeLinkRouter(router), now);
    }
}

/// Whom a packet with a Home Address option is from, as it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Claim {
    care_of: Ipv6Addr,
    home: Ipv6Addr,
    dst: Ipv6Addr,
}

impl Claim {
    /// What a frame claims; `None`: nothing, or what is judged elsewhere (9.3.1: ESP, AH, Mobility
    /// Headers).
    fn of(frame: &[u8]) -> Option<Self> {
        let (ether::IPV6, packet) = ether::payload(frame).ok()? else { return None };
        let ip = Ipv6Header::parse(packet).ok()?;
        let upper = find_upper_layer(packet.get(..ip.packet_len())?).ok()?;
        let (home, _) = upper.home_address?;
        let elsewhere = [ESP, AH, mh::NEXT_HEADER].contains(&upper.next_header);
        (!elsewhere).then_some(Self { care_of: ip.src, home, dst: ip.dst })
    }
}

const ESP: u8 = 50;
const AH: u8 = 51;

/// The question in a frame, and whether it is one of a node that may be answered; `None`: it asks
/// nothing. `esp`: it came in ESP.
fn question(frame: &[u8], esp: bool) -> Option<(Event, bool)> {
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
            Event::PrefixSolicitation { src: ip.src, home, dst: ip.dst, id, esp }
        }
    };
    let one_node = !ip.src.is_multicast() && !ip.src.is_unspecified();
    Some((event, one_node && upper.unskippable_option.is_none()))
}
