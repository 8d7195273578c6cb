//! Drives a load on kernel sockets, and reports.

use super::{Load, Pace, Phase, Player, report};
use crate::mag::clock::Clock;
use crate::mag::socket::{RawSocket, Received};
use crate::mobility::message::UpdateMsg;
use crate::time::{Duration, Now};
use std::error::Error;
use std::io;

/// Updates and answers handled before the runtime gets its turn.
const BURST: usize = 64;

/// How fast, how often and how patiently; and how to report it.
#[derive(Debug, clap::Args)]
pub(crate) struct PaceArgs {
    /// Nodes.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=8_000_000))]
    nodes: u32,
    /// Updates a second; as many as the window lets if absent.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Updates without an answer at a time.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65_535))]
    window: u32,
    /// What every node does, in order; a phase may stand several times. A handoff is to the next
    /// gateway or care-of address.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "register,refresh,handoff,deregister"
    )]
    phases: Vec<Phase>,
    /// How often an update without an answer is sent again, before it is lost.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(..=16))]
    retries: u32,
    /// Stop after so many seconds, whatever is still open.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    timeout: u32,
    /// Report as one JSON object.
    #[arg(long)]
    json: bool,
}

impl PaceArgs {
    /// With the milliseconds after which an update without an answer is sent again.
    pub(crate) fn pace(&self, reply_timeout: u32) -> Pace {
        Pace {
            nodes: self.nodes,
            rate: self.rate,
            window: usize::try_from(self.window).unwrap_or(usize::MAX),
            reply_timeout: Duration::from_millis(reply_timeout.into()),
            retries: self.retries,
            phases: self.phases.clone(),
        }
    }

    /// Whether nodes go from place to place.
    pub(crate) fn has_handoffs(&self) -> bool {
        self.phases.contains(&Phase::Handoff)
    }
}

/// Sockets of a player.
pub(crate) trait Wire<P> {
    /// The longest message, in bytes.
    const RECV_MAX: usize;

    /// Where everything arrives.
    fn receiver(&self) -> &RawSocket;

    fn send(&self, msg: &UpdateMsg) -> io::Result<()>;

    /// Hands over what arrived.
    fn take(&self, load: &mut Load<P>, bytes: &[u8], from: Received, now: Now);
}

/// Runs the load; whether it got through before time was up or it was interrupted.
pub(crate) async fn run<P: Player, W: Wire<P>>(
    load: &mut Load<P>,
    wire: &W,
    clock: Clock,
    args: &PaceArgs,
) -> io::Result<bool> {
    let limit = Duration::from_secs(args.timeout.into());
    tokio::select! {
        outcome = exchange(load, wire, clock) => outcome.map(|()| true),
        () = tokio::time::sleep(limit) => Ok(false),
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| false),
    }
}

/// Prints what came of it; an error if any answer was wrong or missing.
pub(crate) fn report<P: Player>(
    load: &Load<P>,
    is_through: bool,
    args: &PaceArgs,
) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    if args.json {
        report::json(load.outcomes(), &mut out)?;
    } else {
        report::table(load.outcomes(), &mut out)?;
    }
    let wrong: u64 = load.outcomes().iter().flat_map(|o| o.errors.values()).sum();
    match (is_through, wrong) {
        (true, 0) => Ok(()),
        (true, n) => Err(format!("{n} updates had no answer or a wrong one").into()),
        (false, _) => Err("stopped before the load was through".into()),
    }
}

async fn exchange<P: Player, W: Wire<P>>(
    load: &mut Load<P>,
    wire: &W,
    clock: Clock,
) -> io::Result<()> {
    let mut buf = vec![0; W::RECV_MAX];
    while !load.is_done() {
        for _ in 0..BURST {
            let Some(msg) = load.poll_send(clock.now()) else { break };
            if let Err(error) = wire.send(&msg) {
                load.error(format!("not sent: {error}"));
            }
        }
        let now = clock.now().mono;
        // An answer that is there already is taken first; a timer of the runtime has a grain of 1
        // ms.
        let wait = load.poll_timeout().map_or(Duration::from_millis(1), |at| at.since(now));
        tokio::select! {
            biased;
            received = wire.receiver().recv(&mut buf) => {
                let mut from = received?;
                for _ in 0..BURST {
                    wire.take(load, from.bytes(&buf), from, clock.now());
                    match wire.receiver().try_recv(&mut buf) {
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
