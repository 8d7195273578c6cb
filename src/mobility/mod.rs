//! The pure core: a function of (state, event, now). No sockets, no clock, no randomness, no
//! threads, no logging, no hash-map order in what it says. Decisions come back as data.

pub mod action;
pub mod event;
pub mod mag;
pub mod message;
