//! Signaling from queues, rings and the kernel to the pure core: who may cost time, in which order,
//! and what is answered without it ([`super::admission`], [`super::signaling`]).

use super::admission::{Admit, Class, Served, Waiting};
use super::counters::Counter;
use super::signaling::{self, Signal};
use super::{Control, mip4};
use crate::mobility::event::Event;
use crate::mobility::message::{PeerBody, UpdateMsg};
use crate::nic::{BURST_MAX, Burst, Frame, FramePool};
use crate::time::{Lifetime, Now};
use crate::wire::ether;
use crate::wire::icmpv6::ErrorMessage;
use crate::wire::mh::{BindingError, MobilityOption};
use std::net::Ipv6Addr;

impl<P: FramePool> Control<P> {
    /// Takes what queues and rings hold, a few bursts each: more than is served in a turn, so that
    /// nobody waits there behind the flood of another. While workers or the journal must catch up,
    /// it is better left where it is.
    fn fill_inbox(&mut self, now: Now) {
        let mut burst: Burst<P::Frame> = Burst::new();
        for _ in 0..FILL_BURSTS {
            let mut taken = self.take_protected(now);
            for source in 0..self.signaling.len() + self.workers.len() {
                if let Some(queue) = self.signaling.get_mut(source) {
                    queue.recv(&mut burst);
                } else if let Some(worker) = self.workers.get_mut(source - self.signaling.len()) {
                    burst.extend(std::iter::from_fn(|| worker.signaling.pop()).take(BURST_MAX));
                }
                taken += burst.len();
                for frame in burst.drain(..) {
                    if signaling::is_esp(frame.data()) {
                        self.give_to_kernel(frame, now); // which gives back what is in it
                    } else {
                        self.receive(frame.data(), false, now);
                    }
                }
            }
            if taken == 0 {
                return;
            }
        }
    }

    /// Takes a burst of what the kernel took out of ESP.
    fn take_protected(&mut self, now: Now) -> usize {
        let mut taken = 0;
        while taken < BURST_MAX
            && let Ok(frame) = self.output.ipsec.from_kernel.try_recv()
        {
            self.counters[Counter::IpsecRx] += 1;
            if !self.hear_protected(&frame, now) {
                self.receive(&frame, true, now);
            }
            taken += 1;
        }
        taken
    }

    /// Looks at a frame as far as its sender may cost time; `esp`: it came in ESP.
    fn receive(&mut self, frame: &[u8], esp: bool, now: Now) {
        let Some(from) = signaling::source(frame) else {
            self.counters[Counter::SignalingMalformed] += 1;
            return;
        };
        // RFC 5213 section 4, 5.3.1 (1). Anybody may have sent it: it costs the gateway nothing.
        if !esp && self.requires_ipsec(from) {
            self.counters[Counter::SignalingUnprotected] += 1;
            return;
        }
        let admit = self.admit(from, now);
        if admit != (Admit::OverRate { tell: false }) {
            self.take_in(from, admit, signaling::read(frame, self.own, esp), frame, now);
        }
    }

    pub(super) fn admit(&mut self, from: Ipv6Addr, now: Now) -> Admit {
        let admit = self.inbox.admit(from, now.mono);
        self.counters[Counter::SignalingOverRate] += u64::from(admit != Admit::Yes);
        admit
    }

    /// Lets what was read of a frame wait for its turn, or answers it.
    pub(super) fn take_in(
        &mut self,
        from: Ipv6Addr,
        admit: Admit,
        signal: Signal,
        frame: &[u8],
        now: Now,
    ) {
        match signal {
            Signal::Pbu(message) => {
                let class = self.class_of(&message);
                if admit == Admit::Yes {
                    self.queue(from, class, Waiting::Pbu(Box::new(message)), now);
                } else {
                    self.refuse(from, class, Waiting::Pbu(Box::new(message)), true, now);
                }
            }
            Signal::Bu(message) if admit == Admit::Yes => {
                let ends = message.update.lifetime == Lifetime::ZERO;
                let class = if ends { Class::Urgent } else { Class::Fresh };
                self.queue(from, class, Waiting::Bu(Box::new(message)), now);
            }
            Signal::Peer(message) if admit == Admit::Yes => {
                self.queue(from, Class::Urgent, Waiting::Peer(Box::new(message)), now);
            }
            Signal::Mip4(message) if admit == Admit::Yes => {
                let class = mip4::class_of(&message, self.anchor.mip4());
                self.queue(from, class, Waiting::Mip4(Box::new(message)), now);
            }
            signal if admit == Admit::Yes => {
                self.inbox.count(from, |c| c.malformed += 1);
                self.answer_at_once(&signal, frame, now);
            }
            _ => self.inbox.count(from, |c| c.dropped += 1),
        }
    }

    /// Whether an update is about a session that there is. A node is asked for by its identifier,
    /// the first one that counts.
    fn class_of(&self, message: &UpdateMsg) -> Class {
        let mn_id = message.options.iter().find_map(|o| match o {
            MobilityOption::MnId(subtype, id) => Some((subtype, id)),
            _ => None,
        });
        let known =
            mn_id.is_some_and(|(subtype, id)| self.anchor.lma().cache().has_node(subtype, id));
        let ends = message.update.lifetime == Lifetime::ZERO;
        if known || ends { Class::Urgent } else { Class::Fresh }
    }

    fn queue(&mut self, from: Ipv6Addr, class: Class, message: Waiting, now: Now) {
        if let Err((tell, message)) = self.inbox.push(from, class, message, now.mono) {
            self.counters[Counter::SignalingOverflow] += 1;
            self.refuse(from, class, message, tell, now);
        }
    }

    /// There is no time for a message. Who would begin a session is told to go elsewhere; who has
    /// one tries again by itself.
    fn refuse(&mut self, from: Ipv6Addr, class: Class, message: Waiting, tell: bool, now: Now) {
        match message {
            Waiting::Pbu(message) if tell && class == Class::Fresh => {
                self.inbox.count(from, |c| c.refused += 1);
                self.counters[Counter::PbuRefusedBusy] += 1;
                self.handle_event(Event::Busy(*message), now);
            }
            _ => self.inbox.count(from, |c| c.dropped += u64::from(tell)),
        }
    }

    pub(super) fn take_signaling(&mut self, now: Now) -> usize {
        if !self.is_paused() {
            self.fill_inbox(now);
        }
        let (mut work, mut served) = (0, Served::default());
        while work < SIGNALING_BUDGET
            && !self.is_paused()
            && let Some((class, message)) = self.inbox.pop(&served, SIGNALING_BUDGET)
        {
            served.count(class);
            self.handle_signaling(message, now);
            work += 1;
        }
        let waits = self.inbox.len() > 0
            || self.workers.iter().any(|w| !w.signaling.is_empty())
            || !self.output.ipsec.from_kernel.is_empty();
        let losses = &self.output.ipsec.losses;
        self.counters[Counter::IpsecRxDropped] = losses.received();
        self.counters[Counter::IpsecTxDropped] = losses.sent();
        self.counters[Counter::SignalingPaused] += u64::from(waits && self.is_paused());
        work
    }

    fn handle_signaling(&mut self, message: Waiting, now: Now) {
        match message {
            Waiting::Pbu(message) => {
                self.counters[Counter::PbuReceived] += 1;
                self.handle_event(Event::Pbu(*message), now);
            }
            Waiting::Bu(message) => {
                self.counters[Counter::BuReceived] += 1;
                self.handle_event(Event::Bu(*message), now);
            }
            Waiting::Peer(message) => {
                self.counters[received(&message.body)] += 1;
                self.handle_event(Event::Peer(*message), now);
            }
            Waiting::Mip4(message) => {
                self.counters[Counter::Mip4Received] += 1;
                self.handle_event(Event::Mip4(*message), now);
            }
        }
    }

    /// What needs no turn: it is counted, and answered at a limited rate.
    fn answer_at_once(&mut self, signal: &Signal, frame: &[u8], now: Now) {
        match signal {
            // They wait for their turn.
            Signal::Pbu(_) | Signal::Bu(_) | Signal::Peer(_) | Signal::Mip4(_) => {}
            Signal::Discard(counter) => self.counters[*counter] += 1,
            Signal::BindingError(ends) => {
                self.counters[Counter::SignalingUnknownType] += 1;
                let status = BindingError::UNKNOWN_MH_TYPE;
                let write = |buf: &mut [u8]| signaling::write_binding_error(status, ends, buf);
                let esp = ends.transport.is_protected();
                self.send_error(ends.dst, esp, Counter::BindingErrorSent, now, write);
            }
            Signal::ParameterProblem(to, pointer) => {
                self.counters[Counter::SignalingRefused] += 1;
                let src = self.own.ipv6;
                let (_, packet) = ether::payload(frame).unwrap_or_default();
                let write = |buf: &mut [u8]| {
                    let error = ErrorMessage::ErroneousField(*pointer);
                    signaling::write_error(error, (src, *to), packet, buf)
                };
                self.send_error(*to, false, Counter::ParameterProblemSent, now, write);
            }
        }
    }

    pub(super) fn send_error(
        &mut self,
        to: Ipv6Addr,
        esp: bool,
        sent: Counter,
        now: Now,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) {
        if self.admit_error(now) {
            let counters = &mut self.counters;
            if self.output.send_message(esp, to, now.mono, counters, write) {
                counters[sent] += 1;
            }
        }
    }

    /// RFC 4443 2.4 (f), RFC 6275 9.3.3: what strangers provoke is limited in its rate.
    pub(super) fn admit_error(&mut self, now: Now) -> bool {
        let admitted = self.error_limit.admit(now.mono);
        self.counters[Counter::ErrorRateLimited] += u64::from(!admitted);
        admitted
    }
}

/// What counts the messages of this kind that came.
const fn received(body: &PeerBody) -> Counter {
    match body {
        PeerBody::Bri(_) => Counter::BriReceived,
        PeerBody::Bra(_) => Counter::BraReceived,
        PeerBody::Heartbeat(_) => Counter::HeartbeatReceived,
        PeerBody::BindingError(_) => Counter::BindingErrorReceived,
        // These we send, and discard when they come.
        PeerBody::RefreshRequest | PeerBody::Switch(_) => Counter::SignalingUnexpected,
    }
}

/// Bursts taken a turn from each queue and ring of signaling.
const FILL_BURSTS: usize = 8;
/// Messages handled a turn.
pub(super) const SIGNALING_BUDGET: usize = BURST_MAX;
