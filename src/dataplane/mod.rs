//! What happens to a packet on a worker core. No locks, no allocation, no logging, no syscalls, no
//! clock reads a packet.
//!
//! ```text
//!  rx burst --> classify --> shard lookup --+--> forward --> encap --+--> egress --> tx burst
//!     ^            |  |                     |       ^                |       |
//!  hand-off in     |  +--> hand-off out     +--> admit --> decap ----+       +--> punt (unresolved)
//!                  +-----> punt (signaling, exception)      route
//! ```
//!
//! `forward` is the downlink (correspondent to node), `admit` and `decap` are the uplink (node to
//! correspondent). A frame ends in exactly one of: sent, punted, handed to another worker, taken
//! into a packet that is put together, or dropped under one [`drop::DropReason`]; [`counters`] keep
//! the books and a test balances them.
//!
//! What is rare has modules of its own, entered by `#[cold]` functions: `gather` puts a frame that
//! lies in several buffers into one, `fragment` cuts packets,
//! `defragment` and `reassembly` put tunnel packets together, `quote` and `relay` take ICMP errors
//! about tunnel packets, `looping` knows packets that come back, `echo` and `on_link` answer nodes,
//! `mss` and `marking` rewrite what the operator wants.

pub mod classify;
pub mod counters;
pub mod drop;
pub mod handoff;
pub mod marking;
pub mod steer;
pub mod update;
pub mod worker;

mod admit;
mod burst;
mod checksum;
mod decap;
mod defragment;
mod echo;
mod egress;
mod encap;
mod enter;
mod fib;
mod forward;
mod fragment;
mod gather;
mod hash;
mod header;
mod icmp;
mod keys;
mod looping;
mod mss;
mod mtu;
mod on_link;
mod ordinary;
mod protect;
mod punt;
mod quote;
mod reassembly;
mod relay;
mod reverse;
mod shard;
mod tunnel;
mod vlan;

#[cfg(test)]
mod tests;
