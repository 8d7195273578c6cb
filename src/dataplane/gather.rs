//! Frames in several buffers. The ordinary path forwards those on their way to a node whose headers
//! are in the first one; of the others one is made that has all in one, so that no module behind
//! has to know of more.

use super::burst::Lane;
use super::counters::Counter;
use super::ordinary::From;
use crate::nic::Frame;

impl<F: Frame> Lane<F> {
    /// The frame in one buffer. If it is longer than one, or there is none, it stays as it is: it
    /// is then dropped as `segmented` where that is in the way.
    #[inline]
    pub(super) fn gather(&mut self, frame: F, from: From) -> (F, From) {
        if frame.data().len() == frame.frame_len() {
            return (frame, from);
        }
        self.gather_buffers(frame, from)
    }

    #[cold]
    fn gather_buffers(&mut self, frame: F, from: From) -> (F, From) {
        let Some(mut whole) = self.pool.alloc(frame.port()) else { return (frame, from) };
        if !whole.append(frame.frame_len()) || !frame.copy_to(0, whole.data_mut()) {
            return (frame, from);
        }
        whole.set_priority(frame.priority());
        self.counters.add(Counter::Gathered, 1);
        let from = match from {
            // Its tag may have been across buffers.
            From::Port(port) => From::Port(self.vlans.untag(&mut whole, port)),
            From::Uplink(_) | From::Downlink(_) => from,
        };
        (whole, from)
    }
}
