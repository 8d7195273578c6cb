//! What a worker counts. One writer (the worker), any number of readers, nothing shared is waited
//! for: plain loads and stores with relaxed ordering, since a counter guards nothing.
//!
//! The books balance: `RxPackets + HandoffReceived + Injected + IcmpErrors + FragmentsSent +
//! Reassembled + Copies` is `TxPackets + HandoffSent + PuntSignaling + PuntException +
//! PuntUnresolved + FragmentsTaken +` all drops.

use super::drop::{DropReason, named_enum};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

named_enum! {
    /// Something that a worker counts, besides drops.
    Counter {
        Polls "polls" "Calls of the worker's loop.",
        BusyPolls "busy_polls" "Calls of the worker's loop that found something to do.",
        RxPackets "rx_packets" "Frames received from ports.",
        RxBytes "rx_bytes" "Bytes of these frames.",
        TxPackets "tx_packets" "Frames sent to ports.",
        TxBytes "tx_bytes" "Bytes of these frames.",
        DownlinkPackets "downlink_packets" "Packets sent into a tunnel, errors of our own included.",
        DownlinkBytes "downlink_bytes" "Bytes of these packets without the tunnel's headers.",
        UplinkPackets "uplink_packets" "Packets admitted from a tunnel.",
        UplinkBytes "uplink_bytes" "Bytes of these packets without the tunnel's headers.",
        NodeToNode "node_to_node" "Packets admitted from a tunnel whose destination is another node's prefix.",
        PuntSignaling "punt_signaling" "Mobility Headers handed to the control core.",
        PuntException "punt_exception" "Frames handed to the kernel.",
        PuntUnresolved "punt_unresolved" "Frames handed to the control core until their neighbour is resolved.",
        HandoffSent "handoff_sent" "Frames handed to the worker that owns their node.",
        HandoffReceived "handoff_received" "Frames taken over from other workers.",
        Gathered "gathered" "Frames in several buffers that were copied into one, because of their headers or their length.",
        Injected "injected" "Frames that the control core wanted sent.",
        IcmpErrors "icmp_errors" "ICMP errors, of either family, made out of dropped packets.",
        IcmpLimited "icmp_limited" "ICMP errors not sent: over the rate limit.",
        IcmpSuppressed "icmp_suppressed" "ICMP errors not sent: RFC 4443 2.4 (e) or RFC 1122 3.2.2 forbids them, or the buffer has no room.",
        IcmpLimitedSource "icmp_limited_source" "ICMP errors not sent: over the rate limit of the one network or host that they are for.",
        FragmentsSent "fragments_sent" "Frames sent for packets that were cut, beyond one a packet.",
        FragmentsTaken "fragments_taken" "Fragments of tunnel packets taken in, to be put together.",
        Reassembled "reassembled" "Tunnel packets put together from fragments.",
        ReassemblyTimeout "reassembly_timeout" "Tunnel packets given up whose fragments did not all come in time.",
        ReassemblyEvicted "reassembly_evicted" "Tunnel packets given up before their time, for want of room.",
        ReassemblyNoBuffer "reassembly_no_buffer" "Tunnel packets put together and lost, for want of a buffer that holds them.",
        ReassemblyCongested "reassembly_congested" "Tunnel packets put together and lost: a fragment was marked Congestion Experienced, another one came from a sender without ECN.",
        MssClamped "mss_clamped" "TCP SYNs whose Maximum Segment Size was lowered to what the tunnel carries.",
        PathMtuReports "path_mtu_reports" "Paths to gateways found to carry less than was sent, told to the control core.",
        Copies "copies" "Copies of packets to nodes with several care-of addresses, beyond one a packet.",
        CopiesFailed "copies_failed" "The same that were not made, for want of a buffer that holds them.",
        Updates "updates" "Updates of the control core that were applied.",
        UpdatesRefused "updates_refused" "Updates that exceeded a table's limit; the control core must not let this happen.",
        Entries "entries" "Prefixes in the shard now.",
    }
}

/// One worker's counters. Aligned so that two workers never share a cache line (or a pair of them,
/// which the hardware fetches together).
#[derive(Debug)]
#[repr(align(128))]
pub struct WorkerCounters {
    counters: [AtomicU64; Counter::ALL.len()],
    drops: [AtomicU64; DropReason::ALL.len()],
}

/// What a worker had counted at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    counters: [u64; Counter::ALL.len()],
    drops: [u64; DropReason::ALL.len()],
}

impl Default for WorkerCounters {
    fn default() -> Self {
        Self {
            counters: [const { AtomicU64::new(0) }; Counter::ALL.len()],
            drops: [const { AtomicU64::new(0) }; DropReason::ALL.len()],
        }
    }
}

impl WorkerCounters {
    /// The values now. Each is exact; together they may be a few packets apart.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            counters: self.counters.each_ref().map(|c| c.load(Ordering::Relaxed)),
            drops: self.drops.each_ref().map(|c| c.load(Ordering::Relaxed)),
        }
    }
}

impl Snapshot {
    /// The value of one counter.
    #[must_use]
    pub fn get(&self, counter: Counter) -> u64 {
        self.counters[counter as usize]
    }

    /// How many frames were dropped for this reason.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.drops[reason as usize]
    }

    /// How many frames were dropped in all.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.drops.iter().sum()
    }
}

/// The worker's end: the only one that writes.
#[derive(Debug)]
pub(super) struct CounterWriter(Arc<WorkerCounters>);

impl CounterWriter {
    pub(super) fn new(shared: Arc<WorkerCounters>) -> Self {
        Self(shared)
    }

    #[inline]
    pub(super) fn add(&mut self, counter: Counter, n: u64) {
        raise(&self.0.counters[counter as usize], n);
    }

    pub(super) fn set(&mut self, counter: Counter, value: u64) {
        self.0.counters[counter as usize].store(value, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn dropped(&mut self, reason: DropReason, n: u64) {
        raise(&self.0.drops[reason as usize], n);
    }
}

/// No read-modify-write: there is one writer, so a load and a store do, without a locked bus.
#[inline]
fn raise(cell: &AtomicU64, n: u64) {
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshot_shows_what_was_written() {
        let shared = Arc::new(WorkerCounters::default());
        let mut writer = CounterWriter::new(Arc::clone(&shared));
        writer.add(Counter::RxPackets, 3);
        writer.add(Counter::RxPackets, 4);
        writer.set(Counter::Entries, 9);
        writer.dropped(DropReason::Held, 2);
        let s = shared.snapshot();
        assert_eq!((s.get(Counter::RxPackets), s.get(Counter::Entries)), (7, 9));
        assert_eq!((s.dropped(DropReason::Held), s.dropped_total()), (2, 2));
    }
}
