//! What leaves: frames are staged by port and sent once a burst. What the NIC refuses is dropped
//! and counted; a worker never waits for a queue.

use super::header::ether_type;
use super::worker::PortConfig;
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

/// Writes the Ethernet header of a packet that leaves by `port`. Without a destination (the
/// neighbour is not resolved) that is left zero.
#[inline]
pub(super) fn address<F: Frame>(frame: &mut F, port: &PortConfig, to: Option<MacAddr>) {
    if let Some(ether) = frame.data_mut().first_chunk_mut::<15>() {
        ether[..6].copy_from_slice(&to.unwrap_or_default().0);
        ether[6..12].copy_from_slice(&port.mac.0);
        let is_ipv4 = ether[14] >> 4 == 4;
        let ether_type = if is_ipv4 { ether_type::IPV4 } else { ether_type::IPV6 };
        ether[12..14].copy_from_slice(&ether_type);
    }
}
