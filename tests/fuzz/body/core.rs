//! Any sequence of events through the anchor's pure core: well-formed messages of gateways and of
//! nodes that move themselves, with any values and options, some authenticated, answers to what it
//! sent and asked, operator's commands, other configurations, restarts and pauses.
//!
//! ```text
//!  | choices | op | operands ... | op | operands ...      a byte each; what is missing is zero
//! ```

#[path = "core/books.rs"]
mod books;
#[path = "core/home.rs"]
mod home;

#[path = "core/message.rs"]
mod message;
#[path = "core/setup.rs"]
mod setup;

use anchord::addr::CustomerId;
use anchord::mobility::action::Action;
use anchord::mobility::anchor::Anchor;
use anchord::mobility::event::Event;
use anchord::mobility::ha::{Drain, HomeAgent, LinkAddress};
use anchord::mobility::message::{PeerBody, PeerMsg};
use anchord::mobility::mip4::HomeAgent4;
use anchord::mobility::question::{PolicyQuestion, QuestionId};
use anchord::mobility::{Description, Lma};
use anchord::time::{Duration, Instant, MobTimestamp, Now};
use anchord::wire::mh::{BaFlags, BindingRefreshRequest, MessageData};
use anchord::wire::mip4::Message;
use books::Books;
use std::collections::VecDeque;

/// One timer call does a bounded part; so many calls are more than all bindings and waits need.
const TIMEOUTS_MAX: usize = 1000;

/// Messages and questions of the anchor that can still be answered.
const UNANSWERED_MAX: usize = 4;

/// Steps of half a minute after which nothing can be left: no lifetime is above a minute, and what
/// follows from its end is over sooner.
const DRAIN_STEPS: u8 = 10;

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

/// Runs the events and checks what must hold after each; in the end nothing is left of anybody.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let mut world = World::new(&mut input);
    while !input.0.is_empty() {
        let op = input.below(OPS);
        let event = world.event(op, &mut input);
        world.step(event);
    }
    world.sweep();
    for _ in 0..DRAIN_STEPS {
        world.pass(Duration::from_secs(30));
        world.step(None);
        world.sweep();
    }
    world.books.check_empty(&world.anchor);
}

/// What may happen: those of gateways and the operator, then those of mobile nodes.
const OPS: u8 = 29;

/// The anchor, and what the world around it remembers.
struct World {
    anchor: Anchor,
    /// What the configuration says, as the first byte or the last reload chose.
    choices: u8,
    now: Now,
    books: Books,
    unanswered: VecDeque<PeerMsg>,
    questions: VecDeque<PolicyQuestion>,
    probes: VecDeque<LinkAddress>,
    /// Registrations of Mobile IPv4 so far: each has another Identification.
    registrations: u64,
}

fn anchor(choices: u8) -> Anchor {
    let lma = Lma::new(setup::config(choices));
    let mip4 = HomeAgent4::new(home::mobile_ipv4(choices));
    Anchor::new(lma, HomeAgent::new(home::mobile_ipv6(choices))).with_mip4(mip4)
}

impl World {
    fn new(input: &mut Input<'_>) -> Self {
        let choices = input.byte();
        Self {
            anchor: anchor(choices),
            choices,
            now: Now {
                mono: Instant(1_000_000_000),
                wall: MobTimestamp::from_unix(Duration::from_secs(1_700_000_000)),
            },
            books: Books::default(),
            unanswered: VecDeque::new(),
            questions: VecDeque::new(),
            probes: VecDeque::new(),
            registrations: 0,
        }
    }

    /// What happens next; `None`: only time passes, the anchor itself changes, or the bytes make no
    /// event.
    fn event(&mut self, op: u8, input: &mut Input<'_>) -> Option<Event> {
        Some(match op {
            0..=5 => Event::Pbu(message::update(input, self.now)),
            6 => Event::Pbu(message::raw_update(input)?),
            7 => Event::Busy(message::update(input, self.now)),
            8 => Event::Peer(message::peer(input)?),
            9 => Event::Peer(message::answer(input, &self.unanswered.pop_front()?)),
            10 => self.answer_of_the_policy_store(input),
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
            15 => {
                self.pass(Duration::from_millis(u64::from(input.byte()) * 250));
                return None;
            }
            16..=19 => Event::Bu(home::update(input, self.now)),
            20 => Event::Bu(home::raw_update(input)?),
            21 => home::probed(input, self.probes.pop_front()),
            22 => home::icmp(input),
            23 => Event::HomeLinkRouter(home::router(input)),
            24 => Event::NodeDrain(match input.below(3) {
                0 => Drain::End,
                n => Drain::Begin { within: (n == 1).then(|| home::within(input)) },
            }),
            25 | 26 => {
                self.registrations += 1;
                Event::Mip4(home::registration(input, self.now, self.registrations))
            }
            27 => {
                self.reload(input.byte());
                return None;
            }
            _ => {
                self.restart();
                return None;
            }
        })
    }

    fn answer_of_the_policy_store(&mut self, input: &mut Input<'_>) -> Event {
        let (asked, home) = match self.questions.pop_front() {
            Some(question) => (question.id, question.home),
            None => (QuestionId(input.below(4).into()), CustomerId(0)),
        };
        let again = QuestionId(asked.0.saturating_sub(1));
        let question = if input.below(8) == 7 { again } else { asked };
        Event::Policy { question, answer: setup::policy_answer(input, home) }
    }

    fn pass(&mut self, step: Duration) {
        self.now.mono = self.now.mono + step;
        self.now.wall = MobTimestamp::from_unix(self.now.wall.to_unix() + step);
    }

    /// Goes on under another configuration; what only a restart changes stays.
    fn reload(&mut self, choices: u8) {
        self.choices = self.choices & setup::FOR_A_RUN | choices & !setup::FOR_A_RUN;
        let mut description = Description::new(setup::config(self.choices));
        let mut home = HomeAgent::new(home::mobile_ipv6(self.choices));
        let mut mip4 = HomeAgent4::new(home::mobile_ipv4(self.choices));
        self.anchor.take_over(&mut description, &mut home, &mut mip4, self.now);
    }

    /// The process begins anew with what is on the disk.
    fn restart(&mut self) {
        self.anchor = anchor(self.choices);
        self.unanswered.clear();
        self.questions.clear();
        self.probes.clear();
        let mut actions = Vec::new();
        for record in self.books.records() {
            let id = record.id();
            let restored = self.anchor.restore(record.read(), self.now, &mut actions);
            restored.unwrap_or_else(|e| panic!("{id:?} was acknowledged: {e}"));
        }
        self.books.begin_anew();
        for action in &actions {
            self.perform(action);
        }
    }

    fn sweep(&mut self) {
        for _ in 0..TIMEOUTS_MAX {
            if !self.anchor.is_sweeping() {
                return;
            }
            self.step(Some(Event::Sweep));
        }
        panic!("a sweep that never ends");
    }

    fn step(&mut self, event: Option<Event>) {
        let mut actions = Vec::new();
        for _ in 0..TIMEOUTS_MAX {
            if !self.is_due() {
                break;
            }
            self.anchor.handle_timeout(self.now, &mut actions);
        }
        assert!(!self.is_due(), "a timer that never rests");
        if let Some(event) = event {
            let before = actions.len();
            let is_busy = matches!(event, Event::Busy(_));
            self.anchor.handle(event, self.now, &mut actions);
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
        self.books.check(&self.anchor);
    }

    fn is_due(&self) -> bool {
        self.anchor.poll_timeout().is_some_and(|due| due <= self.now.mono)
    }

    fn perform(&mut self, action: &Action) {
        match action {
            Action::Publish(publication) => self.books.publish(publication),
            Action::Persist(id) => self.books.persist(*id, &self.anchor),
            Action::Defend { address, .. } => self.books.defend(*address),
            Action::Undefend(address) => self.books.undefend(*address),
            Action::Reply { ack, held } => {
                let proxy = setup::is_gateway(ack.dst);
                assert_eq!(ack.ack.flags.contains(BaFlags::P), proxy, "{ack:?}");
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
                    PeerBody::RefreshRequest => {
                        BindingRefreshRequest.emit(options, msg.src, msg.dst, &mut buf)
                    }
                    PeerBody::Switch(m) => m.emit(options, msg.src, msg.dst, &mut buf),
                }
                .expect("short enough for a Mobility Header");
                remember(&mut self.unanswered, msg);
            }
            Action::SendMip4 { msg, .. } => {
                Message::parse(&msg.payload).expect("ours is a message");
                assert!(msg.emit(&mut [0; 2048]).is_some(), "{msg:?}");
            }
            Action::SendIcmp(icmp) => home::check_icmp(icmp),
            Action::AskPolicy(question) => remember(&mut self.questions, question),
            Action::ProbeHome(address) => self.probes.push_back(*address),
            Action::Audit(_) => {}
        }
    }
}
