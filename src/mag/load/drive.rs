//! A load of many gateways on kernel sockets.

use super::{Gateways, Mix, Plan, mag_address};
use crate::addr::AnchorAddr;
use crate::load::Load;
use crate::load::drive::{self, PaceArgs, Wire};
use crate::mag::clock::Clock;
use crate::mag::input::Input;
use crate::mag::kernel::Addresses;
use crate::mag::signaling;
use crate::mag::socket::{RawSocket, Received};
use crate::mobility::message::{OwnedOptions, PeerBody, PeerMsg, UpdateMsg};
use crate::mobility::packet::{self, Ends};
use crate::time::{Duration, Lifetime, Now};
use crate::wire::ipv6;
use crate::wire::mh::{MAX_LEN, MessageData};
use crate::wire::udp::SIGNALING_PORT;
use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
    /// The first node's number.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000_000_000))]
    first_node: u32,
    /// Lifetime asked for, in seconds.
    #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(u32).range(4..=262_140))]
    lifetime: u32,
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
    #[command(flatten)]
    pace: PaceArgs,
}

impl LoadArgs {
    fn plan(&self) -> Plan {
        Plan {
            lma: AnchorAddr(mapped(self.lma)),
            first_mag: mapped(self.first_mag),
            mags: self.mags,
            first_node: self.first_node,
            lifetime: Lifetime::at_most(Duration::from_secs(self.lifetime.into())),
            mix: Mix { ipv4: self.ipv4_share, gre: self.gre_share, udp: self.udp_share },
        }
    }
}

/// Runs the load and reports; an error if any answer was wrong or missing.
pub(in crate::mag) async fn run(args: LoadArgs) -> Result<(), Box<dyn Error>> {
    if args.mags < 2 && args.pace.has_handoffs() {
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
    let pace = args.pace.pace(args.reply_timeout);
    let mut load = Load::new(Gateways::new(args.plan(), pace.nodes), pace, clock.now());
    let is_through = drive::run(&mut load, &sockets, clock, &args.pace).await?;
    drop(addresses);
    drive::report(&load, is_through, &args.pace)
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

    fn answer_peer(&self, msg: &PeerMsg) -> io::Result<()> {
        let ends = Ends { src: msg.src, dst: msg.dst, transport: msg.transport, home: None };
        match &msg.body {
            PeerBody::Bra(bra) => self.emit(bra, &msg.options, &ends),
            PeerBody::Heartbeat(beat) => self.emit(beat, &msg.options, &ends),
            PeerBody::Bri(_)
            | PeerBody::BindingError(_)
            | PeerBody::RefreshRequest
            | PeerBody::Switch(_) => Ok(()),
        }
    }

    fn emit(
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

impl Wire<Gateways> for Sockets {
    const RECV_MAX: usize = MAX_LEN;

    fn receiver(&self) -> &RawSocket {
        &self.receiver
    }

    fn send(&self, msg: &UpdateMsg) -> io::Result<()> {
        let ends = Ends { src: msg.src, dst: msg.dst, transport: msg.transport, home: None };
        self.emit(&msg.update, &msg.options, &ends)
    }

    fn take(&self, load: &mut Load<Gateways>, bytes: &[u8], from: Received, now: Now) {
        match signaling::read(bytes, from) {
            Ok(Some(Input::Pba(msg))) => load.answer(&msg, now),
            Ok(Some(Input::Peer(msg))) => {
                let Some(answer) = load.peer(&msg) else { return };
                if let Err(error) = self.answer_peer(&answer) {
                    load.error(format!("not sent: {error}"));
                }
            }
            // Our own updates, where gateway and anchor share a host.
            Ok(None) => {}
            Ok(Some(_)) => load.error("unexpected".into()),
            Err(e) => load.error(format!("malformed: {}", e.kind)),
        }
    }
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(a) => a.to_ipv6_mapped(),
        IpAddr::V6(a) => a,
    }
}
