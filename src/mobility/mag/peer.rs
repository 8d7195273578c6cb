//! The anchors that we have sessions with: their heartbeats (RFC 5847), and our own revocation of
//! all that we share (RFC 5846 9.2).
//!
//! ```text
//!   first session --> heartbeat at once, then each interval --> answered: missing = 0
//!                                       |                        restart counter differs: register
//!                                       +--> missing > allowed: sessions end, are registered anew
//! ```
//! An anchor is forgotten with its last session.

use crate::addr::{AnchorAddr, MnId};
use crate::mobility::mag::action::{Action, Audit, AuditKind};
use crate::mobility::mag::session::{Input, OfBinding};
use crate::mobility::mag::update::transport_to;
use crate::mobility::mag::{HeartbeatConfig, Mag, MagConfig};
use crate::mobility::message::{OwnedOptions, PeerBody, PeerMsg};
use crate::time::{Duration, Instant, Now};
use crate::wire::mh::{
    BindingError, BindingRevocationAck, BindingRevocationIndication, Heartbeat, HeartbeatFlags,
    MobilityOption, RevocationFlags, RevocationStatus, RevocationTrigger, SeqNo,
};
use std::collections::{BTreeMap, BTreeSet};

/// `InitMINDelayBRIs` (RFC 5846 11).
const INITIAL_BRA_TIMEOUT: Duration = Duration::from_secs(1);
/// `MAX_BRACK_TIMEOUT` (RFC 5846 11).
const MAX_BRA_TIMEOUT: Duration = Duration::from_secs(2);
/// `BRIMaxRetriesNumber` (RFC 5846 11): transmissions after the first.
const BRI_RETRIES: u8 = 1;

/// The anchors, and what they cannot do.
#[derive(Debug, Default)]
pub(super) struct Peers {
    known: BTreeMap<AnchorAddr, Peer>,
    /// Answered a heartbeat with a Binding Error.
    without_heartbeat: BTreeSet<AnchorAddr>,
    /// Answered our revocation with status 130.
    without_global: BTreeSet<AnchorAddr>,
    /// Ours, told in every response.
    restart_counter: u32,
    heartbeat_seq: u32,
    revocation_seq: SeqNo,
}

/// An anchor that we have sessions with.
#[derive(Debug)]
struct Peer {
    sessions: usize,
    /// Its counter, once it told it.
    restart_counter: Option<u32>,
    /// When the next heartbeat is due.
    beat_at: Instant,
    /// The number of the heartbeat that has no answer yet.
    asked: Option<u32>,
    /// `MISSING_HEARTBEAT`
    missing: u32,
    revoking: Option<Revoking>,
}

/// Our revocation of everything, on its way.
#[derive(Debug)]
struct Revoking {
    msg: PeerMsg,
    seq: SeqNo,
    retries: u8,
    at: Instant,
    interval: Duration,
}

impl Peers {
    /// A session with this anchor began.
    pub(super) fn join(&mut self, lma: AnchorAddr, now: Instant, actions: &mut Vec<Action>) {
        let peer = self.known.entry(lma).or_insert(Peer {
            sessions: 0,
            restart_counter: None,
            beat_at: now,
            asked: None,
            missing: 0,
            revoking: None,
        });
        peer.sessions += 1;
        if peer.sessions == 1 {
            actions.push(self.remember());
        }
    }

    /// One ended.
    pub(super) fn leave(&mut self, lma: AnchorAddr, actions: &mut Vec<Action>) {
        let Some(peer) = self.known.get_mut(&lma) else { return };
        peer.sessions -= 1;
        if peer.sessions == 0 {
            self.known.remove(&lma);
            actions.push(self.remember());
        }
    }

    fn remember(&self) -> Action {
        Action::Remember(self.known.keys().copied().collect())
    }

    /// When something is next due.
    pub(super) fn poll_timeout(&self, config: &MagConfig) -> Option<Instant> {
        let beats =
            |lma: &AnchorAddr| config.heartbeat.is_some() && !self.without_heartbeat.contains(lma);
        let due = self.known.iter().flat_map(|(lma, p)| {
            let beat = beats(lma).then_some(p.beat_at);
            beat.into_iter().chain(p.revoking.as_ref().map(|r| r.at))
        });
        due.min()
    }

    /// The next heartbeat to an anchor; `None` if it missed more than it may.
    fn beat(&mut self, lma: AnchorAddr, config: HeartbeatConfig, now: Instant) -> Option<u32> {
        let peer = self.known.get_mut(&lma)?;
        // RFC 5847 3.1
        if peer.asked.is_some() {
            peer.missing += 1;
        }
        if peer.missing > config.missing_allowed {
            return None;
        }
        self.heartbeat_seq = self.heartbeat_seq.wrapping_add(1);
        peer.asked = Some(self.heartbeat_seq);
        peer.beat_at = now + config.interval;
        peer.asked
    }
}

impl Mag {
    /// A message that is about no single binding.
    pub(super) fn peer(&mut self, msg: PeerMsg, now: Now, actions: &mut Vec<Action>) {
        // RFC 5846 6.1.2: not even answered.
        if msg.src.is_multicast() || msg.src.is_unspecified() {
            actions.push(of_peer(AuditKind::NotUnicast));
            return;
        }
        let lma = AnchorAddr(msg.src);
        match msg.body {
            PeerBody::Bri(bri) => self.bri(&msg, bri, now, actions),
            PeerBody::Bra(bra) => self.bra(lma, bra, now, actions),
            PeerBody::Heartbeat(beat) if beat.flags.contains(HeartbeatFlags::R) => {
                self.heartbeat_answered(&msg, beat, now, actions);
            }
            // RFC 5847 3: whether there are sessions or not.
            PeerBody::Heartbeat(Heartbeat { seq, .. }) => {
                let beat = Heartbeat { flags: HeartbeatFlags::R, seq };
                let counter = Some(self.shared.peers.restart_counter);
                let (src, dst, transport) = (msg.dst, msg.src, msg.transport);
                actions.push(heartbeat(&PeerMsg { src, dst, transport, ..msg }, beat, counter));
            }
            PeerBody::BindingError(BindingError { status, .. }) => {
                let peers = &mut self.shared.peers;
                let asked = peers.known.get(&lma).is_some_and(|p| p.asked.is_some());
                if status == BindingError::UNKNOWN_MH_TYPE && asked {
                    // RFC 5847 3
                    peers.without_heartbeat.insert(lma);
                    actions.push(of_peer(AuditKind::HeartbeatNotSupported));
                }
            }
            // A home agent's, to its nodes.
            PeerBody::RefreshRequest | PeerBody::Switch(_) => {}
        }
    }

    /// We are here again, without the sessions that we had (RFC 5847 3.2).
    pub(super) fn started(
        &mut self,
        restart_counter: u32,
        lost: &[AnchorAddr],
        actions: &mut Vec<Action>,
    ) {
        self.shared.peers.restart_counter = restart_counter;
        let beat = Heartbeat { flags: HeartbeatFlags::R | HeartbeatFlags::U, seq: 0 };
        for &lma in lost {
            if let Some(msg) = self.to_anchor(lma, PeerBody::Heartbeat(beat)) {
                actions.push(heartbeat(&msg, beat, Some(restart_counter)));
            }
        }
    }

    /// Takes what is due with the anchors.
    pub(super) fn peers_due(&mut self, now: Now, actions: &mut Vec<Action>) {
        let lmas: Vec<AnchorAddr> = self.shared.peers.known.keys().copied().collect();
        for lma in lmas {
            self.beat_if_due(lma, now, actions);
            self.revoke_if_due(lma, now, actions);
        }
    }

    fn beat_if_due(&mut self, lma: AnchorAddr, now: Now, actions: &mut Vec<Action>) {
        let Some(config) = self.shared.config.heartbeat else { return };
        let peers = &mut self.shared.peers;
        let due = peers.known.get(&lma).is_some_and(|p| p.beat_at <= now.mono);
        if !due || peers.without_heartbeat.contains(&lma) {
            return;
        }
        let Some(seq) = peers.beat(lma, config, now.mono) else {
            actions.push(of_peer(AuditKind::AnchorUnreachable));
            return self.for_all_of(lma, || OfBinding::AnchorLost, now, actions);
        };
        let beat = Heartbeat { flags: HeartbeatFlags::default(), seq };
        if let Some(msg) = self.to_anchor(lma, PeerBody::Heartbeat(beat)) {
            actions.push(heartbeat(&msg, beat, None));
        }
    }

    fn heartbeat_answered(
        &mut self,
        msg: &PeerMsg,
        beat: Heartbeat,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let lma = AnchorAddr(msg.src);
        let unsolicited = beat.flags.contains(HeartbeatFlags::U);
        let peer = self.shared.peers.known.get_mut(&lma);
        let Some(peer) = peer.filter(|p| unsolicited || p.asked == Some(beat.seq)) else {
            actions.push(of_peer(AuditKind::HeartbeatIgnored));
            return;
        };
        if !unsolicited {
            peer.asked = None;
            peer.missing = 0;
        }
        let told = msg.options.iter().find_map(|o| match o {
            MobilityOption::RestartCounter(counter) => Some(counter),
            _ => None,
        });
        let Some(counter) = told else { return };
        let before = peer.restart_counter.replace(counter);
        // Nobody speaks unasked but who restarted (RFC 5847 3.2).
        let restarted = before.map_or(unsolicited, |known| known != counter);
        if restarted {
            actions.push(of_peer(AuditKind::AnchorRestarted));
            self.for_all_of(lma, || OfBinding::AnchorRestarted, now, actions);
        }
    }

    /// RFC 5846 9.2
    pub(super) fn revoke_all(&mut self, lma: AnchorAddr, now: Now, actions: &mut Vec<Action>) {
        if self.shared.peers.without_global.contains(&lma) {
            let status = RevocationStatus::GLOBAL_REVOCATION_NOT_AUTHORIZED;
            actions.push(of_peer(AuditKind::RevokedByUs(status.0)));
            return;
        }
        let seq = self.shared.peers.revocation_seq.next();
        let bri = BindingRevocationIndication {
            trigger: RevocationTrigger::PER_PEER_POLICY,
            seq,
            flags: RevocationFlags::P | RevocationFlags::G,
        };
        let Some(msg) = self.to_anchor(lma, PeerBody::Bri(bri)) else { return };
        let config = &self.shared.config;
        let mut named = vec![MobilityOption::MnId(MnId::NAI, config.identity.as_bytes())];
        // The bindings have another address than this message: it is named, as the anchor could not
        // know which are meant.
        let coa = config.user_plane_to(lma).filter(|coa| coa.0.to_ipv4_mapped().is_none());
        named.extend(coa.map(|coa| MobilityOption::AlternateCoa(coa.0)));
        let options = OwnedOptions::from_options(&named).unwrap_or_default();
        let peers = &mut self.shared.peers;
        let Some(peer) = peers.known.get_mut(&lma) else { return };
        if peer.revoking.is_some() {
            return;
        }
        peers.revocation_seq = seq;
        peer.revoking = Some(Revoking {
            msg: PeerMsg { options, ..msg },
            seq,
            retries: BRI_RETRIES + 1,
            at: now.mono,
            interval: INITIAL_BRA_TIMEOUT,
        });
        self.revoke_if_due(lma, now, actions);
    }

    fn revoke_if_due(&mut self, lma: AnchorAddr, now: Now, actions: &mut Vec<Action>) {
        let Some(peer) = self.shared.peers.known.get_mut(&lma) else { return };
        let Some(r) = peer.revoking.as_mut().filter(|r| r.at <= now.mono) else { return };
        if r.retries == 0 {
            // RFC 5846 6.3: cleaned up without an answer.
            peer.revoking = None;
            actions.push(of_peer(AuditKind::RevocationUnanswered));
            self.drop_all(lma, now, actions);
            return;
        }
        actions.push(Action::Send(r.msg.clone()));
        r.retries -= 1;
        r.at = now.mono + r.interval;
        r.interval = (r.interval * 2).min(MAX_BRA_TIMEOUT);
    }

    /// RFC 5846 6.2.2, 9.2
    fn bra(
        &mut self,
        lma: AnchorAddr,
        bra: BindingRevocationAck,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let peer = self.shared.peers.known.get_mut(&lma);
        let answered = peer.and_then(|p| p.revoking.take_if(|r| r.seq == bra.seq)).is_some();
        if !answered {
            actions.push(of_peer(AuditKind::BraIgnored));
            return;
        }
        actions.push(of_peer(AuditKind::RevokedByUs(bra.status.0)));
        if bra.status == RevocationStatus::GLOBAL_REVOCATION_NOT_AUTHORIZED {
            self.shared.peers.without_global.insert(lma);
        }
        let nothing_there = bra.status == RevocationStatus::BINDING_DOES_NOT_EXIST;
        if bra.status.is_accepted() || nothing_there {
            self.drop_all(lma, now, actions);
        }
    }

    fn for_all_of(
        &mut self,
        lma: AnchorAddr,
        what: impl Fn() -> OfBinding,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let of_lma = self.sessions.iter().filter(|(_, s)| s.attachment.node.lma == lma);
        let links: Vec<_> = of_lma.map(|(link, _)| *link).collect();
        for link in links {
            self.step(link, Input::OfBinding(what()), now, actions);
        }
    }

    /// A message without options to an anchor; `None` if we have no address of its family.
    fn to_anchor(&self, lma: AnchorAddr, body: PeerBody) -> Option<PeerMsg> {
        let src = self.shared.config.coa_to(lma)?.0;
        let (dst, transport) = (lma.0, transport_to(lma));
        Some(PeerMsg { node: None, src, dst, transport, body, options: OwnedOptions::default() })
    }
}

fn heartbeat(msg: &PeerMsg, beat: Heartbeat, restart_counter: Option<u32>) -> Action {
    let options = restart_counter.map(MobilityOption::RestartCounter);
    Action::Send(PeerMsg {
        node: None,
        src: msg.src,
        dst: msg.dst,
        transport: msg.transport,
        body: PeerBody::Heartbeat(beat),
        // Cannot fail: it has a fixed length.
        options: OwnedOptions::from_options(options.as_slice()).unwrap_or_default(),
    })
}

fn of_peer(kind: AuditKind) -> Action {
    Action::Audit(Audit { kind, link: None, mn_id: None })
}
