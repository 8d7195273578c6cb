//! Signaling that ESP protects (RFC 5213 section 4): the kernel is the one that does IPsec.
//!
//! ```text
//!   ESP --exception path--> TAP --> kernel: XFRM --> socket --ipsec-rx--[channel]--> intake
//!   ESP <--exception path-- TAP <-- kernel: XFRM <-- socket <--ipsec-tx--[channel]-- output
//! ```
//! The sockets have a policy of their own for what they receive: in ESP, in transport mode, or not
//! at all. So whatever the kernel's policies say, and whichever interface it came by, what arrives
//! here was protected; that its source is the one of the security association is the selector of
//! the latter. What is sent is protected by the kernel's policies, and what would leave without is
//! stopped on its way from the TAP (`is_clear`). The channels carry what would be on the wire
//! without ESP: frames to the control core, their link-layer addresses blank, and packets from it.
//! They are Mobility Headers, and what mobile nodes ask and are told of prefixes (RFC 6275 5.4).
//!
//! A mobile node's security association is that of its home address (RFC 6275 5.1). Such a kernel
//! knows Mobile IPv6: a state of the type `hao` lets it put the home address of an option into the
//! place of the source, and the care-of address into the option (9.3.1), which the socket hands
//! over; and a routing header of a socket's own has the kernel choose the association by the home
//! address behind it.

mod policy;

use super::counters::{Counter, Counters};
use super::signaling::Anchors;
use crate::addr::MacAddr;
use crate::wire::ether::{self, EtherHeader};
use crate::wire::icmpv6;
use crate::wire::icmpv6::mobility::{PREFIX_ADVERTISEMENT, PREFIX_SOLICITATION};
use crate::wire::ipv4::{self, Ipv4Header};
use crate::wire::ipv6::{
    self, HomeAddressHeader, HomeRoute, Ipv6Header, carries, find_upper_layer,
};
use crate::wire::mh;
use crate::wire::udp::{self, UdpHeader};
use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use netlink_sys::protocols::NETLINK_XFRM;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SetSockOpt, SockaddrStorage, recv, recvmsg};
use policy::{
    Icmpv6Filter, Ipv4InPolicy, Ipv6InPolicy, Ipv6NoRoutingHeader, Ipv6RecvDestinationOptions,
    Ipv6RoutingHeader, filter_of, in_policy4, in_policy6,
};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

/// The control core's ends.
#[derive(Debug)]
pub struct IpsecPath {
    /// Frames with Mobility Headers that came in ESP.
    pub from_kernel: Receiver<Box<[u8]>>,
    /// Packets with Mobility Headers that are to leave in ESP.
    pub to_kernel: Sender<Box<[u8]>>,
    /// What the threads could not hand on.
    pub losses: Arc<Losses>,
}

/// Messages that were lost between the kernel and the control core. All who lose one write.
#[derive(Debug, Default)]
pub struct Losses {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Losses {
    /// Received, and the channel to the control core was full.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// To be sent, and the channel was full or the kernel's socket refused it.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// The kernel's sockets at the anchor's addresses: for Mobility Headers, and for what nodes are
/// told of prefixes.
#[derive(Debug)]
pub struct Sockets {
    ipv6: Arc<Socket>,
    icmpv6: Arc<Socket>,
    ipv4: Option<Arc<Socket>>,
    anchors: Anchors,
}

impl IpsecPath {
    /// Of a kernel without IPsec: nothing comes, and what is sent is lost.
    #[must_use]
    pub fn unavailable() -> Self {
        let ((to_kernel, _), (_, from_kernel)) = (bounded(1), bounded(1));
        Self { from_kernel, to_kernel, losses: Arc::default() }
    }

    /// Has the kernel send the message of an IP packet that `write` puts into a buffer; `write`
    /// returns the packet's length, or `None` if it does not fit.
    pub(super) fn send(
        &self,
        counters: &mut Counters,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> bool {
        let mut buf = [0; PACKET_LEN_MAX];
        let Some(packet) = write(&mut buf).and_then(|len| buf.get(..len)) else {
            counters[Counter::MessageTooLong] += 1;
            return false;
        };
        let given = self.to_kernel.try_send(packet.into()).is_ok();
        if given {
            counters[Counter::IpsecTx] += 1;
        } else {
            self.losses.sent.fetch_add(1, Ordering::Relaxed);
        }
        given
    }
}

/// Opens the sockets. Fails where the kernel has no IPsec.
pub fn open(lma: Ipv6Addr, lma_ipv4: Option<Ipv4Addr>) -> io::Result<Sockets> {
    // The kernel loads the module that reads policies when somebody speaks its protocol.
    netlink_sys::Socket::new(NETLINK_XFRM)?;
    let ipv6 = open_ipv6(mh::NEXT_HEADER, lma, |_| Ok(()))?;
    let solicitations = filter_of(PREFIX_SOLICITATION);
    let icmpv6 =
        open_ipv6(icmpv6::NEXT_HEADER, lma, |socket| Icmpv6Filter.set(socket, &solicitations))?;
    let ipv4 = lma_ipv4.map(open_ipv4).transpose()?.map(Arc::new);
    let anchors = Anchors { ipv6: lma, ipv4: lma_ipv4 };
    Ok(Sockets { ipv6: Arc::new(ipv6), icmpv6: Arc::new(icmpv6), ipv4, anchors })
}

/// A raw socket for what has this next header, of which `narrow` leaves what is wanted.
fn open_ipv6(
    next_header: u8,
    lma: Ipv6Addr,
    narrow: impl FnOnce(&Socket) -> nix::Result<()>,
) -> io::Result<Socket> {
    let protocol = Protocol::from(i32::from(next_header));
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(protocol))?;
    Ipv6InPolicy.set(&socket, &in_policy6())?;
    Ipv6RecvDestinationOptions.set(&socket, &true)?;
    narrow(&socket)?;
    // A raw socket hears from the beginning, so before it had its policy, too.
    while recv(socket.as_raw_fd(), &mut [0], MsgFlags::MSG_DONTWAIT).is_ok() {}
    socket.set_tclass_v6(TRAFFIC_CLASS)?;
    socket.bind(&SocketAddrV6::new(lma, 0, 0, 0).into())?;
    Ok(socket)
}

fn open_ipv4(lma: Ipv4Addr) -> io::Result<Socket> {
    let ipv4 = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    Ipv4InPolicy.set(&ipv4, &in_policy4())?;
    ipv4.set_tos_v4(TRAFFIC_CLASS)?;
    ipv4.bind(&SocketAddrV4::new(lma, udp::SIGNALING_PORT).into())?;
    Ok(ipv4)
}

/// Starts the threads that carry messages. The one that sends ends when the [`IpsecPath`] is
/// dropped, the others with the process.
pub fn start(sockets: Sockets) -> io::Result<(IpsecPath, JoinHandle<()>)> {
    let (to_kernel, sent) = bounded(CHANNEL_LEN);
    let (received, from_kernel) = bounded(CHANNEL_LEN);
    let losses = Arc::new(Losses::default());
    let ipv6 = [(&sockets.ipv6, mh::NEXT_HEADER), (&sockets.icmpv6, icmpv6::NEXT_HEADER)];
    let ipv4 = sockets.ipv4.iter().map(|socket| (socket, udp::PROTOCOL));
    for (socket, carries) in ipv6.into_iter().chain(ipv4) {
        let (socket, anchors, tx) = (Arc::clone(socket), sockets.anchors, received.clone());
        let losses = Arc::clone(&losses);
        std::thread::Builder::new()
            .name("ipsec-rx".into())
            .spawn(move || receive_all((&socket, carries), anchors, &tx, &losses))?;
    }
    let path = IpsecPath { from_kernel, to_kernel, losses: Arc::clone(&losses) };
    let sender = std::thread::Builder::new()
        .name("ipsec-tx".into())
        .spawn(move || send_all(&sockets, &sent, &losses))?;
    Ok((path, sender))
}

fn receive_all(
    (socket, carries): (&Socket, u8),
    own: Anchors,
    tx: &Sender<Box<[u8]>>,
    losses: &Losses,
) {
    let mut buf = [0; mh::MAX_LEN];
    loop {
        match receive(socket, &mut buf) {
            Ok(Some((from, options, len))) => {
                let message = buf.get(..len).unwrap_or_default();
                let Some(frame) = frame(&from, own, &options, (carries, message)) else { continue };
                match tx.try_send(frame) {
                    Ok(()) => {}
                    Err(TrySendError::Full(_)) => {
                        losses.received.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(TrySendError::Disconnected(_)) => return,
                }
            }
            Ok(None) | Err(Errno::EINTR) => {}
            Err(error) => {
                tracing::error!(%error, "reading protected signaling failed");
                return;
            }
        }
    }
}

/// Whom the next message is from, the Destination Options header before it (empty if there is
/// none), and its length; `None` if it has no source, or more options than anybody needs.
fn receive(
    socket: &Socket,
    buf: &mut [u8],
) -> nix::Result<Option<(SockaddrStorage, Vec<u8>, usize)>> {
    let (mut parts, mut control) = ([IoSliceMut::new(buf)], [0; CONTROL_LEN]);
    let none = MsgFlags::empty();
    let got = recvmsg(socket.as_raw_fd(), &mut parts, Some(&mut control), none)?;
    let (Some(from), Ok(cmsgs)) = (got.address, got.cmsgs()) else { return Ok(None) };
    let options = cmsgs.filter_map(|cmsg| match cmsg {
        ControlMessageOwned::Unknown(c)
            if c.cmsg_header.cmsg_level == libc::IPPROTO_IPV6
                && c.cmsg_header.cmsg_type == libc::IPV6_DSTOPTS =>
        {
            Some(c.data_bytes)
        }
        _ => None,
    });
    let options = options.last().unwrap_or_default();
    Ok(Some((from, options, got.bytes)))
}

/// The frame that would have brought a message without ESP, by this next header; `options`: the
/// Destination Options header that stood before it.
fn frame(
    from: &SockaddrStorage,
    own: Anchors,
    options: &[u8],
    (carries, message): (u8, &[u8]),
) -> Option<Box<[u8]>> {
    let mut frame = vec![0; ether::HEADER_LEN];
    let mut packet;
    let ether_type = if let Some(from) = from.as_sockaddr_in6() {
        packet = ipv6_packet((from.ip(), own.ipv6), options, (carries, message))?;
        ether::IPV6
    } else {
        let (from, dst) = (from.as_sockaddr_in()?, own.ipv4?);
        packet = vec![0; ipv4::HEADER_LEN + udp::HEADER_LEN];
        packet.extend_from_slice(message);
        let header = Ipv4Header {
            header_len: ipv4::HEADER_LEN,
            tos: 0,
            total_len: u16::try_from(packet.len()).ok()?,
            identification: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            ttl: HOP_LIMIT,
            protocol: carries,
            src: from.ip(),
            dst,
        };
        header.emit(&mut packet).ok()?;
        let ports = UdpHeader { src_port: from.port(), dst_port: udp::SIGNALING_PORT };
        ports.emit(header.src, dst, packet.get_mut(ipv4::HEADER_LEN..)?).ok()?;
        ether::IPV4
    };
    let (src, dst) = (MacAddr::default(), MacAddr::default());
    EtherHeader { dst, src, ether_type }.emit(&mut frame).ok()?;
    frame.append(&mut packet);
    Some(frame.into())
}

/// As it was on the wire: the kernel has exchanged home address and care-of address (RFC 6275
/// 9.3.1).
fn ipv6_packet(
    (from, dst): (Ipv6Addr, Ipv6Addr),
    options: &[u8],
    (carries, message): (u8, &[u8]),
) -> Option<Vec<u8>> {
    let mut packet = vec![0; ipv6::HEADER_LEN];
    let header = |next_header, src, payload_len| Ipv6Header {
        traffic_class: 0,
        flow_label: 0,
        payload_len,
        next_header,
        hop_limit: HOP_LIMIT,
        src,
        dst,
    };
    header(HomeAddressHeader::NEXT_HEADER, from, 0).emit(&mut packet).ok()?;
    packet.extend_from_slice(options);
    let option = find_upper_layer(&packet).ok().and_then(|upper| upper.home_address);
    packet.truncate(ipv6::HEADER_LEN);
    let (mut next_header, mut src) = (carries, from);
    if let Some((care_of, _)) = option {
        (next_header, src) = (HomeAddressHeader::NEXT_HEADER, care_of);
        let option = HomeAddressHeader { next_header: carries, home: from };
        packet.resize(ipv6::HEADER_LEN + HomeAddressHeader::LEN, 0);
        option.emit(packet.get_mut(ipv6::HEADER_LEN..)?).ok()?;
    }
    packet.extend_from_slice(message);
    let payload_len = u16::try_from(packet.len() - ipv6::HEADER_LEN).ok()?;
    header(next_header, src, payload_len).emit(&mut packet).ok()?;
    Some(packet)
}

fn send_all(sockets: &Sockets, packets: &Receiver<Box<[u8]>>, losses: &Losses) {
    for packet in packets {
        if let Err(error) = sockets.send(&packet) {
            losses.sent.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%error, "the kernel refused a message that is to be protected");
        }
    }
}

impl Sockets {
    /// Sends what is in an IP packet of ours: the header, and of IPv6 the checksum, is the
    /// kernel's.
    fn send(&self, packet: &[u8]) -> io::Result<()> {
        let unfit = |_| io::Error::from(io::ErrorKind::InvalidInput);
        let none = || io::Error::from(io::ErrorKind::AddrNotAvailable);
        if packet.first().is_some_and(|b| b >> 4 == 6) {
            let ip = Ipv6Header::parse(packet).map_err(unfit)?;
            let message = packet.get(ipv6::HEADER_LEN..).unwrap_or_default();
            if ip.next_header == HomeRoute::NEXT_HEADER {
                let (route, message) = HomeRoute::parse(message).map_err(unfit)?;
                let socket = self.of(route.next_header).ok_or_else(none)?;
                return send_to_node(socket, ip.dst, route.home, message);
            }
            // What goes to a node by its tunnel would be the tunnel's here, not the node's.
            let socket = self.of(ip.next_header).ok_or_else(none)?;
            let to = SocketAddrV6::new(ip.dst, 0, 0, 0);
            return socket.send_to(message, &to.into()).map(drop);
        }
        let ip = Ipv4Header::parse(packet).map_err(unfit)?;
        let datagram = packet.get(ip.header_len..).unwrap_or_default();
        let (udp, message) = UdpHeader::parse(datagram, ip.src, ip.dst).map_err(unfit)?;
        let to = SocketAddrV4::new(ip.dst, udp.dst_port);
        self.ipv4.as_ref().ok_or_else(none)?.send_to(message, &to.into()).map(drop)
    }

    /// The one that sends what has this next header over IPv6.
    fn of(&self, next_header: u8) -> Option<&Socket> {
        match next_header {
            mh::NEXT_HEADER => Some(&self.ipv6),
            icmpv6::NEXT_HEADER => Some(&self.icmpv6),
            _ => None,
        }
    }
}

/// Sends a message to a node away from home, with a type 2 routing header: to the care-of address
/// that stands in the header here, protected as what goes to the home address (RFC 3542 7, RFC 6275
/// 9.3.2).
fn send_to_node(
    socket: &Socket,
    care_of: Ipv6Addr,
    home: Ipv6Addr,
    message: &[u8],
) -> io::Result<()> {
    let mut header = [0; HomeRoute::LEN];
    let unfit = |_| io::Error::from(io::ErrorKind::InvalidInput);
    HomeRoute { next_header: 0, home: care_of }.emit(&mut header).map_err(unfit)?;
    Ipv6RoutingHeader.set(socket, &header)?;
    let sent = socket.send_to(message, &SocketAddrV6::new(home, 0, 0, 0).into());
    // What is sent next goes straight.
    Ipv6NoRoutingHeader.set(socket, &[])?;
    sent.map(drop)
}

/// Whether a frame of the kernel is signaling of ours that it did not protect.
pub(super) fn is_clear(frame: &[u8], own: Anchors) -> bool {
    match ether::payload(frame) {
        Ok((ether::IPV6, packet)) => Ipv6Header::parse(packet)
            .is_ok_and(|ip| ip.src == own.ipv6 && is_signaling(&ip, packet)),
        Ok((ether::IPV4, packet)) => Ipv4Header::parse(packet).is_ok_and(|ip| {
            let src_port = packet.get(ip.header_len..).and_then(<[u8]>::first_chunk);
            ip.protocol == udp::PROTOCOL
                && Some(ip.src) == own.ipv4
                && src_port == Some(&udp::SIGNALING_PORT.to_be_bytes())
        }),
        _ => false,
    }
}

/// Whether a packet of the kernel's is ESP from our address, or a fragment of it; in transport mode
/// to a mobile node away from home it has a type 2 routing header before ESP.
pub(super) fn is_esp(packet: &[u8], own: Ipv6Addr) -> bool {
    Ipv6Header::parse(packet).is_ok_and(|ip| {
        let is_carried = carried(&ip, packet).is_some_and(|(next_header, _)| next_header == ESP);
        ip.src == own && (is_carried || carries(packet, ESP))
    })
}

/// Whether what the sockets send leaves as it is.
fn is_signaling(ip: &Ipv6Header, packet: &[u8]) -> bool {
    match carried(ip, packet) {
        Some((mh::NEXT_HEADER, _)) => true,
        Some((icmpv6::NEXT_HEADER, message)) => message.first() == Some(&PREFIX_ADVERTISEMENT),
        _ => false,
    }
}

/// What a packet carries, behind a type 2 routing header or nothing.
fn carried<'p>(ip: &Ipv6Header, packet: &'p [u8]) -> Option<(u8, &'p [u8])> {
    let payload = packet.get(ipv6::HEADER_LEN..)?;
    match ip.next_header {
        HomeRoute::NEXT_HEADER => Some((*payload.first()?, payload.get(HomeRoute::LEN..)?)),
        other => Some((other, payload)),
    }
}

/// Next header of RFC 4303.
const ESP: u8 = 50;
/// Room for what comes with a message: one Destination Options header, in bytes.
const CONTROL_LEN: usize = 512;
/// Longest packet of ours, in bytes.
const PACKET_LEN_MAX: usize = 2048;
/// Messages that wait in each direction.
const CHANNEL_LEN: usize = 4096;
const HOP_LIMIT: u8 = 64;
/// Network control, CS6 (RFC 4594 3.2), as in [`crate::mobility::packet`].
const TRAFFIC_CLASS: u32 = 48 << 2;

#[cfg(test)]
mod tests;
