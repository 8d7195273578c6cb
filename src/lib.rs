//! The mobility anchor `anchord`, its access gateway `anchor-mag`, the mobile node
//! `anchor-mn` and its control tool `anchorctl`.
//!
//! Modules stand in the order in which a packet meets them; `docs/architecture.md` has the picture.

pub mod addr;
pub mod time;

pub mod wire;

pub mod nic;

pub mod dataplane;

pub mod sync;

pub mod mobility;

pub mod control;

pub mod config;

pub mod admin;

pub mod ctl;

pub mod telemetry;

pub mod dhcp;

mod cli;

mod load;

pub mod mag;

pub mod mn;

#[cfg(feature = "dpdk")]
#[allow(unsafe_code)] // the one module that may: it wraps DPDK's C API
pub mod dpdk;

#[cfg(feature = "dpdk")]
pub mod runtime;
