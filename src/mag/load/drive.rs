//! Drives a load on kernel sockets.

use super::{Load, Phase, Plan, mag_address, report};
use crate::addr::AnchorAddr;
use crate::mag::clock::Clock;
use crate::mag::kernel::Addresses;
use crate::mag::socket::RawSocket;
use crate::mobility::message::{AckMsg, Transport, UpdateMsg};
use crate::time::{Duration, Lifetime};
use crate::wire::ipv6::{HEADER_LEN, Ipv6Header};
use crate::wire::mh::{MAX_LEN, Message, MessageData, NEXT_HEADER};
use std::error::Error;
use std::io;
use std::net::Ipv6Addr;

/// Updates and answers handled before the runtime gets its turn.
const BURST: usize = 64;
/// Of our packets.
const HOP_LIMIT: u8 = 64;

/// Play many gateways and nodes towards one anchor, and verify every answer.
#[derive(Debug, clap::Args)]
pub(in crate::mag) struct LoadArgs {
    /// The anchor's address.
    #[arg(long)]
    lma: Ipv6Addr,
    /// Address of the first gateway; the others have the following ones.
    #[arg(long)]
    first_mag: Ipv6Addr,
    /// Gateways.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    mags: u32,
    /// Put the gateways' addresses on this interface for the time of the load; else they are there.
    #[arg(long)]
    interface: Option<String>,
    /// Nodes: mn0@load.example and so on.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=8_000_000))]
    nodes: u32,
    /// The first node's number.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000_000_000))]
    first_node: u32,
    /// Updates a second; as many as the window lets if absent.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Updates without an answer at a time.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65_535))]
    window: u32,
    /// Lifetime asked for, in seconds.
    #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(u32).range(4..=262_140))]
    lifetime: u32,
    /// What every node does, in order; a phase may stand several times.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "register,refresh,handoff,deregister"
    )]
    phases: Vec<Phase>,
    /// An answer that takes longer is lost, in milliseconds.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    reply_timeout: u32,
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
            lma: AnchorAddr(self.lma),
            first_mag: self.first_mag,
            mags: self.mags,
            first_node: self.first_node,
            nodes: self.nodes,
            rate: self.rate,
            window: usize::try_from(self.window).unwrap_or(usize::MAX),
            lifetime: Lifetime::at_most(Duration::from_secs(self.lifetime.into())),
            reply_timeout: Duration::from_millis(self.reply_timeout.into()),
            phases: self.phases.clone(),
        }
    }
}

/// Runs the load and reports; an error if any answer was wrong or missing.
pub(in crate::mag) async fn run(args: LoadArgs) -> Result<(), Box<dyn Error>> {
    if args.mags < 2 && args.phases.contains(&Phase::Handoff) {
        return Err("a handoff needs two gateways: --mags 2".into());
    }
    let mut addresses = args.interface.as_deref().map(Addresses::open).transpose()?;
    if let Some(addresses) = &mut addresses {
        for n in 0..args.mags {
            addresses.add(mag_address(args.first_mag, n))?;
        }
    }
    let clock = Clock::start();
    let mut load = Load::new(args.plan(), clock.now());
    let limit = Duration::from_secs(args.timeout.into());
    let ended = tokio::select! {
        outcome = drive(&mut load, clock) => outcome.map(|()| true)?,
        () = tokio::time::sleep(limit) => false,
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| false)?,
    };
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

async fn drive(load: &mut Load, clock: Clock) -> io::Result<()> {
    let receiver = RawSocket::mobility_any()?;
    let sender = RawSocket::sender()?;
    let mut buf = [0; MAX_LEN];
    while !load.is_done() {
        for _ in 0..BURST {
            let Some(msg) = load.poll_send(clock.now()) else { break };
            if let Err(error) = send(&sender, &msg) {
                load.error(format!("not sent: {error}"));
            }
        }
        let now = clock.now().mono;
        // An answer that is there already is taken first; a timer of the runtime has a grain of 1
        // ms.
        let wait = load.poll_timeout().map_or(Duration::from_millis(1), |at| at.since(now));
        tokio::select! {
            biased;
            received = receiver.recv(&mut buf) => {
                let mut from = received?;
                for _ in 0..BURST {
                    let bytes = buf.get(..from.len).unwrap_or_default();
                    take(load, bytes, from.src, from.dst, clock);
                    match receiver.try_recv(&mut buf) {
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

fn take(load: &mut Load, bytes: &[u8], src: Ipv6Addr, dst: Ipv6Addr, clock: Clock) {
    match Message::parse(bytes, src, dst) {
        Ok(Message::Ba(ack, options)) => {
            let msg = AckMsg { src, dst, transport: Transport::Ipv6, ack, options: options.into() };
            load.answer(&msg, clock.now());
        }
        // Our own updates, where gateway and anchor share a host.
        Ok(Message::Bu(..)) => {}
        Ok(_) => load.error("unexpected".into()),
        Err(e) => load.error(format!("malformed: {}", e.kind)),
    }
}

fn send(sender: &RawSocket, msg: &UpdateMsg) -> io::Result<()> {
    let mut packet = [0; HEADER_LEN + MAX_LEN];
    let body = packet.get_mut(HEADER_LEN..).unwrap_or_default();
    let len =
        msg.update.emit(msg.options.options(), msg.src, msg.dst, body).map_err(io::Error::other)?;
    let header = Ipv6Header {
        traffic_class: 0,
        flow_label: 0,
        payload_len: u16::try_from(len).map_err(io::Error::other)?,
        next_header: NEXT_HEADER,
        hop_limit: HOP_LIMIT,
        src: msg.src,
        dst: msg.dst,
    };
    header.emit(&mut packet).map_err(io::Error::other)?;
    sender.send(packet.get(..HEADER_LEN + len).unwrap_or_default(), msg.dst, 0)
}
