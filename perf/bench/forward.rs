//! Cycles a packet of the worker's own loop.
//!
//! A batch of frames is put on the wire, the worker polls until it is idle (this alone is timed,
//! with its last, empty turn), and every frame that comes out is compared to the byte. Buffers go
//! round in the order of the pool, so that none is hotter than on a NIC's ring.

use crate::rig::{MBUFS, Rig, WIRE_LEN};
use crate::scene::{self, ACCESS, CORE, Direction, PLAIN_LEN, TUNNELLED_LEN};
use anchord::addr::PortId;
use anchord::dpdk::{Mbuf, clock};
use anchord::nic::{BURST_MAX, Burst, Frame, FramePool, RxQueue};
use std::collections::VecDeque;

/// Frames on the wire at once: whole bursts.
const BATCH: usize = WIRE_LEN / BURST_MAX * BURST_MAX;

/// A stream of packets to random bindings, and the buffers for it.
pub(crate) struct Stream {
    direction: Direction,
    bindings: u32,
    random: u64,
    idle: VecDeque<Mbuf>,
}

impl Stream {
    /// Uniformly random over bindings `0..bindings`, the same sequence for the same seed.
    pub(crate) fn new(rig: &Rig, direction: Direction, bindings: u32, seed: u64) -> Self {
        // Half of the pool: as far as the other half is concerned, its cache may keep it.
        let idle = (0..MBUFS / 2).map_while(|_| rig.pool.alloc(PortId(0))).collect();
        Self { direction, bindings, random: seed | 1, idle }
    }

    /// Forwards at least `packets` packets; returns cycles a packet. An error if what came out is
    /// not what had to.
    pub(crate) fn run(&mut self, rig: &mut Rig, packets: u64) -> Result<f64, String> {
        let before = rig.counted();
        let (mut cycles, mut sent) = (0, 0);
        while sent < packets {
            let order = self.feed(rig)?;
            let start = clock::tsc();
            while rig.worker.poll(rig.now()) > 0 {}
            cycles += clock::tsc() - start;
            self.check(rig, &order)?;
            sent += order.len() as u64;
        }
        let dropped = rig.counted().dropped_total() - before.dropped_total();
        if dropped > 0 {
            return Err(format!("{dropped} of {sent} packets were dropped"));
        }
        #[allow(clippy::cast_precision_loss)] // far below 2^52
        Ok(cycles as f64 / sent as f64)
    }

    /// Puts a batch on the wire to the worker; returns whose packets they are, in order.
    fn feed(&mut self, rig: &mut Rig) -> Result<Vec<u32>, String> {
        let port = if self.direction == Direction::Downlink { CORE } else { ACCESS };
        let mut order = Vec::with_capacity(BATCH);
        let mut burst = Burst::new();
        for _ in 0..BATCH {
            let mut frame = self.idle.pop_front().ok_or("a buffer was lost")?;
            let i = self.next_binding();
            lengthen(&mut frame)?;
            let len = scene::write_input(self.direction, i, frame.data_mut());
            if !frame.truncate(len) {
                return Err("a frame does not fit its buffer".into());
            }
            order.push(i);
            burst.push(frame);
            if burst.is_full() {
                Rig::inject(&mut rig.wires[usize::from(port.0)], &mut burst)?;
            }
        }
        Ok(order)
    }

    /// Takes what the worker sent; every frame must be the next one of `order`, to the byte.
    fn check(&mut self, rig: &mut Rig, order: &[u32]) -> Result<(), String> {
        let port = if self.direction == Direction::Downlink { ACCESS } else { CORE };
        let wire = &mut rig.wires[usize::from(port.0)];
        let mut expected = order.iter();
        let mut burst = Burst::new();
        while wire.rx.recv(&mut burst) > 0 {
            for mut frame in burst.drain(..) {
                let i = *expected.next().ok_or("more frames came out than went in")?;
                if !scene::output_is_right(self.direction, i, frame.data()) {
                    return Err(format!("binding {i}: wrong bytes: {:02x?}", frame.data()));
                }
                restore(self.direction, &mut frame)?;
                self.idle.push_back(frame);
            }
        }
        match expected.len() {
            0 => Ok(()),
            n => Err(format!("{n} of {} frames did not come out", order.len())),
        }
    }

    /// xorshift64*.
    fn next_binding(&mut self) -> u32 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let word = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        u32::try_from((word * u64::from(self.bindings)) >> 32).unwrap_or(0)
    }
}

/// Room for the longest frame.
fn lengthen(frame: &mut Mbuf) -> Result<(), String> {
    let missing = TUNNELLED_LEN.saturating_sub(frame.frame_len());
    if frame.append(missing) { Ok(()) } else { Err("a frame has no tailroom".into()) }
}

/// Back to the headroom that it came with: the tunnel's header is off again, or on again.
fn restore(direction: Direction, frame: &mut Mbuf) -> Result<(), String> {
    let restored = match direction {
        Direction::Downlink => frame.trim_front(TUNNELLED_LEN - PLAIN_LEN),
        Direction::Uplink => frame.prepend(TUNNELLED_LEN - PLAIN_LEN),
    };
    if restored { Ok(()) } else { Err("a frame has another shape".into()) }
}
