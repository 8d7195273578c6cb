//! A load of many nodes on kernel sockets.

use super::{Nodes, Plan, following};
use crate::load::Load;
use crate::load::drive::{self, PaceArgs, Wire};
use crate::mag::clock::Clock;
use crate::mag::kernel::Addresses;
use crate::mag::socket::{RawSocket, Received};
use crate::mn::kernel::Kernel;
use crate::mn::signaling::{self, Front, RECV_MAX};
use crate::mobility::message::UpdateMsg;
use crate::mobility::mn::event::Event;
use crate::time::{Duration, Lifetime, Now};
use std::error::Error;
use std::io;
use std::net::Ipv6Addr;

/// Play many nodes towards one home agent, and verify every answer.
#[derive(Debug, clap::Args)]
pub(in crate::mn) struct LoadArgs {
    /// The home agent's address.
    #[arg(long)]
    home_agent: Ipv6Addr,
    /// Home address of the first node.
    #[arg(long)]
    first_home: Ipv6Addr,
    /// The others have the same interface identifier in the following prefixes of this length; with
    /// 128 the following addresses.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u8).range(8..=128))]
    home_len: u8,
    /// The first care-of address; the others follow it.
    #[arg(long)]
    first_coa: Ipv6Addr,
    /// Care-of addresses.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    coas: u32,
    /// Put the care-of addresses on this interface for the time of the load; else they are there.
    #[arg(long)]
    interface: Option<String>,
    /// Lifetime asked for, in seconds.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(4..=262_140))]
    lifetime: u32,
    /// An update without an answer for so many milliseconds is sent again; then after twice as
    /// long, and so on (RFC 6275 11.8).
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u32).range(1..=32_000))]
    reply_timeout: u32,
    #[command(flatten)]
    pace: PaceArgs,
}

impl LoadArgs {
    fn plan(&self) -> Plan {
        Plan {
            home_agent: self.home_agent,
            first_home: self.first_home,
            home_len: self.home_len,
            first_coa: self.first_coa,
            coas: self.coas,
            lifetime: Lifetime::at_most(Duration::from_secs(self.lifetime.into())),
        }
    }
}

/// Runs the load and reports; an error if any answer was wrong or missing.
pub(in crate::mn) async fn run(args: LoadArgs) -> Result<(), Box<dyn Error>> {
    if args.coas < 2 && args.pace.has_handoffs() {
        return Err("a handoff needs two care-of addresses: --coas 2".into());
    }
    let mut addresses = args.interface.as_deref().map(Addresses::open).transpose()?;
    if let Some(addresses) = &mut addresses {
        for n in 0..args.coas {
            addresses.add(following(args.first_coa, n, 128))?;
        }
    }
    let mut kernel = Kernel::open()?;
    kernel.clear()?;
    kernel.silence()?;
    let sockets = Sockets { receiver: Front::Route.socket()?, sender: RawSocket::sender()? };
    let clock = Clock::start();
    let pace = args.pace.pace(args.reply_timeout);
    let mut load = Load::new(Nodes::new(args.plan(), pace.nodes), pace, clock.now());
    let is_through = drive::run(&mut load, &sockets, clock, &args.pace).await?;
    kernel.clear()?;
    drop(addresses);
    drive::report(&load, is_through, &args.pace)
}

/// One for all nodes.
struct Sockets {
    receiver: RawSocket,
    /// Takes whole packets: the source is the care-of address.
    sender: RawSocket,
}

impl Wire<Nodes> for Sockets {
    const RECV_MAX: usize = RECV_MAX;

    fn receiver(&self) -> &RawSocket {
        &self.receiver
    }

    fn send(&self, msg: &UpdateMsg) -> io::Result<()> {
        signaling::send(&self.sender, None, msg)
    }

    fn take(&self, load: &mut Load<Nodes>, bytes: &[u8], from: Received, now: Now) {
        let read = Front::Route.split(bytes);
        match read.and_then(|(home, message)| signaling::read(message, home, from)) {
            Ok(Some(Event::Ack(msg))) => load.answer(&msg, now),
            Ok(_) => load.error("unexpected".into()),
            Err(e) => load.error(format!("malformed: {}", e.kind)),
        }
    }
}
