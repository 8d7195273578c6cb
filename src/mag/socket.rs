//! Kernel sockets under the async runtime: what the kernel says of a packet beside its bytes
//! (source, destination, hop limit, traffic class) comes as control messages. IPv4 addresses are
//! IPv4-mapped.

use crate::wire::ipv4::Ipv4Header;
use crate::wire::mh;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, RecvMsg, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io::{self, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::num::NonZeroU32;
use std::os::fd::AsRawFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

const ICMPV6: i32 = 58;
/// Sends whole packets, receives nothing.
const RAW: i32 = 255;
/// Room for a burst of what nodes send while we are busy.
const RECV_BUF_SIZE: usize = 1 << 20;
/// ff02::2
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// A raw socket of one family, or a UDP socket over IPv4.
pub(crate) struct RawSocket {
    fd: AsyncFd<Socket>,
    /// The kernel leaves the IPv4 header before what it hands over.
    with_header: bool,
}

/// What came in, beside its bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received {
    /// Where they begin in the buffer: behind the IP header and its options or extensions.
    pub(crate) start: usize,
    /// How many there are from there on.
    pub(crate) len: usize,
    pub(crate) src: Ipv6Addr,
    /// Of UDP, else zero.
    pub(crate) src_port: u16,
    pub(crate) dst: Ipv6Addr,
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
}

impl Received {
    /// The bytes that were received into `buf`.
    pub(crate) fn bytes<'b>(&self, buf: &'b [u8]) -> &'b [u8] {
        buf.get(self.start..self.start + self.len).unwrap_or_default()
    }
}

impl RawSocket {
    /// Mobility Headers to `local`.
    pub(crate) fn mobility(local: Ipv6Addr) -> io::Result<Self> {
        let socket = open(mh::NEXT_HEADER.into())?;
        socket.bind(&address(local, 0, 0))?;
        Self::new(socket)
    }

    /// Mobility Headers to any of our addresses.
    pub(crate) fn mobility_any() -> io::Result<Self> {
        Self::new(open(mh::NEXT_HEADER.into())?)
    }

    /// UDP over IPv4 at `local`, IPv4-mapped.
    pub(crate) fn udp(local: Ipv6Addr, port: u16) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        prepare(&socket)?;
        socket.bind(&address(local, port, 0))?;
        socket.set_recv_tos_v4(true)?;
        Self::ipv4(socket, false)
    }

    /// UDP over IPv4 at any address, of one access link; may broadcast.
    pub(crate) fn udp_of_link(link: u32, port: u16) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        prepare(&socket)?;
        socket.set_reuse_address(true)?;
        socket.bind_device_by_index_v4(NonZeroU32::new(link))?;
        socket.set_broadcast(true)?;
        let any = std::net::Ipv4Addr::UNSPECIFIED.to_ipv6_mapped();
        socket.bind(&address(any, port, 0))?;
        Self::ipv4(socket, false)
    }

    /// UDP at one of our addresses, beside sockets of single links at the same port.
    pub(crate) fn udp_beside_links(local: Ipv6Addr, port: u16) -> io::Result<Self> {
        let ipv4 = local.to_ipv4_mapped().is_some();
        let domain = if ipv4 { Domain::IPV4 } else { Domain::IPV6 };
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        prepare(&socket)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address(local, port, 0))?;
        if ipv4 { Self::ipv4(socket, false) } else { Self::new(socket) }
    }

    /// UDP over IPv6 at any address, of one access link, and a member of this group there.
    pub(crate) fn udp_of_link_v6(link: u32, port: u16, group: Ipv6Addr) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
        prepare(&socket)?;
        socket.set_only_v6(true)?;
        socket.set_reuse_address(true)?;
        socket.bind_device_by_index_v6(NonZeroU32::new(link))?;
        socket.bind(&address(Ipv6Addr::UNSPECIFIED, port, 0))?;
        socket.join_multicast_v6(&group, link)?;
        Self::new(socket)
    }

    /// Packets of an IP protocol to `local`, from behind the outer header on.
    pub(crate) fn tunnel(local: Ipv6Addr, protocol: u8) -> io::Result<Self> {
        if local.to_ipv4_mapped().is_some() {
            let socket = open_ipv4(protocol.into())?;
            socket.bind(&address(local, 0, 0))?;
            return Self::ipv4(socket, true);
        }
        let socket = open(protocol.into())?;
        socket.bind(&address(local, 0, 0))?;
        socket.set_recv_tclass_v6(true)?;
        Self::new(socket)
    }

    /// ICMPv6 of one access link; a member of all-routers there.
    pub(crate) fn icmpv6(link: u32) -> io::Result<Self> {
        let socket = open(ICMPV6)?;
        socket.bind_device_by_index_v6(NonZeroU32::new(link))?;
        socket.join_multicast_v6(&ALL_ROUTERS, link)?;
        socket.set_recv_hoplimit_v6(true)?;
        Self::new(socket)
    }

    /// Sends whole IPv6 packets.
    pub(crate) fn sender() -> io::Result<Self> {
        Self::new(open(RAW)?)
    }

    /// Sends whole IPv4 packets.
    pub(crate) fn ipv4_sender() -> io::Result<Self> {
        Self::ipv4(open_ipv4(RAW)?, true)
    }

    fn new(socket: Socket) -> io::Result<Self> {
        setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        Self::register(socket, false)
    }

    fn ipv4(socket: Socket, with_header: bool) -> io::Result<Self> {
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        Self::register(socket, with_header)
    }

    fn register(socket: Socket, with_header: bool) -> io::Result<Self> {
        // Deprecated for types that may close or swap their descriptor while it is registered; a
        // `Socket` owns its one, and `register` is unsafe.
        #[allow(deprecated)]
        let fd = AsyncFd::new(socket)?;
        Ok(Self { fd, with_header })
    }

    /// Waits for the next packet. What is longer than `buf` is cut.
    pub(crate) async fn recv(&self, buf: &mut [u8]) -> io::Result<Received> {
        self.fd.async_io(Interest::READABLE, |socket| self.receive(socket, buf)).await
    }

    /// The next packet that is there already.
    pub(crate) fn try_recv(&self, buf: &mut [u8]) -> io::Result<Received> {
        self.receive(self.fd.get_ref(), buf)
    }

    /// Sends a whole IP packet; `link` where the destination is link-local, else zero. Does not
    /// wait: a full queue is an error.
    pub(crate) fn send(&self, packet: &[u8], dst: Ipv6Addr, link: u32) -> io::Result<()> {
        self.fd.get_ref().send_to(packet, &address(dst, 0, link)).map(drop)
    }

    /// Sends a datagram; to a link-local address on the link that the socket is of.
    pub(crate) fn send_to_port(&self, data: &[u8], dst: Ipv6Addr, port: u16) -> io::Result<()> {
        self.fd.get_ref().send_to(data, &address(dst, port, 0)).map(drop)
    }

    /// Waits until sending may work again.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.fd.writable().await.map(|mut ready| ready.clear_ready())
    }

    fn receive(&self, socket: &Socket, buf: &mut [u8]) -> io::Result<Received> {
        let mut received = receive(socket, buf)?;
        if self.with_header {
            let header = Ipv4Header::parse(buf.get(..received.len).unwrap_or_default());
            let header = header.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
            received.start = header.header_len;
            received.len -= header.header_len;
            received.traffic_class = header.tos;
        }
        Ok(received)
    }
}

fn open(protocol: i32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::from(protocol)))?;
    prepare(&socket).map(|()| socket)
}

fn open_ipv4(protocol: i32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(protocol)))?;
    prepare(&socket).map(|()| socket)
}

fn prepare(socket: &Socket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(RECV_BUF_SIZE)
}

fn address(ip: Ipv6Addr, port: u16, link: u32) -> SockAddr {
    match ip.to_ipv4_mapped() {
        Some(ip) => SocketAddrV4::new(ip, port).into(),
        None => SocketAddrV6::new(ip, port, 0, link).into(),
    }
}

fn receive(socket: &Socket, buf: &mut [u8]) -> io::Result<Received> {
    let mut control = nix::cmsg_space!(libc::in6_pktinfo, i32, i32);
    let mut parts = [IoSliceMut::new(buf)];
    let message: RecvMsg<'_, '_, SockaddrStorage> =
        recvmsg(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_DONTWAIT)?;
    let (src, src_port) = source(message.address.as_ref());
    let mut received = Received {
        start: 0,
        len: message.bytes,
        src,
        src_port,
        dst: Ipv6Addr::UNSPECIFIED,
        hop_limit: 0,
        traffic_class: 0,
    };
    for control in message.cmsgs()? {
        match control {
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                received.dst = info.ipi6_addr.s6_addr.into();
            }
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                let dst = std::net::Ipv4Addr::from_bits(u32::from_be(info.ipi_addr.s_addr));
                received.dst = dst.to_ipv6_mapped();
            }
            ControlMessageOwned::Ipv6HopLimit(v) => {
                received.hop_limit = u8::try_from(v).unwrap_or(0);
            }
            ControlMessageOwned::Ipv6TClass(v) => {
                received.traffic_class = u8::try_from(v).unwrap_or(0);
            }
            ControlMessageOwned::Ipv4Tos(tos) => received.traffic_class = tos,
            _ => {}
        }
    }
    Ok(received)
}

fn source(address: Option<&SockaddrStorage>) -> (Ipv6Addr, u16) {
    let ipv6 = address.and_then(|a| a.as_sockaddr_in6()).map(|a| (a.ip(), a.port()));
    let ipv4 =
        || address.and_then(|a| a.as_sockaddr_in()).map(|a| (a.ip().to_ipv6_mapped(), a.port()));
    ipv6.or_else(ipv4).unwrap_or((Ipv6Addr::UNSPECIFIED, 0))
}
