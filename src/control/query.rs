//! Answers to operators: one bounded piece of work a question, whatever is listed.
//!
//! A page looks at a bounded number of bindings, however few of them pass the filter: it may be
//! empty and still name a next page. Counters are the workers': the page waits for their answers,
//! or goes without them after [`COUNTERS_TIMEOUT`].

mod home;
mod mip4;

use super::counters::Counter;
use super::{Control, MagInfo};
use crate::addr::{CustomerId, CustomerPrefix, Encap, HomePrefix, MnId};
use crate::admin::api::{
    BindingFilter, BindingRow, CustomerRow, DropRow, MagRow, NeighborRow, PAGE_MAX, Page, PoolRow,
    PortRow, Reply, Request, StatRow, WorkerRow,
};
use crate::admin::channel::Asked;
use crate::config::SIGNALING_RATE;
use crate::dataplane::counters::Counter as WorkerCounter;
use crate::dataplane::drop::DropReason;
use crate::dataplane::update::EntryCounters;
use crate::mobility::PeerState;
use crate::mobility::action::{BindingId, BindingKind};
use crate::mobility::binding::{Bce, BceState};
use crate::mobility::event::Event;
use crate::mobility::ha::Drain;
use crate::nic::FramePool;
use crate::time::{Duration, Instant, Now};
use crate::wire::mh::{AccessNetworkId, AniSubOption};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr};

/// Questions that wait for workers.
#[derive(Debug, Default)]
pub(super) struct Queries {
    pending: VecDeque<Pending>,
    last_token: u64,
}

/// A page of bindings whose counters are on their way.
#[derive(Debug)]
struct Pending {
    asked: Asked,
    page: Page<BindingRow>,
    /// Tokens from this one on are this page's, one for each prefix of each row in turn.
    first_token: u64,
    /// By token.
    counters: Vec<EntryCounters>,
    /// Answers that are still to come.
    missing: usize,
    deadline: Instant,
}

impl Queries {
    /// Takes in a worker's answer.
    pub(super) fn counted(&mut self, token: u64, values: Option<EntryCounters>) {
        let Some(pending) = self.pending.iter_mut().find(|p| p.has(token)) else {
            return; // too late
        };
        pending.missing = pending.missing.saturating_sub(1);
        let place = usize::try_from(token - pending.first_token).unwrap_or(usize::MAX);
        if let (Some(sum), Some(values)) = (pending.counters.get_mut(place), values) {
            // A prefix shorter than /64 is counted by every worker.
            sum.downlink_packets += values.downlink_packets;
            sum.downlink_bytes += values.downlink_bytes;
            sum.uplink_packets += values.uplink_packets;
            sum.uplink_bytes += values.uplink_bytes;
        }
    }

    /// Answers what is complete, and what waited long enough.
    fn finish(&mut self, now: Instant) -> usize {
        let mut work = 0;
        // Workers answer in order, so the oldest is complete first.
        while self.pending.front().is_some_and(|p| p.missing == 0 || p.deadline <= now)
            && let Some(pending) = self.pending.pop_front()
        {
            pending.answer();
            work += 1;
        }
        work
    }
}

impl Pending {
    fn has(&self, token: u64) -> bool {
        token >= self.first_token && token - self.first_token < self.counters.len() as u64
    }

    fn answer(mut self) {
        if self.missing == 0 {
            let mut counters = self.counters.into_iter();
            for row in &mut self.page.rows {
                row.counters = Some(counters.by_ref().take(homes_len(row)).collect());
            }
        }
        self.asked.answer(Reply::Bindings(self.page));
    }
}

impl<P: FramePool> Control<P> {
    /// Takes questions, and answers those that are ready.
    pub(super) fn answer(&mut self, now: Now) -> usize {
        let mut work = self.queries.finish(now.mono);
        while work < QUESTION_BUDGET
            && self.queries.pending.len() < PENDING_MAX
            && !self.publisher.is_backlogged()
            && let Some(asked) = self.questions.try_next()
        {
            self.answer_one(asked, now);
            work += 1;
        }
        work
    }

    fn answer_one(&mut self, asked: Asked, now: Now) {
        let reply = match asked.request.clone() {
            Request::BindingShow { filter, cursor, limit, counters } => {
                match self.bindings(&filter, cursor, limit, now) {
                    Ok(page) if counters => return self.ask_counters(asked, page, now),
                    Ok(page) => Reply::Bindings(page),
                    Err(why) => Reply::Error(why),
                }
            }
            Request::BindingDel { mn_id, prefix, customer } => self
                .delete_bindings(mn_id, prefix, customer.as_deref(), now)
                .unwrap_or_else(Reply::Error),
            Request::RealmDel { realm, mag } => self.revoke_realm(realm, mag.map(mapped), now),
            Request::NodeDrain { within_s } => self.drain_node(home::drain(within_s), now),
            Request::NodeServe => self.drain_node(Drain::End, now),
            Request::MagShow => Reply::Mags(self.mag_rows(now)),
            Request::MagAdd { address, name } => self.add_mag(mapped(address), name, now),
            Request::MagDel { address, revoke } => self.withdraw_mag(mapped(address), revoke, now),
            Request::PoolShow => Reply::Pools(self.pool_rows()),
            Request::PortShow => Reply::Ports(self.port_rows()),
            Request::WorkerShow => Reply::Workers(self.worker_rows()),
            Request::DropShow => Reply::Drops(self.drop_rows()),
            Request::StatsShow => Reply::Stats(self.stat_rows()),
            Request::NeighborShow => Reply::Neighbors(self.neighbor_rows()),
            Request::PolicyShow => Reply::Policies(self.policy_rows()),
            Request::CustomerShow => Reply::Customers(self.customer_rows()),
        };
        asked.answer(reply);
    }

    fn bindings(
        &self,
        filter: &BindingFilter,
        cursor: u64,
        limit: usize,
        now: Now,
    ) -> Result<Page<BindingRow>, String> {
        let limit = limit.clamp(1, PAGE_MAX);
        let filter = &Filter {
            mag: filter.mag.map(mapped),
            prefix: filter.prefix,
            customer: filter.customer.as_deref().map(|c| self.customer_by_name(c)).transpose()?,
            mn_id: filter.mn_id.as_ref(),
        };
        let row = |b: &Bce, now| row(b, self.customers.get(&b.customer), now);
        let cache = self.anchor.lma().cache();
        if let Some(mn_id) = filter.mn_id {
            // By its index: the filter need not walk the table.
            let sessions = cache.of_node(mn_id).filter(|b| passes(b, filter));
            let homes = self.homes_of(mn_id, filter, now);
            let mip4 = self.registrations_of(mn_id, filter, now);
            let rows = sessions.map(|b| row(b, now.mono)).chain(homes).chain(mip4);
            return Ok(Page { rows: rows.take(limit).collect(), next: None });
        }
        // What a page ended with; proxy bindings are counted from zero.
        let after = BindingId(cursor);
        match after.kind() {
            BindingKind::Proxy => {}
            BindingKind::Home => return Ok(self.home_page(after, limit, filter, now)),
            BindingKind::Home4 => return Ok(self.mip4_page(after, limit, filter, now)),
        }
        let (slots, after) = cache.page(cursor, SLOTS_PER_PAGE);
        let mut rows = Vec::new();
        let mut slots = slots.filter(|(_, b)| passes(b, filter));
        for (next, bce) in slots.by_ref() {
            rows.push(row(bce, now.mono));
            if rows.len() == limit {
                return Ok(Page { rows, next: Some(next) });
            }
        }
        Ok(Page { rows, next: after.or_else(|| self.home_cursor()) })
    }

    fn customer_by_name(&self, name: &str) -> Result<CustomerId, String> {
        let found = self.customers.iter().find(|(_, n)| *n == name).map(|(id, _)| *id);
        let own = || (name == OPERATOR).then(CustomerId::default);
        found.or_else(own).ok_or_else(|| format!("no customer {name}: see `customer show`"))
    }

    fn customer_name(&self, id: CustomerId) -> &str {
        self.customers.get(&id).map_or(OPERATOR, String::as_str)
    }

    /// What is forwarded for a session, in the order of its counters.
    fn homes(&self, row: &BindingRow) -> Vec<CustomerPrefix> {
        let customer = row.customer.as_deref().and_then(|c| self.customer_by_name(c).ok());
        let ipv4 = row.ipv4.and_then(|a| HomePrefix::from_ipv4(a, 32).ok());
        let address = row.home_address.and_then(|a| HomePrefix::new(a, 128).ok());
        let homes = address.into_iter().chain(row.hnp.iter().copied()).chain(ipv4);
        homes.map(|p| p.of(customer.unwrap_or_default())).collect()
    }

    fn ask_counters(&mut self, asked: Asked, page: Page<BindingRow>, now: Now) {
        let first_token = self.queries.last_token + 1;
        let mut missing = 0;
        for prefix in page.rows.iter().flat_map(|row| self.homes(row)).collect::<Vec<_>>() {
            self.queries.last_token += 1;
            missing += self.publisher.ask_counters(prefix, self.queries.last_token);
        }
        let prefixes = page.rows.iter().map(homes_len).sum();
        let counters = vec![EntryCounters::default(); prefixes];
        let deadline = now.mono + COUNTERS_TIMEOUT;
        let pending = Pending { asked, page, first_token, counters, missing, deadline };
        self.queries.pending.push_back(pending);
    }

    /// Not held up by a journal that is stuck: a binding ends once, so what waits is bounded. The
    /// same identifier may be that of nodes of several customers: then one has to be named.
    fn delete_bindings(
        &mut self,
        mn_id: MnId,
        prefix: Option<HomePrefix>,
        customer: Option<&str>,
        now: Now,
    ) -> Result<Reply, String> {
        let customer = customer.map(|c| self.customer_by_name(c)).transpose()?;
        let meant = |b: &&Bce| {
            prefix.is_none_or(|p| holds(b, p)) && customer.is_none_or(|c| b.customer == c)
        };
        let mut found: Vec<CustomerId> =
            self.anchor.lma().cache().of_node(&mn_id).filter(meant).map(|b| b.home).collect();
        found.extend(self.own_bindings(&mn_id, prefix, customer));
        let Some(first) = found.first() else {
            let what = prefix.map_or_else(String::new, |p| format!(" with prefix {p}"));
            return Err(format!("no binding of {mn_id}{what}: see `binding show`"));
        };
        let other = found.iter().find(|c| *c != first).filter(|_| customer.is_none());
        if let Some(other) = other {
            let [one, other] = [first, other].map(|c| self.customer_name(*c));
            return Err(format!("{mn_id} is a node of {one} and one of {other}: name a customer"));
        }
        self.handle_event(Event::AdminDelete { mn_id, prefix, customer }, now);
        Ok(Reply::Deleted { sessions: found.len() })
    }

    fn revoke_realm(&mut self, realm: MnId, mag: Option<Ipv6Addr>, now: Now) -> Reply {
        if let Some(stranger) = mag.filter(|mag| !self.mags.contains_key(mag)) {
            return no_gateway(stranger);
        }
        self.handle_event(Event::RealmRevoke { realm, mag }, now);
        Reply::Done
    }

    fn mag_rows(&self, now: Now) -> Vec<MagRow> {
        let name = |a: &Ipv6Addr| self.mags.get(a).map(|m| m.name.clone()).unwrap_or_default();
        let mut rows: Vec<MagRow> = self
            .anchor
            .lma()
            .mags()
            .map(|m| MagRow {
                address: m.address.to_canonical(),
                name: name(&m.address),
                authorized: m.authorized,
                bindings: m.usage.bindings,
                pbu_received: m.usage.pbu_received,
                pba_accepted: m.usage.pba_accepted,
                pba_refused: m.usage.pba_refused,
                tunnel_mtu: self.publisher.tunnel_mtu(m.address),
                peer: peer_state(m.peer.state),
                answered_s: m.peer.answered.map(|at| now.mono.since(at).as_secs()),
                restart_counter: m.peer.restart_counter,
                refused_busy: self.inbox.counts(m.address).refused,
                dropped: self.inbox.counts(m.address).dropped,
                malformed: self.inbox.counts(m.address).malformed,
            })
            .collect();
        rows.sort_by_key(|r| r.address);
        rows
    }

    fn add_mag(&mut self, address: Ipv6Addr, name: String, now: Now) -> Reply {
        self.forget_mags();
        if !self.mags.contains_key(&address) && self.mags.len() >= self.mags_max {
            let max = self.mags_max;
            return Reply::Error(format!("{max} gateways are known, which is the most"));
        }
        let tunnel_mtu = self.publisher.tunnel_mtu(address);
        let signaling_rate = SIGNALING_RATE;
        let ipsec = self.requires_ipsec(address);
        self.mags.insert(address, MagInfo { name, address, tunnel_mtu, signaling_rate, ipsec });
        self.inbox.add(address, signaling_rate);
        self.handle_event(Event::MagAdd(address), now);
        self.output.keep_mag(address, &mut self.counters);
        Reply::Done
    }

    fn withdraw_mag(&mut self, address: Ipv6Addr, revoke: bool, now: Now) -> Reply {
        if !self.mags.contains_key(&address) {
            return no_gateway(address);
        }
        let event = if revoke { Event::MagRevoke(address) } else { Event::MagDel(address) };
        self.handle_event(event, now);
        self.forget_mags();
        Reply::Done
    }

    /// Forgets the gateways that the pure core has forgotten: withdrawn, and without a session.
    pub(super) fn forget_mags(&mut self) {
        let (lma, output, counters) = (self.anchor.lma(), &mut self.output, &mut self.counters);
        let inbox = &mut self.inbox;
        self.mags.retain(|&address, _| {
            let known = lma.knows_mag(address);
            if !known {
                output.release_mag(address, counters);
                inbox.remove(address);
            }
            known
        });
    }

    fn pool_rows(&self) -> Vec<PoolRow> {
        let rows = self.anchor.lma().pools().zip(self.pools.clone()).map(|(usage, name)| PoolRow {
            name,
            customer: self.customers.get(&usage.customer).cloned(),
            prefix: usage.prefix,
            delegated_len: usage.delegated_len,
            capacity: usage.capacity,
            used: usage.used,
        });
        rows.collect()
    }

    fn customer_rows(&self) -> Vec<CustomerRow> {
        let pools = |name: &String| {
            let own = self.pool_rows().into_iter().filter(|p| p.customer.as_ref() == Some(name));
            own.map(|p| p.name).collect()
        };
        let row = |(id, bindings, most): (CustomerId, usize, usize)| {
            let name = self.customers.get(&id)?;
            Some(CustomerRow {
                name: name.clone(),
                id: id.0,
                bindings,
                max_bindings: (most < usize::MAX).then_some(most),
                pools: pools(name),
            })
        };
        self.anchor.lma().customers().filter_map(row).collect()
    }

    fn port_rows(&self) -> Vec<PortRow> {
        let rows = self.output.ports().iter().map(|port| {
            let status = (port.status)();
            PortRow {
                name: port.name.clone(),
                role: port.role,
                device: port.device.clone(),
                driver: port.driver.clone(),
                mac: port.mac,
                mtu: port.mtu,
                link_up: status.link_up,
                rx_packets: status.rx_packets,
                tx_packets: status.tx_packets,
                rx_missed: status.rx_missed,
                tx_errors: status.tx_errors,
                signaling: port.signaling.into(),
                steering: port.steering.into(),
            }
        });
        rows.collect()
    }

    fn worker_rows(&self) -> Vec<WorkerRow> {
        let lanes = self.publisher.lanes();
        let rows = (0u16..).zip(self.workers.iter().zip(lanes)).map(|(worker, (ends, lane))| {
            let s = ends.counters.snapshot();
            WorkerRow {
                worker,
                cpu: ends.cpu,
                rx_packets: s.get(WorkerCounter::RxPackets),
                tx_packets: s.get(WorkerCounter::TxPackets),
                punted: s.get(WorkerCounter::PuntSignaling)
                    + s.get(WorkerCounter::PuntException)
                    + s.get(WorkerCounter::PuntUnresolved),
                handed_off: s.get(WorkerCounter::HandoffSent),
                drops: s.dropped_total(),
                entries: s.get(WorkerCounter::Entries),
                applied_seq: lane.applied().0,
                busy_polls: s.get(WorkerCounter::BusyPolls),
                polls: s.get(WorkerCounter::Polls),
            }
        });
        rows.collect()
    }

    fn drop_rows(&self) -> Vec<DropRow> {
        let snapshots: Vec<_> = self.workers.iter().map(|w| w.counters.snapshot()).collect();
        let rows = DropReason::ALL.iter().map(|&reason| DropRow {
            reason: reason.name().into(),
            description: reason.description().into(),
            packets: snapshots.iter().map(|s| s.dropped(reason)).sum(),
        });
        rows.collect()
    }

    fn stat_rows(&self) -> Vec<StatRow> {
        let row = |name: &str, value| StatRow { name: name.into(), value };
        let gauges = [
            row("bindings", self.anchor.lma().cache().len() as u64),
            row("home_bindings", self.anchor.ha().cache().len() as u64),
            row("mip4_registrations", self.anchor.mip4().len() as u64),
            row("pbu_waiting", self.anchor.lma().waiting() as u64),
            row("policy_waiting", self.anchor.lma().waiting_for_policy() as u64),
            row("replies_held", self.held.len() as u64),
            row("updates_backlog", self.publisher.backlog_len() as u64),
        ];
        let counters = Counter::ALL.iter().map(|&c| row(c.name(), self.counters[c]));
        // What the workers count besides drops, summed up.
        let workers: Vec<_> = self.workers.iter().map(|w| w.counters.snapshot()).collect();
        let of_workers = WorkerCounter::ALL
            .iter()
            .map(|&c| row(&format!("worker_{}", c.name()), workers.iter().map(|w| w.get(c)).sum()));
        gauges.into_iter().chain(counters).chain(of_workers).collect()
    }

    fn neighbor_rows(&self) -> Vec<NeighborRow> {
        let port_name = |port: u16| {
            let port = self.output.ports().get(usize::from(port));
            port.map_or_else(String::new, |p| p.name.clone())
        };
        let rows = self.output.neighbors.rows().into_iter().map(|((port, address), n)| {
            let address = address.to_canonical();
            NeighborRow { port: port_name(port.0), address, mac: n.mac, state: n.state.into() }
        });
        rows.collect()
    }
}

/// Whether a gateway lives, in the words of `mag.show`.
fn peer_state(state: PeerState) -> String {
    match state {
        PeerState::Idle => "idle".into(),
        PeerState::Asked => "asked".into(),
        PeerState::Reachable => "reachable".into(),
        PeerState::Missing(n) => format!("missing {n}"),
        PeerState::Failed => "failed".into(),
        PeerState::Unsupported => "unsupported".into(),
    }
}

/// [`BindingFilter`] in our own terms.
struct Filter<'f> {
    mn_id: Option<&'f MnId>,
    mag: Option<Ipv6Addr>,
    prefix: Option<HomePrefix>,
    customer: Option<CustomerId>,
}

fn passes(bce: &Bce, filter: &Filter<'_>) -> bool {
    let overlaps = |wanted: HomePrefix| {
        bce.prefixes().any(|p| wanted.covers(p.prefix) || p.prefix.covers(wanted))
    };
    filter.mag.is_none_or(|mag| bce.proxy_coa.0 == mag)
        && filter.customer.is_none_or(|customer| bce.customer == customer)
        && filter.prefix.is_none_or(overlaps)
}

fn holds(bce: &Bce, prefix: HomePrefix) -> bool {
    bce.prefixes().any(|p| p.prefix == prefix)
}

fn no_gateway(address: Ipv6Addr) -> Reply {
    Reply::Error(format!("no gateway {}: see `mag show`", address.to_canonical()))
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(a) => a.to_ipv6_mapped(),
        IpAddr::V6(a) => a,
    }
}

fn homes_len(row: &BindingRow) -> usize {
    usize::from(row.home_address.is_some()) + row.hnp.len() + usize::from(row.ipv4.is_some())
}

fn encapsulation(encap: Encap) -> (&'static str, Option<u16>) {
    match encap {
        Encap::Ip => ("ip", None),
        Encap::Gre => ("gre", None),
        Encap::Udp(port) => ("udp", Some(port)),
        Encap::UdpGre(port) => ("udp-gre", Some(port)),
        Encap::Mip4Udp(port) => ("udp-434", Some(port)),
        Encap::Mip6Udp(port) => ("udp-4191", Some(port)),
    }
}

/// Names as text, the rest in hexadecimal.
fn access_network(bytes: &[u8]) -> Option<String> {
    let text = |b: &[u8]| String::from_utf8_lossy(b).replace(char::is_control, "?");
    let hex = |b: &[u8]| b.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().concat();
    let part = |sub: AniSubOption<'_>| match sub {
        AniSubOption::Network { name, access_point: b"", .. } => text(name),
        AniSubOption::Network { name, access_point, .. } => {
            format!("{} {}", text(name), text(access_point))
        }
        AniSubOption::GeoLocation { latitude, longitude } => {
            let degrees = |n| f64::from(n) / 32_768.0;
            format!("{:.4},{:.4}", degrees(latitude), degrees(longitude))
        }
        AniSubOption::Operator(OPERATOR_REALM, realm) => format!("operator {}", text(realm)),
        AniSubOption::Operator(kind, id) => format!("operator {kind}:{}", hex(id)),
        AniSubOption::Unknown(kind, data) => format!("{kind}:{}", hex(data)),
    };
    let parts: Vec<String> = AccessNetworkId::parse(bytes).ok()?.iter().map(part).collect();
    Some(parts.join(", "))
}

/// RFC 6757 3.3.1: the operator's identifier is a realm.
const OPERATOR_REALM: u8 = 2;

fn row(bce: &Bce, customer: Option<&String>, now: Instant) -> BindingRow {
    let (encapsulation, udp_port) = encapsulation(bce.encap);
    let keys = bce.keys_in_use();
    let left = bce.remaining(now);
    let ll_id = bce.mn_ll_id.bytes();
    BindingRow {
        mn_id: bce.mn_id.clone(),
        kind: "proxy".into(),
        home_address: None,
        customer: customer.cloned(),
        service: bce.service.as_deref().map(Into::into),
        hnp: bce.hnp.to_vec(),
        ipv4: bce.ipv4.map(|a| a.home.addr()),
        default_router: bce.ipv4.map(|a| a.default_router),
        proxy_coa: bce.proxy_coa.0.to_canonical(),
        mag: bce.mag.to_canonical(),
        encapsulation: encapsulation.into(),
        udp_port,
        downlink_key: keys.downlink,
        uplink_key: keys.uplink,
        access_network: bce.access_network.as_deref().and_then(access_network),
        state: match bce.state {
            BceState::Active => "active".into(),
            BceState::Deleting => "deleting".into(),
        },
        seq: None,
        flags: None,
        handoff: bce.handoff.0,
        att: bce.att.0,
        mn_ll_id: (!bce.mn_ll_id.is_all_zero())
            .then(|| ll_id.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().concat()),
        link_local: (!bce.link_local.is_unspecified()).then_some(bce.link_local),
        lifetime_s: u32::try_from(bce.lifetime.duration().as_secs()).unwrap_or(u32::MAX),
        lifetime_left_s: u32::try_from(left.as_secs()).unwrap_or(u32::MAX),
        handoffs: bce.handoffs,
        advertisement: None,
        counters: None,
    }
}

/// Names the operator's own address space where customers are named.
const OPERATOR: &str = "-";
/// Questions taken a turn.
const QUESTION_BUDGET: usize = 4;
/// Pages that wait for workers at a time.
const PENDING_MAX: usize = 16;
/// Slots of the binding cache looked at for one page.
const SLOTS_PER_PAGE: usize = 4096;
/// How long a page waits for the workers' counters.
const COUNTERS_TIMEOUT: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests;
