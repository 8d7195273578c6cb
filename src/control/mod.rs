//! The loop around the pure core.
//!
//! ```text
//!   signaling queues --+                                +--> publish --> update rings --> workers
//!   signaling rings ---+--> signaling -> Anchor::handle +--> journal thread
//!   admin questions ---+         actions, in order      +--> held replies --(applied, durable)--+
//!   timers ------------+                                                                        |
//!   kernel events --> routes, neighbours --> workers          inject rings <-- output <---------+
//!   TAPs <--> exception path <--> report and inject rings
//!   the kernel's ESP <--> its sockets <--> signaling, held replies
//! ```
//! [`Control::poll`] never blocks and makes no syscall: what does lives on ordinary threads behind
//! bounded channels. Every source has its budget a turn. When workers or the journal fall behind,
//! signaling waits (bounded, then dropped and counted: gateways send again); forwarding, the
//! exception path and neighbours go on.

mod admission;
pub mod advertise;
mod audit;
pub mod counters;
pub mod exception;
mod held;
pub mod home;
mod intake;
pub mod ipsec;
pub mod journal;
mod kernel;
mod mip4;
pub mod mirror;
mod neighbor;
pub(crate) mod netlink;
mod next_hop;
mod output;
mod parts;
mod path_mtu;
pub mod policy;
mod publish;
mod query;
mod rate;
pub mod reload;
mod send;
mod signaling;
mod tunneled;

use crate::addr::CustomerId;
use crate::admin::channel::Questions;
use crate::config::SIGNALING_RATE;
use crate::dataplane::counters::WorkerCounters;
use crate::dataplane::update::{Change, PuntReason, Report};
use crate::mobility::action::Action;
use crate::mobility::anchor::Anchor;
use crate::mobility::event::Event;
use crate::mobility::question::QuestionId;
use crate::nic::{BURST_MAX, Frame, FramePool, RxQueue};
use crate::sync::ring::Consumer;
use crate::time::{Duration, Now};
use admission::Admission;
use advertise::Advertiser;
use counters::{Counter, Counters};
use exception::KernelPath;
use hashbrown::HashMap;
use held::{HeldReplies, Reply};
use home::Home;
use journal::{Journal, Restart};
use mip4::NodeEnds;
use mirror::{KernelEvent, KernelMirror};
use output::Output;
use path_mtu::PathMtus;
use policy::PolicyLink;
use publish::{Lane, Publisher, TunnelMtu};
use query::Queries;
use rate::RateLimit;
use reload::Reloads;
use signaling::Anchors;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::sync::Arc;

pub use parts::{MagInfo, Parts, PortInfo, PortStatus, WorkerLink};

/// The control core. Owned and polled by one thread.
pub struct Control<P: FramePool> {
    own: Anchors,
    anchor: Anchor,
    publisher: Publisher,
    journal: Journal,
    held: HeldReplies,
    output: Output<P>,
    workers: Vec<WorkerEnds<P::Frame>>,
    signaling: Vec<Box<dyn RxQueue<Frame = P::Frame>>>,
    /// Signaling that waits for its turn.
    inbox: Admission,
    kernel: KernelPath<P::Frame>,
    mirror: KernelMirror,
    /// The kernel's tables have been read once.
    synced: bool,
    questions: Questions,
    queries: Queries,
    /// Our gateways, by address.
    mags: HashMap<Ipv6Addr, MagInfo>,
    customers: BTreeMap<CustomerId, String>,
    /// Names, in the order of the pure core's.
    pools: Vec<String>,
    mags_max: usize,
    counters: Counters,
    error_limit: RateLimit,
    log_limit: RateLimit,
    policy: Option<PolicyLink>,
    /// Questions that could not be put: empty between events.
    unasked: Vec<QuestionId>,
    /// What peers have to know of the last run, until they are told.
    restart: Option<Restart>,
    path_mtus: PathMtus,
    home: Home,
    /// Where nodes ask for home agents.
    asked: BTreeSet<Ipv6Addr>,
    node_ends: NodeEnds,
    advertiser: Advertiser,
    reloads: Reloads,
    /// Scratch: empty between events.
    actions: Vec<Action>,
}

/// What of a [`WorkerLink`] the publisher and the output do not hold.
struct WorkerEnds<F: Frame> {
    signaling: Consumer<F>,
    reports: Consumer<Report<F>>,
    counters: Arc<WorkerCounters>,
    cpu: u16,
}

impl<P: FramePool> Control<P> {
    /// Puts the parts together, and queues the publication of what was restored.
    pub fn new(parts: Parts<P>) -> Self {
        let (mut lanes, mut injects, mut workers) = (Vec::new(), Vec::new(), Vec::new());
        for link in parts.workers {
            lanes.push(Lane::new(link.updates, link.applied));
            injects.push(link.injects);
            let WorkerLink { signaling, reports, counters, cpu, .. } = link;
            workers.push(WorkerEnds { signaling, reports, counters, cpu });
        }
        let by_mag = parts.mags.iter().map(|m| (m.address, m.tunnel_mtu)).collect();
        let mtu = TunnelMtu { by_mag, default: parts.tunnel_mtu, learnt: HashMap::new() };
        let requests = parts.mirror.requests.clone();
        let room = parts.anchor.lma().cache().capacity();
        let links = parts.home.prefixes.clone();
        let mut this = Self {
            own: Anchors { ipv6: parts.lma_address.0, ipv4: parts.lma_address_ipv4 },
            anchor: parts.anchor,
            publisher: Publisher::new(lanes, parts.steering, mtu, links, room),
            journal: parts.journal,
            held: HeldReplies::default(),
            output: Output::new(parts.pool, parts.ports, injects, requests, parts.ipsec),
            workers,
            signaling: parts.signaling,
            inbox: Admission::new(parts.node_rate),
            kernel: parts.kernel,
            mirror: parts.mirror,
            synced: false,
            questions: parts.questions,
            queries: Queries::default(),
            mags: parts.mags.into_iter().map(|m| (m.address, m)).collect(),
            customers: parts.customers.into_iter().collect(),
            pools: parts.pools,
            mags_max: parts.mags_max,
            counters: Counters::default(),
            error_limit: RateLimit::new(ERROR_BURST, ERROR_INTERVAL),
            log_limit: RateLimit::new(LOG_BURST, LOG_INTERVAL),
            policy: parts.policy,
            unasked: Vec::new(),
            restart: Some(parts.restart),
            path_mtus: PathMtus::default(),
            home: Home::new(parts.home),
            asked: BTreeSet::new(),
            node_ends: NodeEnds::default(),
            advertiser: parts.advertiser,
            reloads: parts.reloads,
            actions: Vec::new(),
        };
        // The foreign agents first: one of them may be a gateway, too.
        for agent in this.anchor.mip4().foreign_agents() {
            this.inbox.add(agent.to_ipv6_mapped(), SIGNALING_RATE);
        }
        for mag in this.mags.values() {
            this.inbox.add(mag.address, mag.signaling_rate);
        }
        this.publish_pools();
        this.ask_at(parts.asked);
        this.counters[Counter::BindingRestored] = this.anchor.lma().cache().len() as u64;
        this.actions = parts.restored;
        this.perform(Now::default());
        this.note_all_ends();
        this
    }

    /// One turn: a bounded piece of work of each kind. Returns how much was done; zero: idle.
    pub fn poll(&mut self, now: Now) -> usize {
        let mut work = self.settle(now);
        if let Some(Restart { counter: restart_counter, state_lost }) = self.restart.take() {
            self.handle_event(Event::Start { restart_counter, state_lost }, now);
        }
        work += self.run_timers(now);
        work += self.run_probes(now);
        work += self.sweep(now);
        work += self.follow_kernel(now);
        work += self.drain_reports(now);
        work += self.take_answers(now);
        work += self.take_signaling(now);
        work += self.take_from_kernel(now.mono);
        work += self.answer(now);
        work += self.reload(now);
        work += self.publisher.outside().tell(&self.advertiser);
        self.journal.flush();
        work
    }

    /// One turn of the start, before workers receive: what was restored is published, the kernel's
    /// tables are read.
    pub fn prepare(&mut self, now: Now) -> usize {
        self.settle(now) + self.follow_kernel(now)
    }

    /// Whether workers have applied, and the journal has confirmed, all there was so far, and the
    /// kernel's tables are known: what a start waits for.
    pub fn is_settled(&self) -> bool {
        self.synced && self.publisher.in_force(self.publisher.last_seq()) && self.is_durable()
    }

    /// Whether the journal has confirmed every record: what a stop waits for.
    pub fn is_durable(&self) -> bool {
        self.journal.confirmed() >= self.journal.last_seq() && self.held.len() == 0
    }

    /// The part of a turn that only brings to an end what was begun: hands on updates and records,
    /// sends replies whose time has come, gives up frames that waited too long.
    pub fn settle(&mut self, now: Now) -> usize {
        self.publisher.flush();
        self.journal.flush();
        let mut work = 0;
        while let Some(reply) = self.next_ready() {
            self.send(&reply, now.mono);
            work += 1;
        }
        self.counters[Counter::NeighborHeldDropped] += self.output.neighbors.expire(now.mono);
        self.forget_path_mtus(now);
        work
    }

    /// Whether workers or the journal are so far behind that new events must wait.
    fn is_paused(&self) -> bool {
        self.publisher.is_backlogged()
            || self.journal.is_backlogged()
            || self.held.len() >= HELD_REPLIES_MAX
    }

    fn run_timers(&mut self, now: Now) -> usize {
        let mut work = 0;
        // Not held up by a journal that is stuck: a binding ends once, so what waits is bounded.
        while work < TIMER_BUDGET
            && !self.publisher.is_backlogged()
            && self.anchor.poll_timeout().is_some_and(|t| t <= now.mono)
        {
            self.anchor.handle_timeout(now, &mut self.actions);
            self.perform(now);
            work += 1;
        }
        work
    }

    /// Deletes some sessions of gateways that lost them, or looks at home registrations again; not
    /// faster than the journal writes.
    fn sweep(&mut self, now: Now) -> usize {
        let due = self.anchor.is_sweeping() && !self.is_paused();
        if due {
            self.handle_event(Event::Sweep, now);
        }
        usize::from(due)
    }

    fn follow_kernel(&mut self, now: Now) -> usize {
        let mut work = 0;
        while work < KERNEL_EVENT_BUDGET && !self.publisher.is_backlogged() {
            let Ok(event) = self.mirror.events.try_recv() else { break };
            self.handle_kernel(event, now);
            work += 1;
        }
        work
    }

    fn handle_kernel(&mut self, event: KernelEvent, now: Now) {
        match event {
            KernelEvent::RouteSet(prefix, hop) => {
                self.output.set_route(prefix, hop, &mut self.counters);
                self.publisher.broadcast(Change::RouteSet(prefix, hop));
            }
            KernelEvent::RouteDel(prefix) => {
                self.output.remove_route(prefix, &mut self.counters);
                self.publisher.broadcast(Change::RouteDel(prefix));
            }
            KernelEvent::Neighbor(port, addr, neighbor) => {
                let known = self.output.neighbors.mac((port, addr));
                match neighbor.mac {
                    Some(mac) if known != Some(mac) => {
                        self.publisher.broadcast(Change::NeighborSet(port, addr, mac));
                    }
                    None if known.is_some() => {
                        self.publisher.broadcast(Change::NeighborDel(port, addr));
                    }
                    _ => {}
                }
                let (publisher, own) = (&self.publisher, self.own);
                self.output.learned((port, addr), neighbor, &mut self.counters, |frame| {
                    let tunneled = tunneled::read(frame).filter(|t| own.has(t.local));
                    tunneled.is_none_or(|t| publisher.serves(&t))
                });
                if neighbor.state == mirror::FAILED {
                    let dropped = self.output.neighbors.failed((port, addr));
                    self.counters[Counter::NeighborHeldDropped] += dropped;
                }
            }
            KernelEvent::NeighborDel(port, addr) => {
                if self.output.neighbors.mac((port, addr)).is_some() {
                    self.publisher.broadcast(Change::NeighborDel(port, addr));
                }
                self.output.neighbors.forget((port, addr));
            }
            KernelEvent::Synced => {
                self.synced = true;
                let mags: Vec<Ipv6Addr> = self.mags.keys().copied().collect();
                for mag in mags {
                    self.output.keep_mag(mag, &mut self.counters);
                }
                tracing::info!(after = ?now.mono, "the kernel's tables are mirrored");
            }
        }
    }

    fn drain_reports(&mut self, now: Now) -> usize {
        let mut work = 0;
        for worker in 0..self.workers.len() {
            for _ in 0..REPORT_BUDGET {
                let Some(report) = self.workers.get_mut(worker).and_then(|w| w.reports.pop())
                else {
                    break;
                };
                work += 1;
                match report {
                    Report::Punt(PuntReason::Exception, frame) => self.give_to_kernel(frame, now),
                    Report::Punt(PuntReason::Protected, frame) => self.pass_to_kernel(frame),
                    Report::Punt(PuntReason::Unresolved(port, addr), frame) => {
                        let key = (port, addr);
                        self.output.send_to_neighbor(key, frame, now.mono, &mut self.counters);
                    }
                    Report::Counters(token, values) => self.queries.counted(token, values),
                    Report::PathMtu(gateway, mtu) => self.learn_path_mtu(gateway, mtu, now),
                    Report::Exception(tunnel, source) => mip4::log_exception(tunnel, source),
                }
            }
        }
        work
    }

    fn handle_event(&mut self, event: Event, now: Now) {
        self.anchor.handle(event, now, &mut self.actions);
        self.perform(now);
    }

    /// Carries out what the pure core decided, in its order.
    fn perform(&mut self, now: Now) {
        let mut actions = std::mem::take(&mut self.actions);
        for action in actions.drain(..) {
            match action {
                Action::Publish(publication) => self.publisher.publish(publication),
                Action::Persist(id) => {
                    self.journal.put(id, self.anchor.record(id).as_ref());
                    self.note_ends(id);
                }
                Action::Reply { ack, held } => self.reply(Reply::Ack(ack), held, now.mono),
                Action::Send { msg, held } => self.reply(Reply::Peer(msg), held, now.mono),
                Action::SendMip4 { msg, held } => self.reply(Reply::Mip4(msg), held, now.mono),
                Action::AskPolicy(question) => self.ask_policy(&question),
                Action::ProbeHome(address) => self.probe_home(address, now),
                Action::Defend { address, router } => self.defend(address, router),
                Action::Undefend(address) => self.undefend(address),
                Action::SendIcmp(icmp) => self.send_icmp(&icmp, now.mono),
                Action::Audit(audit) => self.note(&audit, now),
            }
        }
        self.actions = actions;
        self.refuse_unasked(now);
        self.finish_probes(now);
        self.counters[Counter::UpdateBacklogged] += u64::from(self.publisher.is_backlogged());
    }
}

/// Held replies at most, before signaling waits.
const HELD_REPLIES_MAX: usize = 4096;
/// Reports taken from each worker a turn.
const REPORT_BUDGET: usize = 2 * BURST_MAX;
/// Calls of the pure core's timers a turn; each is bounded itself.
const TIMER_BUDGET: usize = 4;
/// Changes of the kernel's tables a turn.
const KERNEL_EVENT_BUDGET: usize = 256;
/// Error messages: 100 a second, 20 at once.
const ERROR_BURST: u32 = 20;
const ERROR_INTERVAL: Duration = Duration::from_millis(10);
/// Log lines about bindings: 20 a second, 100 at once.
const LOG_BURST: u32 = 100;
const LOG_INTERVAL: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests;
