//! The home agent of Mobile IPv4 (RFC 5944) and of its dual-stack extension (RFC 5454): a function
//! of (state, message, now), as everything in `mobility` is.
//!
//! ```text
//!   Mip4Msg -> request  -> security, identification -> agent   -> register -> reply, actions
//!              extensions  authentic? 131 132          may it?    does it
//!                          fresh? 133                  129 .. 142  nat (RFC 3519), prefixes (5454)
//!              revocation  (RFC 3543)
//!              keepalive   (RFC 3519 4.6)
//! ```
//! A node's *registration* holds its *bindings*, one for each care-of address; a copy of each
//! packet goes to every one. Home addresses and prefixes are those of one allocation ([`Homes`]),
//! whichever protocol asks first.

mod agent;
mod binding;
mod config;
mod homes;
mod identification;
mod judge;
mod keepalive;
mod message;
mod nat;
mod nodes;
mod prefixes;
mod register;
mod reply;
mod request;
mod restore;
mod revocation;
mod security;
mod table;

pub use agent::{HomeAgent4, Turn};
pub use binding::{CareOfBinding, KnownBy, RegisteredPrefix, Registration, RevocationTerms};
pub use config::{ForeignAgent, Mip4Config, Mip4Node, NatPolicy, ReverseTunnel};
pub use homes::{Homes, NodeRef, Unavailable};
pub use message::Mip4Msg;
pub(super) use security::append;
pub use security::{Algorithm, Replay, SecurityAssociation};

#[cfg(test)]
mod tests;
