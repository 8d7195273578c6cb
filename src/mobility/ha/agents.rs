//! The home agents of each home link, and what a node is told that asks for them (RFC 6275 10.5,
//! RFC 3963 7).

use super::{HomeAgent, HomeIcmp, HomeIcmpBody, HomeLink, LinkId, RouterHeard};
use crate::addr::HomePrefix;
use crate::mobility::action::Action;
use crate::mobility::digest::Digest;
use crate::time::{Duration, Instant, Now};
use std::collections::BTreeMap;
use std::net::Ipv6Addr;

/// The Home Agents List of each home link, by the link-local addresses of the agents.
#[derive(Debug, Default)]
pub(super) struct AgentLists {
    all: BTreeMap<(LinkId, Ipv6Addr), Agent>,
    /// How often the list was told: agents of equal preference take turns.
    told: u64,
}

#[derive(Debug)]
struct Agent {
    preference: i16,
    until: Instant,
    mobile_routers: bool,
    /// Global addresses, and until when their prefixes are valid.
    addresses: BTreeMap<Ipv6Addr, Instant>,
}

/// Home agents on one link at most, and addresses of each: who is on the link can say anything.
const AGENTS_MAX: usize = 64;
const ADDRESSES_MAX: usize = 16;

/// Addresses in one answer: what fits into 1280 bytes (10.5.1).
const TOLD_MAX: usize = (1280 - 40 - 8) / 16;

/// The interface identifier of the anycast address of a link's home agents (RFC 2526 2).
const HOME_AGENTS_ANYCAST: u64 = 0xfdff_ffff_ffff_fffe;

impl AgentLists {
    /// 10.5.1: a Router Advertisement on a home link.
    pub(super) fn hear(&mut self, heard: &RouterHeard, now: Now) {
        self.expire(now.mono);
        let key = (heard.link, heard.src);
        let lifetime_s = heard.information.map_or(heard.router_lifetime_s, |i| i.lifetime_s);
        if !heard.home_agent || lifetime_s == 0 {
            self.all.remove(&key);
            return;
        }
        let on_link = self.all.keys().filter(|(link, _)| *link == heard.link).count();
        if on_link >= AGENTS_MAX && !self.all.contains_key(&key) {
            return;
        }
        let after = |s: u32| now.mono + Duration::from_secs(s.into());
        let agent = self.all.entry(key).or_insert_with(|| Agent {
            preference: 0,
            until: now.mono,
            mobile_routers: false,
            addresses: BTreeMap::new(),
        });
        agent.preference = heard.information.map_or(0, |i| i.preference);
        agent.mobile_routers = heard.information.is_some_and(|i| i.mobile_routers);
        agent.until = after(lifetime_s.into());
        for prefix in &heard.prefixes {
            let Some(address) = prefix.address.filter(|a| !a.is_multicast()) else { continue };
            if agent.addresses.len() < ADDRESSES_MAX || agent.addresses.contains_key(&address) {
                agent.addresses.insert(address, after(prefix.valid_lifetime_s));
            }
        }
    }

    /// 10.1: what is valid no more is forgotten.
    fn expire(&mut self, now: Instant) {
        self.all.retain(|_, agent| agent.until > now);
        for agent in self.all.values_mut() {
            agent.addresses.retain(|_, until| *until > now);
        }
    }

    /// Forgets the agents of links that are not there any more.
    pub(super) fn keep(&mut self, is_there: impl Fn(LinkId) -> bool) {
        self.all.retain(|(link, _), _| is_there(*link));
    }

    /// The addresses of the other home agents on a link with their preferences, the best first.
    fn others(&self, link: LinkId, routers: bool) -> impl Iterator<Item = (i16, Ipv6Addr)> + '_ {
        let agents = self.all.range((link, Ipv6Addr::UNSPECIFIED)..);
        let agents = agents.take_while(move |((l, _), _)| *l == link).map(|(_, agent)| agent);
        let agents = agents.filter(move |a| a.mobile_routers || !routers);
        agents.flat_map(|a| a.addresses.keys().map(|address| (a.preference, *address)))
    }
}

impl HomeAgent {
    /// 10.5.1: a node asks which home agents its home link has.
    pub(super) fn discover(
        &mut self,
        (src, dst): (Ipv6Addr, Ipv6Addr),
        id: u16,
        mobile_router: bool,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let is_asked = |l: &&HomeLink| l.anycast_addresses().any(|anycast| anycast == dst);
        let asked = self.links.iter().find(is_asked);
        let asked = asked.filter(|_| self.config.enabled && is_one_node(src));
        let asked = asked.map(|link| (link.id, link.preference, self.own_address(link)));
        let Some((at, preference, own)) = asked else { return };
        let agents = self.agents_of(at, (preference, own), mobile_router, now);
        let agents = agents.into_iter().take(TOLD_MAX).collect();
        let body = HomeIcmpBody::DiscoveryReply { id, mobile_routers: mobile_router, agents };
        actions.push(Action::SendIcmp(HomeIcmp {
            src: own,
            dst: src,
            home: None,
            esp: false,
            body,
        }));
    }

    /// The home agents of a link, ourselves among them with this preference and address unless we
    /// leave service: the best first, those of equal preference in another order each time.
    pub(super) fn agents_of(
        &mut self,
        link: Option<LinkId>,
        own: (i16, Ipv6Addr),
        routers: bool,
        now: Now,
    ) -> Vec<Ipv6Addr> {
        self.agents.expire(now.mono);
        self.agents.told += 1;
        let turn = self.agents.told;
        let own = Some(own).filter(|_| self.draining.is_none());
        let others = link.into_iter().flat_map(|link| self.agents.others(link, routers));
        let mut all: Vec<_> = others.chain(own).collect();
        let shuffled = |a: &Ipv6Addr| Digest::new(turn).field(&a.octets()).finish();
        all.sort_by_key(|(preference, a)| (i32::from(*preference).wrapping_neg(), shuffled(a)));
        all.into_iter().map(|(_, address)| address).collect()
    }

    /// Our address on a home link.
    fn own_address(&self, link: &HomeLink) -> Ipv6Addr {
        link.prefixes.iter().find_map(|p| p.address).unwrap_or(self.config.address)
    }
}

impl HomeLink {
    /// The anycast addresses of the home agents of the link, one for each prefix (RFC 6275 8.4).
    pub fn anycast_addresses(&self) -> impl Iterator<Item = Ipv6Addr> + '_ {
        self.prefixes.iter().map(|p| anycast(p.prefix))
    }
}

fn anycast(p: HomePrefix) -> Ipv6Addr {
    let len = p.len();
    // RFC 2526 2: the identifier is what the prefix leaves, its highest bits all ones but for
    // the one that EUI-64 identifiers have in a prefix of 64 bits.
    let low = u128::from(HOME_AGENTS_ANYCAST);
    let ones = !HomePrefix::mask(len);
    let iid = if len == 64 { low } else { ones & !0x7f | 0x7e };
    Ipv6Addr::from_bits(p.bits() | iid & ones)
}

fn is_one_node(address: Ipv6Addr) -> bool {
    !address.is_multicast() && !address.is_unspecified() && !address.is_loopback()
}
