//! DPDK behind safe types. The only module with `unsafe`; above it the data plane sees `nic`'s
//! traits.
//!
//! ```text
//!   Eal ──> Mempool ──> Port::open ──> Port (link, counters)
//!    │                      ├──> RxQueue, TxQueue, one of each a worker
//!    │                      └──> RxQueue for signaling, if the port steers it (flow.rs)
//!    └──> launch(lcore, closure) ──> Job::wait
//! ```
//!
//! What keeps it sound: everything that was made from an [`Eal`] keeps a share of `eal::Alive`,
//! and the environment is torn down only when no share is left. An [`Mbuf`] holds none, so as not
//! to count per packet; instead a pool with buffers outside never gives up its share. Whatever
//! outlives its order is thus leaked until the process ends, never freed under somebody's feet.

pub mod clock;
pub mod eal;
mod errno;
mod flow;
mod huge;
pub mod lcore;
pub mod mbuf;
pub mod mempool;
pub mod port;
pub mod queue;

pub use clock::TscClock;
pub use eal::{Eal, EalError};
pub use huge::HugePages;
pub use lcore::{Job, LcoreId};
pub use mbuf::Mbuf;
pub use mempool::Mempool;
pub use port::{Port, PortConfig, PortError};
pub use queue::{RxQueue, TxQueue};
