//! `anchor-mn`: kernel sockets, a TUN and netlink around the pure core of `mobility::mn`.
//!
//! ```text
//!  RawSocket(43): acknowledgements --+                     +-- RawSocket(RAW): updates, NA, RS
//!  RawSocket(135): the others -------+                     |
//!  netlink: addresses, links --------+--> Node --> Mn -----+-- Kernel: rules, routes, addresses
//!  control socket -------------------+   (one task)        |
//!                                                          +-- Tunnel: TUN <-> RawSocket(41)
//! ```
//! One thread. A kernel without Mobile IPv6 refuses type 2 routing headers, but only after a raw
//! socket of next header 43 has had them; a rule keeps the refusal from leaving (`kernel.rs`). So
//! no packet socket is needed, and the kernel goes on as the node's stack in all else.

pub mod cli;

mod control;
mod input;
mod kernel;
mod load;
mod node;
mod packet;
mod signaling;
