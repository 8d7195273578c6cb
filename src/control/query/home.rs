//! Bindings of nodes that registered themselves, as rows: they come behind all proxy bindings.

use super::{Control, Filter, SLOTS_PER_PAGE, encapsulation};
use crate::addr::{CustomerId, HomePrefix, MnId};
use crate::admin::api::{AdvertisementRow, BindingRow, Page, Reply};
use crate::mobility::action::{BindingId, BindingKind};
use crate::mobility::event::Event;
use crate::mobility::ha::{Drain, HomeBinding, HomeState};
use crate::nic::FramePool;
use crate::time::{Instant, Lifetime, Now};
use crate::wire::mh::BuFlags;
use std::net::Ipv6Addr;

impl<P: FramePool> Control<P> {
    /// Where a listing of proxy bindings that has ended goes on.
    pub(super) fn home_cursor(&self) -> Option<u64> {
        let first = BindingId::new(BindingKind::Home, 0);
        let some = !self.anchor.ha().cache().is_empty();
        some.then_some(first.0).or_else(|| self.mip4_cursor())
    }

    /// Of one node, whosever it is.
    pub(super) fn homes_of(&self, mn_id: &MnId, filter: &Filter<'_>, now: Now) -> Vec<BindingRow> {
        let customers = self.anchor.lma().customers().map(|(id, ..)| id);
        let cache = self.anchor.ha().cache();
        let own = customers.flat_map(|customer| cache.of_node(customer, mn_id));
        own.filter(|b| passes(b, filter)).map(|b| self.home_row(b, now.mono)).collect()
    }

    /// Whose the bindings are that a node has by itself, in the address space of this customer and
    /// with this prefix.
    pub(super) fn own_bindings(
        &self,
        mn_id: &MnId,
        prefix: Option<HomePrefix>,
        customer: Option<CustomerId>,
    ) -> Vec<CustomerId> {
        let customers = self.anchor.lma().customers().map(|(id, ..)| id);
        let homes = customers.flat_map(|c| self.anchor.ha().cache().of_node(c, mn_id));
        let holds = |b: &&HomeBinding| prefix.is_none_or(|p| b.keys().any(|k| k.prefix == p));
        let homes = homes.filter(holds).map(|b| b.customer);
        let mip4 = self.anchor.mip4().named(mn_id);
        let mip4 = mip4.filter(|r| prefix.is_none_or(|p| r.holds(p))).map(|r| r.customer);
        homes.chain(mip4).filter(|c| customer.is_none_or(|wanted| *c == wanted)).collect()
    }

    /// A page of them, behind the one that the cursor names.
    pub(super) fn home_page(
        &self,
        after: BindingId,
        limit: usize,
        filter: &Filter<'_>,
        now: Now,
    ) -> Page<BindingRow> {
        let mut rows = Vec::new();
        let all = self.anchor.ha().cache().from(Some(after));
        for (seen, binding) in all.enumerate() {
            if rows.len() == limit || seen == SLOTS_PER_PAGE {
                // The one before this one was looked at last.
                return Page { rows, next: Some(binding.id.0 - 1) };
            }
            rows.extend(passes(binding, filter).then(|| self.home_row(binding, now.mono)));
        }
        Page { rows, next: self.mip4_cursor() }
    }

    /// Takes the home agent out of service, or back.
    pub(super) fn drain_node(&mut self, drain: Drain, now: Now) -> Reply {
        if !self.anchor.ha().is_enabled() && !self.anchor.mip4().is_enabled() {
            let what = "this anchor is no home agent: there is neither [home_agent] nor [mip4]";
            return Reply::Error(what.into());
        }
        self.handle_event(Event::NodeDrain(drain), now);
        Reply::Done
    }

    fn home_row(&self, b: &HomeBinding, now: Instant) -> BindingRow {
        let (encapsulation, udp_port) = encapsulation(b.encap);
        let left = b.deadline.since(now);
        BindingRow {
            mn_id: b.mn_id.clone(),
            kind: "home".into(),
            home_address: Some(b.home),
            customer: self.customers.get(&b.customer).cloned(),
            service: None,
            hnp: b.networks.to_vec(),
            ipv4: b.ipv4.and_then(HomePrefix::to_ipv4).map(|(address, _)| address),
            default_router: None,
            proxy_coa: b.care_of.to_canonical(),
            mag: b.peer.to_canonical(),
            encapsulation: encapsulation.into(),
            udp_port,
            downlink_key: None,
            uplink_key: None,
            access_network: None,
            state: state(b.state).into(),
            seq: Some(b.seq.0),
            flags: Some(flags(b.flags)),
            handoff: 0,
            att: 0,
            mn_ll_id: None,
            link_local: None,
            lifetime_s: u32::try_from(b.lifetime.duration().as_secs()).unwrap_or(u32::MAX),
            lifetime_left_s: u32::try_from(left.as_secs()).unwrap_or(u32::MAX),
            handoffs: b.moves,
            advertisement: self.anchor.ha().pending(b.id).map(|p| AdvertisementRow {
                due_s: p.due.since(now).as_secs(),
                unanswered: p.unanswered,
            }),
            counters: None,
        }
    }
}

/// What `within_s` of `node.drain` says: whole units of a lifetime.
pub(super) fn drain(within_s: Option<u32>) -> Drain {
    let lifetime = |s: u32| Lifetime(u16::try_from(s / 4).unwrap_or(u16::MAX));
    Drain::Begin { within: within_s.map(lifetime) }
}

fn passes(b: &HomeBinding, filter: &Filter<'_>) -> bool {
    let overlaps = |wanted| b.keys().any(|k| k.prefix.covers(wanted) || wanted.covers(k.prefix));
    filter.mag.is_none_or(|mag: Ipv6Addr| b.care_of == mag)
        && filter.customer.is_none_or(|customer| b.customer == customer)
        && filter.prefix.is_none_or(overlaps)
}

const fn state(state: HomeState) -> &'static str {
    match state {
        HomeState::Probing => "probing",
        HomeState::Active => "active",
        HomeState::Invalid => "home",
        HomeState::Proxied => "proxied",
    }
}

/// The flags of a binding update by their letters (RFC 6275 6.1.7, RFC 3963 4.1.1).
fn flags(flags: BuFlags) -> String {
    let letters = [
        (BuFlags::A, 'A'),
        (BuFlags::H, 'H'),
        (BuFlags::L, 'L'),
        (BuFlags::K, 'K'),
        (BuFlags::R, 'R'),
        (BuFlags::P, 'P'),
    ];
    letters.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, letter)| letter).collect()
}
