//! What leaves: frames are staged by port and sent once a burst. What the NIC refuses is dropped
//! and counted; a worker never waits for a queue.

use super::header::{ETHER_LEN, Family, ether_type};
use crate::addr::MacAddr;
use crate::nic::{Burst, Frame, TxQueue};

/// Frames that leave by one port with the next flush, and the queue by which they do.
pub(super) struct Staged<F: Frame> {
    frames: Burst<F>,
    tx: Box<dyn TxQueue<Frame = F>>,
    /// Of all that was staged since the last flush.
    bytes: usize,
    /// What has left since then: more than a burst was staged.
    sent: Sent,
}

/// What became of staged frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sent {
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) refused: u64,
}

impl<F: Frame> Staged<F> {
    /// Nothing yet, for this queue.
    pub(super) fn new(tx: impl TxQueue<Frame = F>) -> Self {
        Self { frames: Burst::new(), tx: Box::new(tx), bytes: 0, sent: Sent::default() }
    }

    /// Adds a frame. If a whole burst is staged already, that leaves first.
    #[inline]
    pub(super) fn push(&mut self, frame: F) {
        let len = frame.frame_len();
        if let Err(full) = self.frames.try_push(frame) {
            self.send();
            let _ = self.frames.try_push(full.element()); // there is room now
        }
        self.bytes += len;
    }

    /// Takes a whole burst, if nothing is staged yet.
    pub(super) fn take_all(&mut self, burst: &mut Burst<F>) -> bool {
        if !self.frames.is_empty() {
            return false;
        }
        self.bytes += burst.iter().map(Frame::frame_len).sum::<usize>();
        core::mem::swap(&mut self.frames, burst);
        true
    }

    /// Sends what is staged, and says what became of all that was since the last time.
    #[inline]
    pub(super) fn flush(&mut self) -> Sent {
        if self.frames.is_empty() {
            return Sent::default(); // nor has anything been sent: a frame came after it
        }
        self.send();
        std::mem::take(&mut self.sent)
    }

    fn send(&mut self) {
        self.sent.packets += self.tx.send(&mut self.frames) as u64;
        let refused_bytes: usize = self.frames.iter().map(Frame::frame_len).sum();
        self.sent.refused += self.frames.drain(..).len() as u64;
        self.sent.bytes += (self.bytes - refused_bytes) as u64;
        self.bytes = 0;
    }
}

/// The end of the Ethernet headers of what leaves by a port: its address and the `EtherType`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender {
    ipv4: [u8; 8],
    ipv6: [u8; 8],
}

impl Sender {
    pub(super) fn new(mac: MacAddr) -> Self {
        let end = |ether_type: [u8; 2]| {
            let mut end = [0; 8];
            end[..6].copy_from_slice(&mac.0);
            end[6..].copy_from_slice(&ether_type);
            end
        };
        Self { ipv4: end(ether_type::IPV4), ipv6: end(ether_type::IPV6) }
    }

    /// Writes the Ethernet header of a packet of this family.
    #[inline]
    pub(super) fn write(&self, ether: &mut [u8; ETHER_LEN], family: Family, to: MacAddr) {
        let end = if family == Family::Ipv4 { &self.ipv4 } else { &self.ipv6 };
        ether[..6].copy_from_slice(&to.0);
        ether[6..].copy_from_slice(end);
    }
}
