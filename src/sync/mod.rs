//! What crosses threads: bounded single-producer single-consumer rings, and the sequence number by
//! which a worker says how far it has applied the control core's updates.

pub mod ring;
pub mod seq;
