//! Path MTUs: what routers on the way to a gateway said about tunnel packets of ours (RFC 8201,
//! RFC 1191). A worker has found that the packet was sent; the control core decides, and tells all
//! workers.
//!
//! ```text
//!   worker: ICMP error --> Report::PathMtu --> lower than what we know? --> tunnels of that gateway
//!   ten minutes later: what is configured holds again, until somebody complains anew
//! ```

use super::Control;
use super::counters::Counter;
use crate::nic::FramePool;
use crate::time::{Duration, Instant, Now};
use std::collections::VecDeque;
use std::net::Ipv6Addr;

/// How long what was learnt holds (RFC 8201 section 5.3, RFC 1191 section 6.3).
const LIFETIME: Duration = Duration::from_secs(600);
/// Findings that are remembered; beyond, senders learn of each packet anew.
const FINDINGS_MAX: usize = 65_536;

/// Paths that carry less than is configured, in the order in which that is to be forgotten.
#[derive(Debug, Default)]
pub(super) struct PathMtus {
    /// When it is time to try again, for whom, and what was learnt. A path that was learnt again
    /// stands here again.
    due: VecDeque<(Instant, Ipv6Addr, u16)>,
}

impl<P: FramePool> Control<P> {
    /// A path carries packets of so many bytes at most.
    pub(super) fn learn_path_mtu(&mut self, gateway: Ipv6Addr, mtu: u16, now: Now) {
        // RFC 8201 4: a report never raises it. RFC 2473 6.7: the tunnel's MTU follows the path's.
        if mtu >= self.publisher.tunnel_mtu(gateway) {
            return;
        }
        if self.path_mtus.due.len() >= FINDINGS_MAX {
            self.counters[Counter::PathMtuIgnored] += 1;
            return;
        }
        self.counters[Counter::PathMtuLearnt] += 1;
        self.path_mtus.due.push_back((now.mono + LIFETIME, gateway, mtu));
        self.publisher.set_path_mtu(gateway, Some(mtu));
        if self.log_limit.admit(now.mono) {
            tracing::info!(%gateway, mtu, "path MTU");
        }
    }

    /// Forgets what was learnt ten minutes ago.
    pub(super) fn forget_path_mtus(&mut self, now: Now) {
        while let Some(&(due, gateway, mtu)) = self.path_mtus.due.front()
            && due <= now.mono
            && !self.publisher.is_backlogged()
        {
            self.path_mtus.due.pop_front();
            // Unless it has been found to be even less since.
            if self.publisher.path_mtu(gateway) == Some(mtu) {
                self.publisher.set_path_mtu(gateway, None);
                self.counters[Counter::PathMtuForgotten] += 1;
            }
        }
    }
}
