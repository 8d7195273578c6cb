//! What is asked of a port, and what it answers.

use crate::addr::{PortId, WorkerId};
use crate::dpdk::errno::Errno;
use std::net::Ipv6Addr;

/// How a port is to be set up.
#[derive(Debug, Clone)]
pub struct PortConfig<'a> {
    /// What its frames will carry.
    pub id: PortId,
    /// A PCI address, or an EAL `--vdev` argument (of which the name counts).
    pub device: &'a str,
    /// In bytes, without the Ethernet header.
    pub mtu: u16,
    /// Descriptors of each receive queue; rounded to what the device can.
    pub rx_desc: u16,
    /// Descriptors of each transmit queue; rounded likewise.
    pub tx_desc: u16,
    /// How many workers share it, at least one. A `net_af_packet` device needs as many `qpairs`:
    /// the kernel spreads frames over all of them, asked or not.
    pub workers: u16,
    /// Where signaling comes to, IPv4 mapped: wanted on a queue of its own. Empty on a port that
    /// takes none.
    pub anchors: &'a [Ipv6Addr],
    /// Whether a frame may be longer than a device's smallest buffers, on whatever port it came:
    /// then it may lie in several, received or to be sent.
    pub jumbo: bool,
    /// How the workers share the subscribers.
    pub spread: Spread<'a>,
}

/// Who owns a subscriber: `table[toeplitz(key, first 64 bits of the prefix) % table.len()]`.
#[derive(Debug, Clone, Copy)]
pub struct Spread<'a> {
    /// What of the device's key meets the prefix. With zeros around it nothing else in the hash
    /// chooses the slot (`dataplane::steer`).
    pub key: &'a [u8],
    /// Whose each slot is.
    pub table: &'a [WorkerId],
    /// Where in a frame the prefix is.
    pub by: SpreadBy,
}

/// Which address names the subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpreadBy {
    /// The destination: downlink, on core ports.
    Destination,
    /// The source inside the tunnel: uplink, on access ports.
    InnerSource,
}

/// How signaling reaches the control core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signaling {
    /// A flow rule puts it on a queue of its own.
    FlowRule,
    /// Workers recognise and punt it.
    PuntRing,
}

/// How a frame reaches the worker that owns its subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steering {
    /// There is one worker.
    Single,
    /// The hardware hashes as the workers do.
    Rss,
    /// Whoever received it passes it on.
    HandOff,
}

impl Signaling {
    /// As in `anchorctl port show`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FlowRule => "flow-rule",
            Self::PuntRing => "punt-ring",
        }
    }
}

impl Steering {
    /// As in `anchorctl port show`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Rss => "rss",
            Self::HandOff => "hand-off",
        }
    }
}

/// Why a port cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// EAL has no such port: the device is absent, or its driver failed (EAL then logged why).
    #[error("EAL found no device `{0}`: see its log above for why it was not probed")]
    NotFound(String),
    /// Two ports of the configuration name one device.
    #[error("device `{0}` is in use by another port")]
    InUse(String),
    /// The device cannot serve so many workers.
    #[error(
        "device `{device}` has {max} transmit queues, one for each of {workers} workers needed"
    )]
    TooFewQueues {
        /// As configured.
        device: String,
        /// What was wanted.
        workers: u16,
        /// What there is.
        max: u16,
    },
    /// A step of the set-up failed.
    #[error("device `{device}`: {step}: {errno}")]
    Setup {
        /// As configured.
        device: String,
        /// What was tried.
        step: &'static str,
        /// What DPDK answered.
        errno: Errno,
    },
}
