//! `anchor-mn`: kernel sockets, a TUN and netlink around the pure cores of `mobility::mn` (Mobile
//! IPv6) and `mobility::mn4` (Mobile IPv4).
//!
//! ```text
//!  RawSocket(43): acknowledgements --+                       +-- RawSocket(RAW): updates, NA, RS
//!  RawSocket(135): the others -------+                       |   requests
//!  UDP 434, 4191: both, tunnel ------+--> Node --> Mip6: Mn -+
//!  netlink: addresses, links --------+   (task)    Mip4: Mn4 +-- Host: Kernel: rules, routes
//!  control socket -------------------+                             Tunnel: TUN <-> RawSocket(41..)
//! ```
//! One thread. A kernel without Mobile IPv6 refuses type 2 routing headers, but only after a raw
//! socket of next header 43 has had them; a rule keeps the refusal from leaving (`kernel.rs`). So
//! no packet socket is needed, and the kernel goes on as the node's stack in all else.

pub mod cli;

mod control;
mod dsmip;
mod host;
mod input;
mod kernel;
mod load;
mod mip4;
mod mip6;
mod node;
mod packet;
mod signaling;
