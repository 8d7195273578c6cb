//! Mobile nodes whose tunnel is in ESP, as a whole or as far as return routability goes (RFC 6275
//! 10.4.6): ESP is the kernel's, and what belongs into it is kept out of the plain tunnel.
//!
//! ```text
//!   to the node --> covered? --no--> its tunnel
//!                      +----yes----> the kernel forwards it by its policies, in ESP
//!   from the node, in its tunnel --> covered? --yes--> dropped: in ESP it would be the kernel's
//! ```

use super::burst::Lane;
use super::drop::DropReason;
use super::header::{ETHER_LEN, protocol};
use super::update::PuntReason;
use crate::addr::{PortId, Protection};
use crate::nic::Frame;
use crate::wire::ipv6::may_carry;

/// Whether the packet in a frame has to be in ESP.
pub(super) fn is_covered(frame: &impl Frame, protection: Protection) -> bool {
    covers(protection, frame.data().get(ETHER_LEN..))
}

/// Whether a packet has to be in ESP.
pub(super) fn covers(protection: Protection, packet: Option<&[u8]>) -> bool {
    match (protection, packet) {
        (Protection::ReturnRoutability, Some(packet)) => {
            packet.first().is_some_and(|b| b >> 4 == 6) && may_carry(packet, protocol::MOBILITY)
        }
        (Protection::ReturnRoutability, None) | (Protection::All, _) => true,
    }
}

impl<F: Frame> Lane<F> {
    /// Ends a packet to a node that has to be in ESP: by the kernel, as one that came by `port`.
    #[cold]
    pub(super) fn punt_protected(&mut self, mut frame: F, port: PortId) {
        match self.address_to_us(&mut frame, port) {
            Some(()) => self.punt_to_kernel(frame, port, PuntReason::Protected),
            None => self.discard(frame, DropReason::UnknownPort),
        }
    }
}
