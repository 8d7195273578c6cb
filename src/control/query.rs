//! Answers to operators: one bounded piece of work a question, whatever is listed.
//!
//! A page looks at a bounded number of bindings, however few of them pass the filter: it may be
//! empty and still name a next page. Counters are the workers': the page waits for their answers,
//! or goes without them after [`COUNTERS_TIMEOUT`].

use super::counters::Counter;
use super::{Control, MagInfo};
use crate::addr::{HomePrefix, MnId};
use crate::admin::api::{
    BindingFilter, BindingRow, DropRow, MagRow, NeighborRow, PAGE_MAX, Page, PoolRow, PortRow,
    Reply, Request, StatRow, WorkerRow,
};
use crate::admin::channel::Asked;
use crate::config::SIGNALING_RATE;
use crate::dataplane::counters::Counter as WorkerCounter;
use crate::dataplane::drop::DropReason;
use crate::dataplane::update::EntryCounters;
use crate::mobility::PeerState;
use crate::mobility::binding::{Bce, BceState};
use crate::mobility::event::Event;
use crate::nic::FramePool;
use crate::time::{Duration, Instant, Now};
use std::collections::VecDeque;
use std::net::Ipv6Addr;

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
                row.counters = Some(counters.by_ref().take(row.hnp.len()).collect());
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
                let page = self.bindings(&filter, cursor, limit, now);
                if counters {
                    self.ask_counters(asked, page, now);
                    return;
                }
                Reply::Bindings(page)
            }
            Request::BindingDel { mn_id, prefix } => self.delete_bindings(mn_id, prefix, now),
            Request::MagShow => Reply::Mags(self.mag_rows(now)),
            Request::MagAdd { address, name } => self.add_mag(address, name, now),
            Request::MagDel { address, revoke } => self.withdraw_mag(address, revoke, now),
            Request::PoolShow => Reply::Pools(self.pool_rows()),
            Request::PortShow => Reply::Ports(self.port_rows()),
            Request::WorkerShow => Reply::Workers(self.worker_rows()),
            Request::DropShow => Reply::Drops(self.drop_rows()),
            Request::StatsShow => Reply::Stats(self.stat_rows()),
            Request::NeighborShow => Reply::Neighbors(self.neighbor_rows()),
        };
        asked.answer(reply);
    }

    fn bindings(
        &self,
        filter: &BindingFilter,
        cursor: u64,
        limit: usize,
        now: Now,
    ) -> Page<BindingRow> {
        let limit = limit.clamp(1, PAGE_MAX);
        let cache = self.lma.cache();
        if let Some(mn_id) = &filter.mn_id {
            // By its index: the filter need not walk the table.
            let sessions = cache.of_node(mn_id).filter(|b| passes(b, filter));
            let rows = sessions.take(limit).map(|b| row(b, now.mono)).collect();
            return Page { rows, next: None };
        }
        let (slots, after) = cache.page(cursor, SLOTS_PER_PAGE);
        let mut rows = Vec::new();
        let mut slots = slots.filter(|(_, b)| passes(b, filter));
        for (next, bce) in slots.by_ref() {
            rows.push(row(bce, now.mono));
            if rows.len() == limit {
                return Page { rows, next: Some(next) };
            }
        }
        Page { rows, next: after }
    }

    fn ask_counters(&mut self, asked: Asked, page: Page<BindingRow>, now: Now) {
        let first_token = self.queries.last_token + 1;
        let mut missing = 0;
        for prefix in page.rows.iter().flat_map(|row| &row.hnp) {
            self.queries.last_token += 1;
            missing += self.publisher.ask_counters((*prefix).into(), self.queries.last_token);
        }
        let prefixes = page.rows.iter().map(|row| row.hnp.len()).sum();
        let counters = vec![EntryCounters::default(); prefixes];
        let deadline = now.mono + COUNTERS_TIMEOUT;
        let pending = Pending { asked, page, first_token, counters, missing, deadline };
        self.queries.pending.push_back(pending);
    }

    /// Not held up by a journal that is stuck: a binding ends once, so what waits is bounded.
    fn delete_bindings(&mut self, mn_id: MnId, prefix: Option<HomePrefix>, now: Now) -> Reply {
        let cache = self.lma.cache();
        let sessions =
            cache.of_node(&mn_id).filter(|b| prefix.is_none_or(|p| b.hnp.contains(&p))).count();
        if sessions == 0 {
            let what = prefix.map_or_else(String::new, |p| format!(" with prefix {p}"));
            return Reply::Error(format!("no binding of {mn_id}{what}: see `binding show`"));
        }
        self.handle_event(Event::AdminDelete { mn_id, prefix }, now);
        Reply::Deleted { sessions }
    }

    fn mag_rows(&self, now: Now) -> Vec<MagRow> {
        let name = |a: &Ipv6Addr| self.mags.get(a).map(|m| m.name.clone()).unwrap_or_default();
        let mut rows: Vec<MagRow> = self
            .lma
            .mags()
            .map(|m| MagRow {
                address: m.address,
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
        self.mags.insert(address, MagInfo { name, address, tunnel_mtu, signaling_rate });
        self.inbox.add(address, signaling_rate);
        self.handle_event(Event::MagAdd(address), now);
        self.output.keep_mag(address, &mut self.counters);
        Reply::Done
    }

    fn withdraw_mag(&mut self, address: Ipv6Addr, revoke: bool, now: Now) -> Reply {
        if !self.mags.contains_key(&address) {
            return Reply::Error(format!("no gateway {address}: see `mag show`"));
        }
        let event = if revoke { Event::MagRevoke(address) } else { Event::MagDel(address) };
        self.handle_event(event, now);
        self.forget_mags();
        Reply::Done
    }

    /// Forgets the gateways that the pure core has forgotten: withdrawn, and without a session.
    fn forget_mags(&mut self) {
        let (lma, output, counters) = (&self.lma, &mut self.output, &mut self.counters);
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
        let rows = self.lma.pools().zip(self.pools.clone()).map(|(usage, name)| PoolRow {
            name,
            prefix: usage.prefix,
            delegated_len: usage.delegated_len,
            capacity: usage.capacity,
            used: usage.used,
        });
        rows.collect()
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
            row("bindings", self.lma.cache().len() as u64),
            row("pbu_waiting", self.lma.waiting() as u64),
            row("replies_held", self.held.len() as u64),
            row("updates_backlog", self.publisher.backlog_len() as u64),
        ];
        let counters = Counter::ALL.iter().map(|&c| row(c.name(), self.counters[c]));
        gauges.into_iter().chain(counters).collect()
    }

    fn neighbor_rows(&self) -> Vec<NeighborRow> {
        let port_name = |port: u16| {
            let port = self.output.ports().get(usize::from(port));
            port.map_or_else(String::new, |p| p.name.clone())
        };
        let rows = self.output.neighbors.rows().into_iter().map(|((port, address), n)| {
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

fn passes(bce: &Bce, filter: &BindingFilter) -> bool {
    filter.mag.is_none_or(|mag| bce.proxy_coa.0 == mag)
        && filter
            .prefix
            .is_none_or(|wanted| bce.hnp.iter().any(|p| wanted.covers(*p) || p.covers(wanted)))
}

fn row(bce: &Bce, now: Instant) -> BindingRow {
    let left = bce.remaining(now);
    let ll_id = bce.mn_ll_id.bytes();
    BindingRow {
        mn_id: bce.mn_id.clone(),
        hnp: bce.hnp.to_vec(),
        proxy_coa: bce.proxy_coa.0,
        state: match bce.state {
            BceState::Active => "active".into(),
            BceState::Deleting => "deleting".into(),
        },
        handoff: bce.handoff.0,
        att: bce.att.0,
        mn_ll_id: (!bce.mn_ll_id.is_all_zero())
            .then(|| ll_id.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().concat()),
        link_local: (!bce.link_local.is_unspecified()).then_some(bce.link_local),
        lifetime_s: u32::try_from(bce.lifetime.duration().as_secs()).unwrap_or(u32::MAX),
        lifetime_left_s: u32::try_from(left.as_secs()).unwrap_or(u32::MAX),
        handoffs: bce.handoffs,
        counters: None,
    }
}

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
