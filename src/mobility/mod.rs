//! The pure core: a function of (state, event, now). No sockets, no clock, no randomness, no
//! threads, no logging, no hash-map order in what it says. Decisions come back as data.
//!
//! ```text
//!   UpdateMsg -> request  -> authorize -> freshness -> lookup  -> transition -> lma -> ack, actions
//!                options     who may      in order?    5.4.1      5.3.1 (13)    does it
//! ```

mod ack;
pub mod action;
pub(crate) mod address_map;
pub mod anchor;
mod assign;
pub mod auth;
mod authorize;
pub mod binding;
pub mod cache;
pub mod config;
mod customer;
pub(crate) mod digest;
pub mod event;
mod freshness;
pub mod ha;
mod lifetime;
mod lma;
mod lookup;
pub mod mag;
pub mod message;
pub mod mip4;
pub mod mn;
pub mod mn4;
pub(crate) mod packet;
mod peer;
mod prefix_pool;
pub mod question;
mod range_set;
mod request;
mod revoke;
mod sweep;
mod transition;
mod tunnel;
mod waiting;

pub use assign::ENTRIES_MAX;
pub use authorize::{MagState, MagUsage};
pub use lma::{Description, Lma, RestoreError};
pub use peer::{PeerState, PeerStatus};
pub use prefix_pool::PoolUsage;
