//! What an anchor sends besides acknowledgements, and what the gateways answer.

use super::{Gateways, REALM};
use crate::addr::MnId;
use crate::load::Load;
use crate::mobility::message::{OwnedOptions, PeerBody, PeerMsg};
use crate::wire::mh::{
    BindingRevocationAck, Heartbeat, HeartbeatFlags, MobilityOption, RevocationFlags,
    RevocationStatus, RevocationTrigger,
};

impl Load<Gateways> {
    /// Answers a revocation or a heartbeat; `None` if nothing is to be said.
    pub(super) fn peer(&mut self, msg: &PeerMsg) -> Option<PeerMsg> {
        let counter = [MobilityOption::RestartCounter(0)];
        let (body, options) = match msg.body {
            PeerBody::Heartbeat(beat) if !beat.flags.contains(HeartbeatFlags::R) => {
                self.outcome()?.heartbeats += 1;
                let beat = Heartbeat { flags: HeartbeatFlags::R, seq: beat.seq };
                (PeerBody::Heartbeat(beat), &counter[..])
            }
            PeerBody::Bri(bri) => {
                let ends = bri.trigger != RevocationTrigger::HANDOFF_UNKNOWN
                    && bri.trigger != RevocationTrigger::HANDOFF_SAME_ACCESS_TYPE
                    && bri.trigger != RevocationTrigger::HANDOFF_DIFFERENT_ACCESS_TYPE;
                let status =
                    if ends { self.player.revoked(msg) } else { RevocationStatus::SUCCESS };
                self.outcome()?.revocations += 1;
                let flags = RevocationFlags(bri.flags.0 & RevocationFlags::P.0);
                (PeerBody::Bra(BindingRevocationAck { status, seq: bri.seq, flags }), &counter[..0])
            }
            PeerBody::Heartbeat(_)
            | PeerBody::Bra(_)
            | PeerBody::BindingError(_)
            | PeerBody::RefreshRequest
            | PeerBody::Switch(_) => return None,
        };
        Some(PeerMsg {
            node: None,
            src: msg.dst,
            dst: msg.src,
            transport: msg.transport,
            body,
            options: OwnedOptions::from_options(options).unwrap_or_default(),
        })
    }
}

impl Gateways {
    /// The node that is named has nothing any more.
    fn revoked(&mut self, msg: &PeerMsg) -> RevocationStatus {
        let named = msg.options.iter().find_map(|o| match o {
            MobilityOption::MnId(MnId::NAI, id) => Some(id),
            _ => None,
        });
        let node = named.and_then(|id| self.numbered(id));
        let node = node.and_then(|n| self.nodes.get_mut(usize::try_from(n).ok()?));
        match node.and_then(|node| node.has.take()) {
            Some(granted) => {
                self.disown(granted);
                RevocationStatus::SUCCESS
            }
            None => RevocationStatus::BINDING_DOES_NOT_EXIST,
        }
    }

    /// The number of a node by its identifier.
    pub(super) fn numbered(&self, id: &[u8]) -> Option<u32> {
        let number = core::str::from_utf8(id).ok()?.strip_prefix("mn")?.strip_suffix(REALM)?;
        number.parse::<u32>().ok()?.checked_sub(self.plan.first_node)
    }
}
