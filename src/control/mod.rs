//! The loop around the pure core.
pub mod counters;
pub mod exception;
pub mod mirror;
mod neighbor;
mod netlink;
mod next_hop;
mod rate;
