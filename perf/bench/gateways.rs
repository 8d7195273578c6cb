//! The harness as all gateways: it sends updates and reads every acknowledgement.

use crate::pbu::{self, Pbu, Step};
use crate::rig::Wire;
use crate::scene::{self, MAGS};
use anchord::addr::PortId;
use anchord::dpdk::{Mbuf, Mempool, TscClock};
use anchord::nic::{BURST_MAX, Burst, Frame, FramePool, RxQueue, TxQueue};
use anchord::time::{Duration, MobTimestamp};
use std::net::Ipv6Addr;
use std::ops::Range;

/// A point in time for the Timestamp options: the bench's clock starts there.
pub(crate) const EPOCH: Duration = Duration::from_secs(1_800_000_000);

/// Updates that gateways have outstanding together.
const WINDOW: u32 = 512;

/// All gateways, and the nodes at them.
pub(crate) struct Gateways {
    wire: Wire,
    pool: Mempool,
    clock: TscClock,
    nodes: Vec<Node>,
    /// The nodes from this one on are at gateways of their own ([`scene::far_mag`]).
    far: u32,
}

#[derive(Clone, Copy, Default)]
struct Node {
    /// What it was given; zero: nothing yet.
    hnp: u128,
    /// How often it has moved to the next gateway.
    moves: u32,
}

impl Gateways {
    /// So many nodes that hold nothing yet.
    pub(crate) fn new(wire: Wire, pool: Mempool, clock: TscClock, nodes: u32, far: u32) -> Self {
        let nodes = vec![Node::default(); nodes as usize];
        Self { wire, pool, clock, nodes, far }
    }

    /// The gateway that a node is at now.
    pub(crate) fn mag(&self, node: u32) -> Ipv6Addr {
        let at = (node + self.nodes[node as usize].moves) % MAGS;
        if node < self.far { scene::mag(at) } else { scene::far_mag(at) }
    }

    /// The home network prefix that a node was given.
    pub(crate) fn hnp(&self, node: u32) -> u128 {
        self.nodes[node as usize].hnp
    }

    /// Sends one update of this kind for every node, reads every acknowledgement, and says how
    /// many nanoseconds that took. The anchor takes its turns by `turn`.
    pub(crate) fn run(&mut self, step: Step, mut turn: impl FnMut()) -> Result<u64, String> {
        let all = self.len();
        let (mut sent, mut answered) = (0, 0);
        let start = self.clock.now_ns();
        let mut deadline = start + PATIENCE_NS;
        let mut burst = Burst::new();
        while answered < all {
            if sent < all && sent - answered + BURST <= WINDOW {
                let to = all.min(sent + BURST);
                self.send(step, sent..to)?;
                sent = to;
            }
            turn();
            let before = answered;
            while self.recv(&mut burst) > 0 {
                for frame in burst.drain(..) {
                    self.acknowledged(step, frame.data())?;
                    answered += 1;
                }
            }
            let now = self.clock.now_ns();
            if answered > before {
                deadline = now + PATIENCE_NS;
            } else if now > deadline {
                return Err(format!("{step:?}: {answered} of {sent} updates were acknowledged"));
            }
        }
        let ns = self.clock.now_ns() - start;
        let mut prefixes: Vec<_> = self.nodes.iter().map(|node| node.hnp).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        if prefixes.len() != self.nodes.len() {
            return Err(format!("{step:?}: two nodes have the same prefix"));
        }
        Ok(ns)
    }

    /// Sends an update for each of these nodes, not more than a burst.
    pub(crate) fn send(&mut self, step: Step, nodes: Range<u32>) -> Result<(), String> {
        let wall = EPOCH + Duration::from_nanos(self.clock.now_ns());
        let timestamp = MobTimestamp::from_unix(wall).0;
        let mut burst = Burst::new();
        for node in nodes {
            self.nodes[node as usize].moves += u32::from(step == Step::Handoff);
            let (mag, hnp) = (self.mag(node), self.hnp(node));
            let pbu = Pbu { step, node, mag, hnp, timestamp };
            burst.push(self.frame(pbu::PBU_LEN, |out| pbu::write(&pbu, out))?);
        }
        self.put(&mut burst)
    }

    /// A frame of so many bytes, to be written.
    pub(crate) fn frame(&self, len: usize, write: impl FnOnce(&mut [u8])) -> Result<Mbuf, String> {
        let mut frame = self.pool.alloc(PortId(0)).ok_or("no buffer")?;
        if !frame.append(len) {
            return Err("a buffer is too small".into());
        }
        write(frame.data_mut());
        Ok(frame)
    }

    /// Puts frames on the wire to the worker; there is room for them.
    pub(crate) fn put(&mut self, burst: &mut Burst<Mbuf>) -> Result<(), String> {
        self.wire.tx.send(burst);
        if burst.is_empty() { Ok(()) } else { Err("the wire to the worker is full".into()) }
    }

    /// What has come from the worker.
    pub(crate) fn recv(&mut self, burst: &mut Burst<Mbuf>) -> usize {
        self.wire.rx.recv(burst)
    }

    /// Reads the acknowledgement of an update of this kind; returns whose it is.
    pub(crate) fn acknowledged(&mut self, step: Step, frame: &[u8]) -> Result<u32, String> {
        let refused = || format!("{step:?}: not what was asked for: {frame:02x?}");
        let pba = pbu::read(frame).filter(|pba| pba.node < self.len()).ok_or_else(refused)?;
        let mag = self.mag(pba.node);
        let node = &mut self.nodes[pba.node as usize];
        // A prefix is given once, and kept over refreshes and handoffs.
        let kept = if step == Step::Register { node.hnp == 0 } else { node.hnp == pba.hnp };
        if !kept || pba.mag != mag || pba.seq != pbu::low_half(pba.node) {
            return Err(refused());
        }
        node.hnp = pba.hnp;
        Ok(pba.node)
    }

    #[allow(clippy::cast_possible_truncation)] // made of a u32
    fn len(&self) -> u32 {
        self.nodes.len() as u32
    }
}

#[allow(clippy::cast_possible_truncation)] // 64
const BURST: u32 = BURST_MAX as u32;

/// How long an acknowledgement may take before the run has failed.
const PATIENCE_NS: u64 = 10_000_000_000;
