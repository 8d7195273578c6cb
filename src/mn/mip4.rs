//! A node of Mobile IPv4 on its host: everything of UDP is on port 434, signaling and tunnel.
//!
//! The kernel is the inner end of a tunnel in a tunnel (RFC 5454 3.3.2): what comes out of the
//! outer one is a packet to the home address, which the TUN has, and the raw socket of next header
//! 41 gets it.

use crate::addr::{AnchorAddr, Encap, HomePrefix, ProxyCoa};
use crate::mag::counter::{Counters, snake};
use crate::mag::failure::{Failure, doing};
use crate::mag::kernel as links;
use crate::mag::retry;
use crate::mag::socket::RawSocket;
use crate::mag::tunnel::{Form, Receiver, Tunnel};
use crate::mn::host::{Carried, Host};
use crate::mn::input::{self, Input};
use crate::mn::node::Protocol;
use crate::mobility::mag::action::Path;
use crate::mobility::mip4::Mip4Msg;
use crate::mobility::mn::event::TunnelEnds;
use crate::mobility::mn::row::BindingRow;
use crate::mobility::mn4::event::{self, Action, AuditKind, Event};
use crate::mobility::mn4::{Mn4, Mn4Config};
use crate::time::{Instant, Now};
use crate::wire::icmpv4;
use crate::wire::ipv4::{self, Ipv4Header};
use crate::wire::mip4::{PORT, TunnelData};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The longest UDP payload.
const RECV_MAX: usize = 65_527;
/// The longest message of ours.
const SEND_MAX: usize = 1500;
const ANY: Ipv6Addr = Ipv4Addr::UNSPECIFIED.to_ipv6_mapped();
/// An ICMP echo request with its checksum, to keep a NAT's mapping (RFC 3519 4.9).
const ECHO: [u8; 8] = [8, 0, 0xf6, 0x4d, 1, 0xb2, 0, 0];

/// The node.
pub(super) struct Mip4 {
    core: Mn4,
    /// The tunnel that there is.
    tunnel: Option<event::Tunnel>,
}

impl Mip4 {
    /// Takes messages and tunnel packets from now on.
    pub(super) fn start(
        config: Mn4Config,
        host: &Host,
        inputs: &mpsc::Sender<Input>,
    ) -> Result<Self, Failure> {
        host.receive(Receiver::without_udp(ProxyCoa(ANY)))?;
        let socket = RawSocket::udp(ANY, PORT).map_err(doing("port 434"))?;
        let (tunnel, counters) = (Arc::clone(&host.tunnel), Arc::clone(&host.counters));
        tokio::spawn(receive(socket, tunnel, inputs.clone(), counters));
        // For `advertise_home`.
        let key = format!("ipv4/conf/{}/arp_notify", host.link().0.name);
        links::set_sysctl(&key, "1").map_err(doing(key))?;
        Ok(Self { core: Mn4::new(config), tunnel: None })
    }

    fn act(&mut self, actions: Vec<Action>, host: &mut Host) {
        for action in actions {
            match action {
                Action::Send(msg) => {
                    let sent = send(&msg, &host.ipv4_sender);
                    // The core sends it again.
                    host.count(if sent.is_ok() { "request_sent" } else { "request_send_failed" });
                    host.note("registration request", sent);
                }
                Action::Tunnel(tunnel) => {
                    let done = match &tunnel {
                        Some(tunnel) => enter(tunnel, host),
                        None => host.leave_tunnel(),
                    };
                    host.note("tunnel", done);
                    self.tunnel = tunnel;
                }
                Action::KeepAlive => {
                    let said = self.tunnel.as_ref().map(|tunnel| keep_alive(tunnel, host));
                    host.count("keepalive_sent");
                    host.note("keepalive", said.unwrap_or(Ok(())));
                }
                Action::JoinHome(home) => {
                    let joined = host.join_home(home.to_ipv6_mapped());
                    host.note("home address", joined);
                }
                Action::LeaveHome => host.leave_home(),
                Action::AdvertiseHome => {
                    let done = advertise_home(host);
                    host.note("gratuitous ARP", done);
                }
                Action::Audit(kind) => audit(kind, host),
            }
        }
    }
}

impl Protocol for Mip4 {
    fn handle(&mut self, event: input::Event, host: &mut Host) {
        let event = match event {
            input::Event::Attached(at) => Event::Attached(at),
            input::Event::Stop => Event::Stop,
            input::Event::Mip4(event) => event,
            input::Event::Mip6(_) => return,
        };
        let (now, mut actions) = (host.clock.now(), Vec::new());
        self.core.handle(event, now, &mut actions);
        self.act(actions, host);
    }

    fn timeout(&mut self, host: &mut Host) {
        let (now, mut actions) = (host.clock.now(), Vec::new());
        self.core.handle_timeout(now, &mut actions);
        self.act(actions, host);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.core.poll_timeout()
    }

    fn is_stopped(&self) -> bool {
        self.core.is_stopped()
    }

    fn row(&self, now: Now) -> BindingRow {
        self.core.row(now)
    }

    /// Whoever configures the interface knows by itself.
    fn link_came_up(&self, _: &Host) -> io::Result<()> {
        Ok(())
    }
}

/// Takes what comes to port 434, until the node is gone.
async fn receive(
    socket: RawSocket,
    tunnel: Arc<Tunnel>,
    node: mpsc::Sender<Input>,
    counters: Arc<Counters>,
) {
    let mut buf = vec![0; RECV_MAX];
    loop {
        let received = socket.recv(&mut buf).await;
        let received = retry::ok_or_pause("port 434", &counters, received).await;
        let Some(from) = received else { continue };
        let payload = from.bytes(&buf);
        if payload.first() == Some(&TunnelData::TYPE) {
            tunnel.admit(&mut buf, from, Form::Mip4Udp).await;
            continue;
        }
        let Some(src) = from.src.to_ipv4_mapped() else { continue };
        let event = Event::Message { src, payload: payload.to_vec() };
        if node.send(Input::Message(input::Event::Mip4(event))).await.is_err() {
            return;
        }
    }
}

fn send(msg: &Mip4Msg, sender: &RawSocket) -> io::Result<()> {
    let mut packet = [0; SEND_MAX];
    let len = msg.emit(&mut packet).ok_or(io::ErrorKind::InvalidInput)?;
    sender.send(packet.get(..len).unwrap_or_default(), msg.dst.to_ipv6_mapped(), 0)
}

/// Sends and receives by this tunnel from now on.
fn enter(tunnel: &event::Tunnel, host: &mut Host) -> io::Result<()> {
    let home = tunnel.home_address.to_ipv6_mapped();
    host.take_home(home)?;
    let lma = AnchorAddr(tunnel.home_agent.to_ipv6_mapped());
    let coa = ProxyCoa(tunnel.care_of.to_ipv6_mapped());
    let path = Path { coa, lma, encap: tunnel.encap };
    let to_home = Path { coa: ProxyCoa(home), lma, encap: Encap::Ip };
    let address = HomePrefix::truncating(home, 128).map_err(io::Error::other)?;
    let mut carried = vec![Carried { prefix: address, path, outer: None }];
    carried.extend(tunnel.prefixes.iter().map(|p| {
        let (path, outer) = if p.to_care_of { (path, None) } else { (to_home, Some(path)) };
        Carried { prefix: p.prefix, path, outer }
    }));
    let own = link_local(tunnel.home_address);
    // RFC 5454 3.6: of what carries IPv6. It has its link by itself, so nothing is steered there.
    let of_link = carried.get(1).copied();
    if of_link.is_some() {
        host.take_link_local(own)?;
    }
    let steered = carried.iter().map(|c| c.prefix).filter(|p| tunnel.reverse || *p != address);
    let steered: Vec<_> = steered.collect();
    let own = HomePrefix::truncating(own, 128).map_err(io::Error::other)?;
    carried.extend(of_link.map(|like| Carried { prefix: own, ..like }));
    let ends = TunnelEnds { care_of: coa.0, home_agent: lma.0 };
    host.enter_tunnel(&carried, &steered, ends, None)
}

/// RFC 4213 3.7: by the address that stays the same wherever the node is.
fn link_local(home: Ipv4Addr) -> Ipv6Addr {
    let [a, b, c, d] = home.octets().map(u16::from);
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, a << 8 | b, c << 8 | d)
}

/// An echo request to the home agent, through the tunnel.
fn keep_alive(tunnel: &event::Tunnel, host: &Host) -> io::Result<()> {
    let mut packet = [0; ipv4::HEADER_LEN + ECHO.len()];
    let header = Ipv4Header {
        header_len: ipv4::HEADER_LEN,
        tos: 0,
        total_len: u16::try_from(packet.len()).unwrap_or_default(),
        identification: 0,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        ttl: 64,
        protocol: icmpv4::PROTOCOL,
        src: tunnel.home_address,
        dst: tunnel.home_agent,
    };
    let (front, back) = packet.split_at_mut(ipv4::HEADER_LEN);
    header.emit(front).map_err(io::Error::other)?;
    back.copy_from_slice(&ECHO);
    host.tunnel.say(&packet)
}

/// RFC 5944 4.6: the kernel says by gratuitous ARP which addresses an interface has when it is told
/// its link-layer address, even the one that it has (`arp_notify`).
fn advertise_home(host: &Host) -> io::Result<()> {
    let (link, mac) = host.link();
    links::Kernel::open("", false)?.set_mac(link.id, mac)
}

fn audit(kind: AuditKind, host: &mut Host) {
    host.count(counter_name(kind));
    match kind {
        // What anyone can send us does not fill the log.
        AuditKind::ReplyIgnored(_) => tracing::debug!(?kind, "ignored"),
        kind => tracing::info!(?kind, "registration"),
    }
}

/// `registered`, `refused_131`, `prefix_refused_8`, `reply_ignored_address`.
fn counter_name(kind: AuditKind) -> String {
    match kind {
        AuditKind::Refused(code) => format!("refused_{}", code.0),
        AuditKind::PrefixRefused(code) => format!("prefix_refused_{}", code.0),
        AuditKind::ReplyIgnored(why) => format!("reply_ignored_{}", snake(&format!("{why:?}"))),
        other => snake(&format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keepalive_has_the_checksum_of_an_echo_request() {
        let words = ECHO.chunks(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]])));
        let sum: u32 = words.sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
        assert_eq!(ECHO[..2], [8, 0]);
    }
}
