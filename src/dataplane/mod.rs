//! What happens to a packet on a worker core: rx, classify, shard lookup, encap or admit and
//! decap, egress, tx. No locks, no allocation, no logging, no syscalls, no clock reads a packet.

pub mod update;
