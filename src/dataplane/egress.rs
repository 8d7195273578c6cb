//! What leaves: frames are staged by port and sent once a burst. What the NIC refuses is dropped
//! and counted; a worker never waits for a queue.

use super::header::ether_type;
use super::worker::PortConfig;
use crate::addr::MacAddr;
use crate::nic::{Burst, Frame, TxQueue};

/// Frames that leave by one port with the next flush.
pub(super) struct Staged<F: Frame> {
    frames: Burst<F>,
    /// What a burst makes beyond that: packets that are cut become two, as a rule.
    more: Burst<F>,
    bytes: usize,
}

/// What became of staged frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sent {
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) refused: u64,
}

impl<F: Frame> Staged<F> {
    pub(super) fn new() -> Self {
        Self { frames: Burst::new(), more: Burst::new(), bytes: 0 }
    }

    /// Adds a frame; gives it back if two whole bursts are staged already.
    #[inline]
    pub(super) fn push(&mut self, frame: F) -> Result<(), F> {
        let len = frame.frame_len();
        self.frames.try_push(frame).or_else(|full| self.push_more(full.element()))?;
        self.bytes += len;
        Ok(())
    }

    #[cold]
    fn push_more(&mut self, frame: F) -> Result<(), F> {
        self.more.try_push(frame).map_err(arrayvec::CapacityError::element)
    }

    /// Sends what is staged.
    pub(super) fn flush<T: TxQueue<Frame = F>>(&mut self, tx: &mut T) -> Sent {
        if self.frames.is_empty() {
            return Sent::default();
        }
        let mut packets = tx.send(&mut self.frames) as u64;
        let (mut refused, mut refused_bytes) = self.drop_refused();
        if !self.more.is_empty() {
            core::mem::swap(&mut self.frames, &mut self.more);
            packets += tx.send(&mut self.frames) as u64;
            let (frames, bytes) = self.drop_refused();
            (refused, refused_bytes) = (refused + frames, refused_bytes + bytes);
        }
        let sent = Sent { packets, bytes: (self.bytes - refused_bytes) as u64, refused };
        self.bytes = 0;
        sent
    }

    /// Drops what the port has not taken: how many frames, and how many bytes.
    fn drop_refused(&mut self) -> (u64, usize) {
        let bytes = self.frames.iter().map(Frame::frame_len).sum();
        (self.frames.drain(..).len() as u64, bytes)
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
