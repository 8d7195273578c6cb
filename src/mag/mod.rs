//! `anchor-mag`: kernel sockets, a TUN and netlink around the pure core of `mobility::mag`.
//!
//! ```text
//!  access link -- RawSocket(ICMPv6) --+                         +-- RawSocket(MH) -- anchor
//!  netlink (links down, gone) --------+--> Gateway --> Mag -----+-- RawSocket(RAW): RA, NS
//!  control socket --------------------+   (one task)            +-- Kernel: routes, rules, addresses
//!                                            |
//!                            TunnelTable ----+--> Tunnel (two tasks): TUN <-> RawSocket(41)
//! ```
//! One thread. The gateway's task alone owns the core; everything else sends it what happened over
//! one bounded channel.

pub mod cli;

mod access;
mod clock;
mod control;
mod counter;
mod gateway;
mod input;
mod kernel;
mod load;
mod retry;
mod socket;
mod tunnel;
