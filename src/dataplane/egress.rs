//! What leaves: frames are staged by port and sent once a burst. What the NIC refuses is dropped
//! and counted; a worker never waits for a queue.

use super::header::ether_type;
use super::worker::PortConfig;
use crate::addr::MacAddr;
use crate::nic::{Burst, Frame, TxQueue};

/// Frames that leave by one port with the next flush.
pub(super) struct Staged<F: Frame> {
    frames: Burst<F>,
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
        Self { frames: Burst::new(), bytes: 0 }
    }

    /// Adds a frame; gives it back if a whole burst is staged already.
    #[inline]
    pub(super) fn push(&mut self, frame: F) -> Result<(), F> {
        let len = frame.frame_len();
        self.frames.try_push(frame).map_err(arrayvec::CapacityError::element)?;
        self.bytes += len;
        Ok(())
    }

    /// Sends what is staged.
    pub(super) fn flush<T: TxQueue<Frame = F>>(&mut self, tx: &mut T) -> Sent {
        if self.frames.is_empty() {
            return Sent::default();
        }
        let packets = tx.send(&mut self.frames) as u64;
        let refused: usize = self.frames.iter().map(Frame::frame_len).sum();
        let sent = Sent {
            packets,
            bytes: (self.bytes - refused) as u64,
            refused: self.frames.drain(..).len() as u64,
        };
        self.bytes = 0;
        sent
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
