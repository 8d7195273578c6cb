//! Drives a load on kernel sockets.

use super::{Load, Mix, Phase, Plan, mag_address, report};
use crate::addr::AnchorAddr;
use crate::mag::clock::Clock;
use crate::mag::input::Input;
use crate::mag::kernel::Addresses;
use crate::mag::signaling;
use crate::mag::socket::{RawSocket, Received};
use crate::mobility::message::{OwnedOptions, PeerBody, PeerMsg};
use crate::mobility::packet::{self, Ends};
use crate::time::{Duration, Lifetime};
use crate::wire::ipv6;
use crate::wire::mh::{MAX_LEN, MessageData};
use crate::wire::udp::SIGNALING_PORT;
use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Updates and answers handled before the runtime gets its turn.
const BURST: usize = 64;

/// Play many gateways and nodes towards one anchor, and verify every answer.
#[derive(Debug, clap::Args)]
pub(in crate::mag) struct LoadArgs {
    /// The anchor's address; with IPv4 everything goes over it (RFC 5844 section 4).
    #[arg(long)]
    lma: IpAddr,
    /// Address of the first gateway, of the same family; the others have the following ones.
    #[arg(long)]
    first_mag: IpAddr,
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
    /// So many of a hundred nodes ask for an IPv4 home address too.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=100))]
    ipv4_share: u32,
    /// So many of a hundred nodes negotiate GRE keys.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=100))]
    gre_share: u32,
    /// Over IPv4 so many of a hundred nodes force UDP.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=100))]
    udp_share: u32,
    /// An update without an answer for so many milliseconds is sent again; then after twice as
    /// long, and so on (RFC 6275 11.8).
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=32_000))]
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
            lma: AnchorAddr(mapped(self.lma)),
            first_mag: mapped(self.first_mag),
            mags: self.mags,
            first_node: self.first_node,
            nodes: self.nodes,
            rate: self.rate,
            window: usize::try_from(self.window).unwrap_or(usize::MAX),
            lifetime: Lifetime::at_most(Duration::from_secs(self.lifetime.into())),
            reply_timeout: Duration::from_millis(self.reply_timeout.into()),
            retries: self.retries,
            phases: self.phases.clone(),
            mix: Mix { ipv4: self.ipv4_share, gre: self.gre_share, udp: self.udp_share },
        }
    }
}

/// Runs the load and reports; an error if any answer was wrong or missing.
pub(in crate::mag) async fn run(args: LoadArgs) -> Result<(), Box<dyn Error>> {
    if args.mags < 2 && args.phases.contains(&Phase::Handoff) {
        return Err("a handoff needs two gateways: --mags 2".into());
    }
    if args.lma.is_ipv4() != args.first_mag.is_ipv4() {
        return Err("--lma and --first-mag are of different families".into());
    }
    let mut addresses = args.interface.as_deref().map(Addresses::open).transpose()?;
    if let Some(addresses) = &mut addresses {
        for n in 0..args.mags {
            addresses.add(mag_address(mapped(args.first_mag), n))?;
        }
    }
    let sockets = Sockets::open(args.lma.is_ipv4())?;
    let clock = Clock::start();
    let mut load = Load::new(args.plan(), clock.now());
    let limit = Duration::from_secs(args.timeout.into());
    let ended = tokio::select! {
        outcome = drive(&mut load, &sockets, clock) => outcome.map(|()| true)?,
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

async fn drive(load: &mut Load, sockets: &Sockets, clock: Clock) -> io::Result<()> {
    let mut buf = [0; MAX_LEN];
    while !load.is_done() {
        for _ in 0..BURST {
            let Some(msg) = load.poll_send(clock.now()) else { break };
            let ends = Ends { src: msg.src, dst: msg.dst, transport: msg.transport, home: None };
            if let Err(error) = sockets.send(&msg.update, &msg.options, &ends) {
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
                    take(load, sockets, from.bytes(&buf), from, clock);
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

fn take(load: &mut Load, sockets: &Sockets, bytes: &[u8], from: Received, clock: Clock) {
    match signaling::read(bytes, from) {
        Ok(Some(Input::Pba(msg))) => load.answer(&msg, clock.now()),
        Ok(Some(Input::Peer(msg))) => {
            let Some(answer) = load.peer(&msg) else { return };
            if let Err(error) = sockets.answer(&answer) {
                load.error(format!("not sent: {error}"));
            }
        }
        // Our own updates, where gateway and anchor share a host.
        Ok(None) => {}
        Ok(Some(_)) => load.error("unexpected".into()),
        Err(e) => load.error(format!("malformed: {}", e.kind)),
    }
}

/// One for all gateways.
struct Sockets {
    receiver: RawSocket,
    /// Takes whole packets: the source is the gateway's.
    sender: RawSocket,
}

impl Sockets {
    fn open(over_ipv4: bool) -> io::Result<Self> {
        if over_ipv4 {
            let any = Ipv4Addr::UNSPECIFIED.to_ipv6_mapped();
            let receiver = RawSocket::udp(any, SIGNALING_PORT)?;
            return Ok(Self { receiver, sender: RawSocket::ipv4_sender()? });
        }
        Ok(Self { receiver: RawSocket::mobility_any()?, sender: RawSocket::sender()? })
    }

    fn answer(&self, msg: &PeerMsg) -> io::Result<()> {
        let ends = Ends { src: msg.src, dst: msg.dst, transport: msg.transport, home: None };
        match &msg.body {
            PeerBody::Bra(bra) => self.send(bra, &msg.options, &ends),
            PeerBody::Heartbeat(beat) => self.send(beat, &msg.options, &ends),
            PeerBody::Bri(_)
            | PeerBody::BindingError(_)
            | PeerBody::RefreshRequest
            | PeerBody::Switch(_) => Ok(()),
        }
    }

    fn send(
        &self,
        message: &impl MessageData,
        options: &OwnedOptions,
        ends: &Ends,
    ) -> io::Result<()> {
        let mut buf = [0; ipv6::HEADER_LEN + MAX_LEN];
        let len = packet::emit(message, options.options(), ends, &mut buf)
            .ok_or(io::ErrorKind::InvalidInput)?;
        self.sender.send(buf.get(..len).unwrap_or_default(), ends.dst, 0)
    }
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(a) => a.to_ipv6_mapped(),
        IpAddr::V6(a) => a,
    }
}
