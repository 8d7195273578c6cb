//! Gateways as peers: what they say besides updates, whether they live, and what follows if they
//! do not (RFC 5847).

use super::Lma;
use super::revocation::note;
use crate::addr::ProxyCoa;
use crate::mobility::action::{Action, Audit, AuditKind, BindingId, Ignored};
use crate::mobility::lifetime::TimerKey;
use crate::mobility::message::{PeerBody, PeerMsg};
use crate::mobility::peer::{self, Answer, Beat, Contact};
use crate::time::Now;
use crate::wire::mh::{Heartbeat, HeartbeatFlags, MobilityOption};
use std::net::Ipv6Addr;

impl Lma {
    /// A message about revocation or heartbeats. Strangers get no answer: we have no session with
    /// them, and nothing shows that they are gateways (RFC 5846 6.2).
    pub(super) fn handle_peer(&mut self, msg: &PeerMsg, now: Now, actions: &mut Vec<Action>) {
        // RFC 5846 6.1.2
        if msg.src.is_multicast() || msg.src.is_unspecified() {
            return note(AuditKind::Ignored(Ignored::NotUnicast), msg, actions);
        }
        if !self.mags.knows(msg.src) {
            return note(AuditKind::Ignored(Ignored::Stranger), msg, actions);
        }
        match msg.body {
            PeerBody::Bri(bri) => self.handle_bri(msg, bri, now, actions),
            PeerBody::Bra(ack) => self.handle_bra(msg, ack, now, actions),
            PeerBody::Heartbeat(heartbeat) => self.handle_heartbeat(msg, heartbeat, now, actions),
            PeerBody::BindingError(error) => self.handle_error(msg, error, now, actions),
            // A home agent's, to its nodes.
            PeerBody::RefreshRequest | PeerBody::Switch(_) => {}
        }
    }

    /// The process serves from now on. If the sessions of its last run were lost, the gateways are
    /// told so unasked (3.2): any of those that we know may have had some.
    pub(super) fn start(&mut self, counter: u32, state_lost: bool, actions: &mut Vec<Action>) {
        self.restart_counter = counter;
        if !state_lost {
            return;
        }
        let flags = HeartbeatFlags::R | HeartbeatFlags::U;
        for address in self.mags.heard_by_heartbeats() {
            let to = self.contact_of_gateway(address);
            let msg = peer::heartbeat(Heartbeat { flags, seq: 0 }, Some(counter), &to);
            actions.push(Action::Send { msg, held: false });
        }
    }

    /// A gateway has registered a node: it is asked from now on whether it lives.
    pub(super) fn watch(&mut self, id: BindingId, now: Now) {
        let Some(bce) = self.cache.get(id) else { return };
        let (address, contact) = (bce.proxy_coa.0, self.contact(bce));
        if let Some(due) = self.mags.peer_mut(address).and_then(|p| p.wake(contact, now.mono)) {
            self.timers.arm(due, TimerKey::Heartbeat(address));
        }
    }

    /// The next request to a gateway is due.
    pub(super) fn beat(&mut self, address: Ipv6Addr, now: Now, actions: &mut Vec<Action>) {
        let sessions = self.mags.bindings(address);
        let Some(peer) = self.mags.peer_mut(address) else { return };
        let (beat, due) = peer.beat(sessions, &self.protocol, now.mono);
        if let Some(due) = due {
            self.timers.arm(due, TimerKey::Heartbeat(address));
        }
        match beat {
            Beat::Ask(seq) => {
                let to = self.contact_of_gateway(address);
                let request = Heartbeat { flags: HeartbeatFlags::default(), seq };
                let msg = peer::heartbeat(request, None, &to);
                actions.push(Action::Send { msg, held: false });
            }
            // 3: its sessions are void. It is not there to be told.
            Beat::Failed => {
                let proxy_coa = Some(ProxyCoa(address));
                let kind = AuditKind::PeerFailed;
                actions.push(Action::Audit(Audit { kind, mn_id: None, proxy_coa }));
                self.sweeps.begin(ProxyCoa(address), now.mono, AuditKind::Lost, None);
            }
            Beat::Rest => {}
        }
    }

    fn handle_heartbeat(
        &mut self,
        msg: &PeerMsg,
        heartbeat: Heartbeat,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        if !heartbeat.flags.contains(HeartbeatFlags::R) {
            // 3: whether or not it has a session
            let PeerMsg { src: remote, dst: local, transport, .. } = *msg;
            let to = Contact { local, remote, transport, proxy_coa: remote };
            let response = Heartbeat { flags: HeartbeatFlags::R, seq: heartbeat.seq };
            let msg = peer::heartbeat(response, Some(self.restart_counter), &to);
            return actions.push(Action::Send { msg, held: false });
        }
        // 3.3: other options are skipped
        let counter = msg.options.iter().find_map(|o| match o {
            MobilityOption::RestartCounter(n) => Some(n),
            _ => None,
        });
        let mut stray = true;
        for address in self.mags.peers_at(msg.src) {
            let Some(peer) = self.mags.peer_mut(address) else { continue };
            let answer = peer.answer(heartbeat, counter, now.mono);
            stray &= answer == Answer::Stray;
            if let Answer::Restarted(since) = answer {
                note(AuditKind::PeerRestarted, msg, actions);
                self.sweeps.begin(ProxyCoa(address), since, AuditKind::Lost, None);
            }
        }
        if stray {
            note(AuditKind::Ignored(Ignored::Stray), msg, actions);
        }
    }

    /// Deletes the next sessions of a gateway that lost them; looks for some of a realm; counts on.
    pub(super) fn sweep(&mut self, now: Now, actions: &mut Vec<Action>) {
        if self.pools.is_counting() {
            self.pools.count();
        }
        if self.search(now, actions) {
            return;
        }
        let Some(swept) = self.sweeps.step(&self.cache) else { return };
        for id in swept.ids {
            self.delete(id, swept.kind, now, actions);
        }
        if let Some(msg) = swept.then {
            actions.push(Action::Send { msg, held: true });
        }
    }
}
