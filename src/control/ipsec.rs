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
//!
//! A mobile node's security association is that of its home address (RFC 6275 5.1). Such a kernel
//! knows Mobile IPv6: a state of the type `hao` lets it put the home address of an option into the
//! place of the source, and the care-of address into the option (9.3.1), which the socket hands
//! over; and a routing header of a socket's own has the kernel choose the association by the home
//! address behind it.

use super::counters::{Counter, Counters};
use super::signaling::Anchors;
use crate::addr::MacAddr;
use crate::wire::ether::{self, EtherHeader};
use crate::wire::ipv4::{self, Ipv4Header};
use crate::wire::ipv6::{self, HomeAddressHeader, HomeRoute, Ipv6Header, find_upper_layer};
use crate::wire::mh;
use crate::wire::udp::{self, UdpHeader};
use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use netlink_sys::protocols::NETLINK_XFRM;
use nix::errno::Errno;
use nix::sys::socket::sockopt::{SetBool, SetStruct};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SetSockOpt, SockaddrStorage, recv, recvmsg};
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

/// The kernel's sockets for Mobility Headers at the anchor's addresses.
#[derive(Debug)]
pub struct Sockets {
    ipv6: Arc<Socket>,
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
    let protocol = Protocol::from(i32::from(mh::NEXT_HEADER));
    let ipv6 = Socket::new(Domain::IPV6, Type::RAW, Some(protocol))?;
    Ipv6InPolicy.set(&ipv6, &in_policy6())?;
    Ipv6RecvDestinationOptions.set(&ipv6, &true)?;
    // A raw socket hears from the beginning, so before it had its policy, too.
    while recv(ipv6.as_raw_fd(), &mut [0], MsgFlags::MSG_DONTWAIT).is_ok() {}
    ipv6.set_tclass_v6(TRAFFIC_CLASS)?;
    ipv6.bind(&SocketAddrV6::new(lma, 0, 0, 0).into())?;
    let ipv4 = lma_ipv4.map(open_ipv4).transpose()?.map(Arc::new);
    Ok(Sockets { ipv6: Arc::new(ipv6), ipv4, anchors: Anchors { ipv6: lma, ipv4: lma_ipv4 } })
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
    for socket in [Some(&sockets.ipv6), sockets.ipv4.as_ref()].into_iter().flatten() {
        let (socket, anchors, tx) = (Arc::clone(socket), sockets.anchors, received.clone());
        let losses = Arc::clone(&losses);
        std::thread::Builder::new()
            .name("ipsec-rx".into())
            .spawn(move || receive_all(&socket, anchors, &tx, &losses))?;
    }
    let path = IpsecPath { from_kernel, to_kernel, losses: Arc::clone(&losses) };
    let sender = std::thread::Builder::new()
        .name("ipsec-tx".into())
        .spawn(move || send_all(&sockets, &sent, &losses))?;
    Ok((path, sender))
}

fn receive_all(socket: &Socket, own: Anchors, tx: &Sender<Box<[u8]>>, losses: &Losses) {
    let mut buf = [0; mh::MAX_LEN];
    loop {
        match receive(socket, &mut buf) {
            Ok(Some((from, options, len))) => {
                let message = buf.get(..len).unwrap_or_default();
                let Some(frame) = frame(&from, own, &options, message) else { continue };
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

/// The frame that would have brought a message without ESP; `options`: the Destination Options
/// header that stood before it.
fn frame(
    from: &SockaddrStorage,
    own: Anchors,
    options: &[u8],
    message: &[u8],
) -> Option<Box<[u8]>> {
    let mut frame = vec![0; ether::HEADER_LEN];
    let mut packet;
    let ether_type = if let Some(from) = from.as_sockaddr_in6() {
        packet = ipv6_packet(from.ip(), own.ipv6, options, message)?;
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
            protocol: udp::PROTOCOL,
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
fn ipv6_packet(from: Ipv6Addr, dst: Ipv6Addr, options: &[u8], message: &[u8]) -> Option<Vec<u8>> {
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
    let (mut next_header, mut src) = (mh::NEXT_HEADER, from);
    if let Some((care_of, _)) = option {
        (next_header, src) = (HomeAddressHeader::NEXT_HEADER, care_of);
        let option = HomeAddressHeader { next_header: mh::NEXT_HEADER, home: from };
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
                return self.send_to_node(ip.dst, route.home, message);
            }
            // What goes to a node by its tunnel would be the tunnel's here, not the node's.
            if ip.next_header != mh::NEXT_HEADER {
                return Err(none());
            }
            let to = SocketAddrV6::new(ip.dst, 0, 0, 0);
            return self.ipv6.send_to(message, &to.into()).map(drop);
        }
        let ip = Ipv4Header::parse(packet).map_err(unfit)?;
        let datagram = packet.get(ip.header_len..).unwrap_or_default();
        let (udp, message) = UdpHeader::parse(datagram, ip.src, ip.dst).map_err(unfit)?;
        let to = SocketAddrV4::new(ip.dst, udp.dst_port);
        self.ipv4.as_ref().ok_or_else(none)?.send_to(message, &to.into()).map(drop)
    }
}

impl Sockets {
    /// Sends a message to a node away from home, with a type 2 routing header: to the care-of
    /// address that stands in the header here, protected as what goes to the home address (RFC 3542
    /// 7, RFC 6275 9.3.2).
    fn send_to_node(&self, care_of: Ipv6Addr, home: Ipv6Addr, message: &[u8]) -> io::Result<()> {
        let mut header = [0; HomeRoute::LEN];
        let unfit = |_| io::Error::from(io::ErrorKind::InvalidInput);
        HomeRoute { next_header: 0, home: care_of }.emit(&mut header).map_err(unfit)?;
        Ipv6RoutingHeader.set(&self.ipv6, &header)?;
        let sent = self.ipv6.send_to(message, &SocketAddrV6::new(home, 0, 0, 0).into());
        // What is sent next goes straight.
        Ipv6NoRoutingHeader.set(&self.ipv6, &[])?;
        sent.map(drop)
    }
}

/// Whether a frame of the kernel is signaling of ours that it did not protect.
pub(super) fn is_clear(frame: &[u8], own: Anchors) -> bool {
    match ether::payload(frame) {
        Ok((ether::IPV6, packet)) => Ipv6Header::parse(packet)
            .is_ok_and(|ip| carried(&ip, packet) == Some(mh::NEXT_HEADER) && ip.src == own.ipv6),
        Ok((ether::IPV4, packet)) => Ipv4Header::parse(packet).is_ok_and(|ip| {
            let src_port = packet.get(ip.header_len..).and_then(<[u8]>::first_chunk);
            ip.protocol == udp::PROTOCOL
                && Some(ip.src) == own.ipv4
                && src_port == Some(&udp::SIGNALING_PORT.to_be_bytes())
        }),
        _ => false,
    }
}

/// The packet of a frame of the kernel's with ESP from our address, and where to; a mobile node's
/// has a type 2 routing header before ESP.
pub(super) fn packet_from(frame: &[u8], own: Ipv6Addr) -> Option<(Ipv6Addr, &[u8])> {
    let (ether::IPV6, packet) = ether::payload(frame).ok()? else { return None };
    let ip = Ipv6Header::parse(packet).ok()?;
    let is_ours = carried(&ip, packet) == Some(ESP) && ip.src == own;
    Some((ip.dst, packet.get(..ip.packet_len())?)).filter(|_| is_ours)
}

/// What a packet carries, behind a type 2 routing header or nothing.
fn carried(ip: &Ipv6Header, packet: &[u8]) -> Option<u8> {
    match ip.next_header {
        HomeRoute::NEXT_HEADER => packet.get(ipv6::HEADER_LEN).copied(),
        other => Some(other),
    }
}

/// What may be received, by linux/xfrm.h: a `struct xfrm_userpolicy_info`, one template behind it,
/// or two.
type Ipv4Policy = [u8; TEMPLATE_AT + TEMPLATE_LEN];
type Ipv6Policy = [u8; TEMPLATE_AT + 2 * TEMPLATE_LEN];

/// In ESP, in transport mode, of any security association.
fn in_policy4() -> Ipv4Policy {
    let mut policy = [0; TEMPLATE_AT + TEMPLATE_LEN];
    let (front, templates) = policy.split_at_mut(TEMPLATE_AT);
    allow_inwards(front, libc::AF_INET);
    template(templates, ESP, libc::AF_INET);
    policy
}

/// The same; and before the ESP header there may be a Home Address option that a state allows.
fn in_policy6() -> Ipv6Policy {
    let mut policy = [0; TEMPLATE_AT + 2 * TEMPLATE_LEN];
    let (front, templates) = policy.split_at_mut(TEMPLATE_AT);
    let (esp, option) = templates.split_at_mut(TEMPLATE_LEN);
    allow_inwards(front, libc::AF_INET6);
    template(esp, ESP, libc::AF_INET6);
    template(option, HomeAddressHeader::NEXT_HEADER, libc::AF_INET6);
    option[MODE_AT] = ROUTE_OPTIMIZATION;
    option[OPTIONAL_AT] = 1;
    policy
}

/// All other fields are zero: inwards, allow, any selector.
fn allow_inwards(policy: &mut [u8], family: libc::c_int) {
    policy[SELECTOR_FAMILY_AT..][..2].copy_from_slice(&family_bytes(family));
    policy[LIMITS_AT..][..LIMITS_LEN].fill(0xff);
}

/// All other fields are zero: any peer, transport mode, not optional.
fn template(template: &mut [u8], protocol: u8, family: libc::c_int) {
    template[PROTOCOL_AT] = protocol;
    template[FAMILY_AT..][..2].copy_from_slice(&family_bytes(family));
    template[ALGORITHMS_AT..].fill(0xff);
}

fn family_bytes(family: libc::c_int) -> [u8; 2] {
    u16::try_from(family).unwrap_or_default().to_ne_bytes()
}

nix::setsockopt_impl!(
    Ipv6InPolicy,
    libc::IPPROTO_IPV6,
    libc::IPV6_XFRM_POLICY,
    Ipv6Policy,
    SetStruct<'_, Ipv6Policy>
);
nix::setsockopt_impl!(
    Ipv4InPolicy,
    libc::IPPROTO_IP,
    libc::IP_XFRM_POLICY,
    Ipv4Policy,
    SetStruct<'_, Ipv4Policy>
);
nix::setsockopt_impl!(
    Ipv6RecvDestinationOptions,
    libc::IPPROTO_IPV6,
    libc::IPV6_RECVDSTOPTS,
    bool,
    SetBool
);
nix::setsockopt_impl!(
    Ipv6RoutingHeader,
    libc::IPPROTO_IPV6,
    libc::IPV6_RTHDR,
    [u8; HomeRoute::LEN],
    SetStruct<'_, [u8; HomeRoute::LEN]>
);
// RFC 3542 6: of no length, to have none any more.
nix::setsockopt_impl!(
    Ipv6NoRoutingHeader,
    libc::IPPROTO_IPV6,
    libc::IPV6_RTHDR,
    [u8; 0],
    SetStruct<'_, [u8; 0]>
);

/// The option of a socket of IPv6.
#[derive(Debug, Clone)]
struct Ipv6InPolicy;

/// The option of a socket of IPv4.
#[derive(Debug, Clone)]
struct Ipv4InPolicy;

/// Whether a socket of IPv6 hands over Destination Options headers (RFC 3542 6).
#[derive(Debug, Clone)]
struct Ipv6RecvDestinationOptions;

/// The routing header of what a socket of IPv6 sends.
#[derive(Debug, Clone)]
struct Ipv6RoutingHeader;

/// That there is none.
#[derive(Debug, Clone)]
struct Ipv6NoRoutingHeader;

/// Offsets and lengths in bytes. In the policy: `sel.family`, the first four limits of `lft`.
const SELECTOR_FAMILY_AT: usize = 40;
const LIMITS_AT: usize = 56;
const LIMITS_LEN: usize = 32;
const TEMPLATE_AT: usize = 168;
/// In the template: `id.proto`, `family`, `mode`, `optional`, `aalgos` and the other two.
const PROTOCOL_AT: usize = 20;
const FAMILY_AT: usize = 24;
const MODE_AT: usize = 48;
const OPTIONAL_AT: usize = 50;
const ALGORITHMS_AT: usize = 52;
const TEMPLATE_LEN: usize = 64;
const ESP: u8 = 50;
/// `XFRM_MODE_ROUTEOPTIMIZATION`.
const ROUTE_OPTIMIZATION: u8 = 2;

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
