//! Reverse tunnels of nodes of Mobile IPv4 (RFC 3024 section 4.3.2, RFC 5454 section 4): what comes
//! out of one under an address that is not its node's, and what comes from elsewhere in a node's
//! name, is dropped as anything is that does not come from where its source is served. But it is
//! counted by itself, and the log tells of it.

use super::burst::Lane;
use super::drop::DropReason;
use super::header::{ETHER_LEN, Ip};
use super::shard::Slot;
use super::tunnel::TunnelSlot;
use super::update::Forward;
use crate::nic::Frame;
use crate::time::{Duration, Instant};
use hashbrown::HashSet;
use std::net::Ipv6Addr;

/// Where tunnels of such nodes end.
#[derive(Debug, Default)]
pub(super) struct NodeEnds {
    pub(super) ends: HashSet<Ipv6Addr>,
    /// When the control core may be told of the next exception.
    quiet_until: Instant,
}

/// The log hears of one exception in so long, from each worker.
const REPORT_INTERVAL: Duration = Duration::from_millis(100);

impl<F: Frame> Lane<F> {
    /// The reason to drop a tunnel packet that may not enter for `reason`: a reverse tunnel's, if
    /// the tunnel of its outer source or of its inner source, whose entry is `slot`, is a node's.
    #[cold]
    pub(super) fn exception(
        &mut self,
        reason: DropReason,
        frame: &F,
        slot: Option<Slot>,
        inner_at: usize,
    ) -> DropReason {
        let is_about_source = matches!(reason, DropReason::InnerSource | DropReason::NotServing);
        if self.node_ends.ends.is_empty() || !is_about_source {
            return reason;
        }
        let inner = frame.data().get(ETHER_LEN + inner_at..).and_then(Ip::of);
        let (Some(outer), Some(inner)) = (Ip::of_frame(frame.data()), inner) else { return reason };
        let from = Ipv6Addr::from_bits(outer.src());
        let served = slot.and_then(|slot| match self.shard.forward(slot) {
            Forward::Tunnel(id, _) => {
                let (id, _) = self.tunnels.one_of(id, outer.src());
                self.tunnels.ends(id).map(TunnelSlot::remote)
            }
            Forward::Held => None,
        });
        if !std::iter::once(from).chain(served).any(|end| self.node_ends.ends.contains(&end)) {
            return reason;
        }
        if self.node_ends.quiet_until <= self.now
            && self.reports.exception(from, Ipv6Addr::from_bits(inner.src()))
        {
            self.node_ends.quiet_until = self.now + REPORT_INTERVAL;
        }
        DropReason::ReverseTunnel
    }
}
