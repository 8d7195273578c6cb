//! The admin socket: JSON-RPC 2.0, one object a line, on a Unix socket.
//!
//! ```text
//!  client -- Unix socket -- admin thread -- bounded channel -- control core
//! ```
//! The control core answers in pages and never waits for a client.

pub mod api;
pub mod channel;
pub mod client;
mod peer;
pub mod protocol;
pub mod reload;
pub mod server;
mod socket;
