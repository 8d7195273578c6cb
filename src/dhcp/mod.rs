//! DHCP on a node's link: what a server of one node's addresses answers, and what a relay passes
//! on. Pure: messages in, messages out.
//!
//! ```text
//!   node                      gateway                                a DHCP server of the operator's
//!    | -- DISCOVER ...  -->  v4::Request  -- server: answer() -->|
//!    |                                    -- relay: relayed()   ----->  with option 82
//!    | <------------------------------------ v4::relay::Reply  <------
//!    | -- SOLICIT ...   -->  v6::server::answer() --> |
//!    |                       v6::relay::forward()               ----->  RELAY-FORW
//!    | <-------------------- v6::relay::Backward               <------  RELAY-REPL
//! ```
//! Any bytes give an answer or none, never a panic. A server here keeps no leases: the addresses
//! are the anchor's (RFC 5213 6.11, RFC 5844 3.4), so that every gateway gives a node the same.
//!
//! Formats are written here, not taken from a crate: `docs/adr/0070-dhcp-formats.md`.

pub mod v4;
pub mod v6;
