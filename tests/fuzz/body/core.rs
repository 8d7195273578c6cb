//! Any sequence of events through the anchor's pure core: well-formed messages with any values and
//! options, some authenticated, answers to what it sent and asked, operator's commands and pauses.
//!
//! ```text
//!  | choices | op | operands ... | op | operands ...      a byte each; what is missing is zero
//! ```

#[path = "core/message.rs"]
mod message;
#[path = "core/setup.rs"]
mod setup;

use anchord::addr::{CustomerId, CustomerPrefix, GreKeys, TunnelPath};
use anchord::mobility::Lma;
use anchord::mobility::action::{Action, Publication};
use anchord::mobility::binding::BceState;
use anchord::mobility::event::Event;
use anchord::mobility::message::{PeerBody, PeerMsg};
use anchord::mobility::question::{PolicyQuestion, QuestionId};
use anchord::time::{Duration, Instant, MobTimestamp, Now};
use anchord::wire::mh::{BaFlags, MessageData};
use std::collections::{BTreeMap, HashSet, VecDeque};

/// One timer call does a bounded part; so many calls are more than all bindings and waits need.
const TIMEOUTS_MAX: usize = 1000;

/// Messages and questions of the anchor that can still be answered.
const UNANSWERED_MAX: usize = 4;

/// The operands.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, n: u8) -> u8 {
        self.byte() % n
    }
}

/// Keeps the latest.
fn remember<T: Clone>(queue: &mut VecDeque<T>, new: &T) {
    if queue.len() == UNANSWERED_MAX {
        queue.pop_front();
    }
    queue.push_back(new.clone());
}

/// Runs the events and checks what must hold after each.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let mut world = World::new(&mut input);
    while !input.0.is_empty() {
        let op = input.below(16);
        let event = world.event(op, &mut input);
        world.step(event);
    }
    for _ in 0..TIMEOUTS_MAX {
        if !world.lma.is_sweeping() {
            return;
        }
        world.step(Some(Event::Sweep));
    }
    panic!("a sweep that never ends");
}

/// The anchor, and what the world around it remembers.
struct World {
    lma: Lma,
    now: Now,
    forwarding: Forwarding,
    unanswered: VecDeque<PeerMsg>,
    questions: VecDeque<PolicyQuestion>,
}

/// Where the workers send a prefix: into a tunnel, or nowhere.
type Forwarding = BTreeMap<CustomerPrefix, Option<(TunnelPath, GreKeys)>>;

impl World {
    fn new(input: &mut Input<'_>) -> Self {
        Self {
            lma: Lma::new(setup::config(input)),
            now: Now {
                mono: Instant(1_000_000_000),
                wall: MobTimestamp::from_unix(Duration::from_secs(1_700_000_000)),
            },
            forwarding: Forwarding::new(),
            unanswered: VecDeque::new(),
            questions: VecDeque::new(),
        }
    }

    /// What happens next; `None`: only time passes, or the bytes make no event.
    fn event(&mut self, op: u8, input: &mut Input<'_>) -> Option<Event> {
        Some(match op {
            0..=5 => Event::Pbu(message::update(input, self.now)),
            6 => Event::Pbu(message::raw_update(input)?),
            7 => Event::Busy(message::update(input, self.now)),
            8 => Event::Peer(message::peer(input)?),
            9 => Event::Peer(message::answer(input, &self.unanswered.pop_front()?)),
            10 => {
                let (asked, home) = match self.questions.pop_front() {
                    Some(question) => (question.id, question.home),
                    None => (QuestionId(input.below(4).into()), CustomerId(0)),
                };
                let again = QuestionId(asked.0.saturating_sub(1));
                let question = if input.below(8) == 7 { again } else { asked };
                Event::Policy { question, answer: setup::policy_answer(input, home) }
            }
            11 => {
                let prefix = (input.below(2) == 1).then(|| setup::prefix(input));
                Event::AdminDelete { mn_id: setup::node(input), prefix, customer: None }
            }
            12 => {
                let mag = setup::mag_address(setup::mag(input));
                match input.below(3) {
                    0 => Event::MagAdd(mag),
                    1 => Event::MagDel(mag),
                    _ => Event::MagRevoke(mag),
                }
            }
            13 => {
                let restart_counter = input.below(3).into();
                Event::Start { restart_counter, state_lost: input.below(2) == 1 }
            }
            14 => Event::Sweep,
            _ => {
                let step = Duration::from_millis(u64::from(input.byte()) * 250);
                self.now.mono = self.now.mono + step;
                self.now.wall = MobTimestamp::from_unix(self.now.wall.to_unix() + step);
                return None;
            }
        })
    }

    fn step(&mut self, event: Option<Event>) {
        let mut actions = Vec::new();
        for _ in 0..TIMEOUTS_MAX {
            if !self.is_due() {
                break;
            }
            self.lma.handle_timeout(self.now, &mut actions);
        }
        assert!(!self.is_due(), "a timer that never rests");
        if let Some(event) = event {
            let before = actions.len();
            let is_busy = matches!(event, Event::Busy(_));
            self.lma.handle(event, self.now, &mut actions);
            if is_busy {
                let of_event = &actions[before..];
                let changes = |a: &Action| matches!(a, Action::Publish(_) | Action::Persist(_));
                assert!(
                    !of_event.iter().any(changes),
                    "a refusal for want of time changed something"
                );
            }
        }
        for action in &actions {
            self.perform(action);
        }
        self.check();
    }

    fn is_due(&self) -> bool {
        self.lma.poll_timeout().is_some_and(|due| due <= self.now.mono)
    }

    fn perform(&mut self, action: &Action) {
        match action {
            Action::Publish(Publication::Forward(prefix, path, keys)) => {
                self.forwarding.insert(*prefix, Some((*path, *keys)));
            }
            Action::Publish(Publication::Hold(prefix)) => {
                self.forwarding.insert(*prefix, None);
            }
            Action::Publish(Publication::Withdraw(prefix)) => {
                assert!(self.forwarding.remove(prefix).is_some(), "{prefix} was not known");
            }
            Action::Reply { ack, held } => {
                assert!(ack.ack.flags.contains(BaFlags::P));
                assert!(ack.ack.status.is_accepted() || !held, "a refusal need not wait");
                let mut buf = vec![0; ack.ack.buffer_len(ack.options.options())];
                // Longer than any Mobility Header: the control loop counts and drops it.
                let _ = ack.ack.emit(ack.options.options(), ack.src, ack.dst, &mut buf);
            }
            Action::Send { msg, .. } => {
                let (options, mut buf) = (msg.options.options(), [0; 2048]);
                match &msg.body {
                    PeerBody::Bri(m) => m.emit(options, msg.src, msg.dst, &mut buf),
                    PeerBody::Bra(m) => m.emit(options, msg.src, msg.dst, &mut buf),
                    PeerBody::Heartbeat(m) => m.emit(options, msg.src, msg.dst, &mut buf),
                    PeerBody::BindingError(m) => m.emit(options, msg.src, msg.dst, &mut buf),
                    PeerBody::RefreshRequest | PeerBody::Switch(_) => {
                        panic!("no home agent is configured: {msg:?}")
                    }
                }
                .expect("short enough for a Mobility Header");
                remember(&mut self.unanswered, msg);
            }
            Action::AskPolicy(question) => remember(&mut self.questions, question),
            Action::Persist(_) | Action::Audit(_) => {}
            Action::SendMip4 { .. } => panic!("nothing of Mobile IPv4 is configured: {action:?}"),
            Action::ProbeHome(_)
            | Action::Defend(_)
            | Action::Undefend(_)
            | Action::SendIcmp(_) => panic!("no home agent is configured: {action:?}"),
        }
    }

    /// What holds at any time.
    fn check(&self) {
        let cache = self.lma.cache();
        assert!(cache.len() <= setup::BINDINGS_MAX && cache.prefixes() <= setup::PREFIXES_MAX);
        let (mut expected, mut keys, mut of_customer) = (Forwarding::new(), HashSet::new(), 0);
        for (_, bce) in cache.page(0, usize::MAX).0 {
            assert!(bce.prefixes().next().is_some(), "a binding without an address");
            of_customer += usize::from(bce.customer.0 == 1);
            let uplink = bce.gre_keys.uplink;
            assert!(uplink.is_none_or(|key| keys.insert(key)), "a GRE key of two sessions");
            for prefix in bce.prefixes() {
                assert_eq!(cache.by_prefix(prefix).map(|b| b.id), Some(bce.id));
                let path = (bce.state == BceState::Active).then(|| self.path(prefix));
                if let Some((path, keys)) = path {
                    assert_eq!(path.remote, bce.proxy_coa.0, "a tunnel to another gateway");
                    assert_eq!((path.encap, keys), (bce.encap, bce.keys_in_use()));
                }
                assert!(expected.insert(prefix, path).is_none(), "{prefix} is held twice");
            }
        }
        assert!(of_customer <= setup::CUSTOMER_BINDINGS_MAX);
        assert_eq!(self.forwarding, expected, "the workers know other than the cache");
    }

    fn path(&self, prefix: CustomerPrefix) -> (TunnelPath, GreKeys) {
        let path = self.forwarding.get(&prefix).copied().flatten();
        path.unwrap_or_else(|| panic!("{prefix} is not forwarded"))
    }
}
