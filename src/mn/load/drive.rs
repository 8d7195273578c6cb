//! Drives a load on kernel sockets.

use super::{Load, Plan, following};
use crate::mag::clock::Clock;
use crate::mag::kernel::Addresses;
use crate::mag::load::{Phase, report};
use crate::mag::socket::{RawSocket, Received};
use crate::mn::kernel::Kernel;
use crate::mn::signaling::{self, Front, RECV_MAX};
use crate::mobility::mn::event::Event;
use crate::time::{Duration, Lifetime};
use std::error::Error;
use std::io;
use std::net::Ipv6Addr;

/// Updates and answers handled before the runtime gets its turn.
const BURST: usize = 64;

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
    /// Nodes.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=8_000_000))]
    nodes: u32,
    /// Updates a second; as many as the window lets if absent.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Updates without an answer at a time.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65_535))]
    window: u32,
    /// Lifetime asked for, in seconds.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(4..=262_140))]
    lifetime: u32,
    /// What every node does, in order; a phase may stand several times. A handoff is to the next
    /// care-of address.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "register,refresh,handoff,deregister"
    )]
    phases: Vec<Phase>,
    /// An update without an answer for so many milliseconds is sent again; then after twice as
    /// long, and so on (RFC 6275 11.8).
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u32).range(1..=32_000))]
    reply_timeout: u32,
    /// How often, before it is lost.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(..=16))]
    retries: u32,
    /// Stop after so many seconds, whatever is still open.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    timeout: u32,
    /// Report as one JSON object.
    #[arg(long)]
    json: bool,
}

impl LoadArgs {
    fn plan(&self) -> Plan {
        Plan {
            home_agent: self.home_agent,
            first_home: self.first_home,
            home_len: self.home_len,
            first_coa: self.first_coa,
            coas: self.coas,
            nodes: self.nodes,
            rate: self.rate,
            window: usize::try_from(self.window).unwrap_or(usize::MAX),
            lifetime: Lifetime::at_most(Duration::from_secs(self.lifetime.into())),
            reply_timeout: Duration::from_millis(self.reply_timeout.into()),
            retries: self.retries,
            phases: self.phases.clone(),
        }
    }
}

/// Runs the load and reports; an error if any answer was wrong or missing.
pub(in crate::mn) async fn run(args: LoadArgs) -> Result<(), Box<dyn Error>> {
    if args.coas < 2 && args.phases.contains(&Phase::Handoff) {
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
    let mut load = Load::new(args.plan(), clock.now().mono);
    let limit = Duration::from_secs(args.timeout.into());
    let ended = tokio::select! {
        outcome = drive(&mut load, &sockets, clock) => outcome.map(|()| true)?,
        () = tokio::time::sleep(limit) => false,
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| false)?,
    };
    kernel.clear()?;
    drop(addresses);
    let mut out = io::stdout().lock();
    if args.json {
        report::json(load.outcomes(), &mut out)?;
    } else {
        report::table(load.outcomes(), &mut out)?;
    }
    let wrong: u64 = load.outcomes().iter().flat_map(|o| o.errors.values()).sum();
    match (ended, wrong) {
        (true, 0) => Ok(()),
        (true, n) => Err(format!("{n} updates had no answer or a wrong one").into()),
        (false, _) => Err("stopped before the load was through".into()),
    }
}

/// One for all nodes.
struct Sockets {
    receiver: RawSocket,
    /// Takes whole packets: the source is the care-of address.
    sender: RawSocket,
}

async fn drive(load: &mut Load, sockets: &Sockets, clock: Clock) -> io::Result<()> {
    let mut buf = [0; RECV_MAX];
    while !load.is_done() {
        for _ in 0..BURST {
            let Some(msg) = load.poll_send(clock.now().mono) else { break };
            if let Err(error) = signaling::send(&sockets.sender, None, &msg) {
                load.error(format!("not sent: {error}"));
            }
        }
        let now = clock.now().mono;
        // An answer that is there already is taken first; a timer of the runtime has a grain of 1
        // ms.
        let wait = load.poll_timeout().map_or(Duration::from_millis(1), |at| at.since(now));
        tokio::select! {
            biased;
            received = sockets.receiver.recv(&mut buf) => {
                let mut from = received?;
                for _ in 0..BURST {
                    take(load, from.bytes(&buf), from, clock);
                    match sockets.receiver.try_recv(&mut buf) {
                        Ok(next) => from = next,
                        Err(_) => break,
                    }
                }
            }
            () = tokio::time::sleep(wait) => {}
        }
    }
    Ok(())
}

fn take(load: &mut Load, bytes: &[u8], from: Received, clock: Clock) {
    let read = Front::Route.split(bytes);
    match read.and_then(|(home, message)| signaling::read(message, home, from)) {
        Ok(Some(Event::Ack(msg))) => load.answer(&msg, clock.now().mono),
        Ok(_) => load.error("unexpected".into()),
        Err(e) => load.error(format!("malformed: {}", e.kind)),
    }
}
