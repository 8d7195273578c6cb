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

pub(crate) mod access;
pub(crate) mod auth;
pub(crate) mod clock;
pub(crate) mod control;
pub(crate) mod counter;
pub(crate) mod failure;
mod gateway;
mod input;
pub(crate) mod kernel;
mod load;
pub(crate) mod retry;
mod signaling;
pub(crate) mod socket;
mod state;
pub(crate) mod tunnel;
