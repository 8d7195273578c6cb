//! `anchor-mag`: kernel sockets, a TUN and netlink around the pure core of `mobility::mag`.
//!
//! ```text
//!  access link -- RawSocket(ICMPv6) --+                         +-- Signaling (MH, UDP) -- anchor
//!              -- UDP (DHCP) ---------+                         +-- RawSocket(RAW): RA, NS
//!  netlink (links down, gone) --------+--> Gateway --> Mag -----+-- Kernel: routes, rules, addresses
//!  control socket --------------------+   (one task)            +-- State: the restart counter
//!                                            |
//!                            TunnelTable ----+--> Tunnel: TUN <-> RawSocket(41, 4, 47), UDP
//! ```
//! One thread. The gateway's task alone owns the core; everything else sends it what happened over
//! one bounded channel.

pub mod cli;

mod access;
mod auth;
mod clock;
mod control;
mod counter;
mod gateway;
mod input;
mod kernel;
mod load;
mod retry;
mod signaling;
mod socket;
mod state;
mod tunnel;
