//! Raw IPv6 sockets under the async runtime: what the kernel says of a packet beside its bytes
//! (source, destination, hop limit, traffic class) comes as control messages.

use crate::wire::mh;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, RecvMsg, SockaddrIn6, recvmsg, setsockopt, sockopt,
};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io::{self, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::num::NonZeroU32;
use std::os::fd::AsRawFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// IPv6 in IPv6 (RFC 2473).
const IPV6_IN_IPV6: i32 = 41;
const ICMPV6: i32 = 58;
/// Sends whole packets, receives nothing.
const RAW: i32 = 255;
/// Room for a burst of what nodes send while we are busy.
const RECV_BUF_SIZE: usize = 1 << 20;
/// ff02::2
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// A raw IPv6 socket.
pub(super) struct RawSocket(AsyncFd<Socket>);

/// What came in, beside its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Received {
    /// Bytes behind the IPv6 header and its extension headers.
    pub(super) len: usize,
    pub(super) src: Ipv6Addr,
    pub(super) dst: Ipv6Addr,
    pub(super) hop_limit: u8,
    pub(super) traffic_class: u8,
}

impl RawSocket {
    /// Mobility Headers to `local`.
    pub(super) fn mobility(local: Ipv6Addr) -> io::Result<Self> {
        let socket = open(mh::NEXT_HEADER.into())?;
        socket.bind(&address(local, 0))?;
        Self::new(socket)
    }

    /// Mobility Headers to any of our addresses.
    pub(super) fn mobility_any() -> io::Result<Self> {
        Self::new(open(mh::NEXT_HEADER.into())?)
    }

    /// Tunnelled packets to `local`, from behind the outer header on.
    pub(super) fn tunnel(local: Ipv6Addr) -> io::Result<Self> {
        let socket = open(IPV6_IN_IPV6)?;
        socket.bind(&address(local, 0))?;
        socket.set_recv_tclass_v6(true)?;
        Self::new(socket)
    }

    /// ICMPv6 of one access link; a member of all-routers there.
    pub(super) fn icmpv6(link: u32) -> io::Result<Self> {
        let socket = open(ICMPV6)?;
        socket.bind_device_by_index_v6(NonZeroU32::new(link))?;
        socket.join_multicast_v6(&ALL_ROUTERS, link)?;
        socket.set_recv_hoplimit_v6(true)?;
        Self::new(socket)
    }

    /// Sends whole IPv6 packets.
    pub(super) fn sender() -> io::Result<Self> {
        Self::new(open(RAW)?)
    }

    fn new(socket: Socket) -> io::Result<Self> {
        setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        // Deprecated for types that may close or swap their descriptor while it is registered; a
        // `Socket` owns its one, and `register` is unsafe.
        #[allow(deprecated)]
        let registered = AsyncFd::new(socket)?;
        Ok(Self(registered))
    }

    /// Waits for the next packet. What is longer than `buf` is cut.
    pub(super) async fn recv(&self, buf: &mut [u8]) -> io::Result<Received> {
        self.0.async_io(Interest::READABLE, |socket| receive(socket, buf)).await
    }

    /// The next packet that is there already.
    pub(super) fn try_recv(&self, buf: &mut [u8]) -> io::Result<Received> {
        receive(self.0.get_ref(), buf)
    }

    /// Sends a whole IPv6 packet; `link` where the destination is link-local, else zero. Does not
    /// wait: a full queue is an error.
    pub(super) fn send(&self, packet: &[u8], dst: Ipv6Addr, link: u32) -> io::Result<()> {
        self.0.get_ref().send_to(packet, &address(dst, link)).map(drop)
    }

    /// Waits until sending may work again.
    pub(super) async fn writable(&self) -> io::Result<()> {
        self.0.writable().await.map(|mut ready| ready.clear_ready())
    }
}

fn open(protocol: i32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::from(protocol)))?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(RECV_BUF_SIZE)?;
    Ok(socket)
}

fn address(ip: Ipv6Addr, link: u32) -> SockAddr {
    SocketAddrV6::new(ip, 0, 0, link).into()
}

fn receive(socket: &Socket, buf: &mut [u8]) -> io::Result<Received> {
    let mut control = nix::cmsg_space!(libc::in6_pktinfo, i32, i32);
    let mut parts = [IoSliceMut::new(buf)];
    let message: RecvMsg<'_, '_, SockaddrIn6> =
        recvmsg(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_DONTWAIT)?;
    let mut received = Received {
        len: message.bytes,
        src: message.address.map_or(Ipv6Addr::UNSPECIFIED, |a| a.ip()),
        dst: Ipv6Addr::UNSPECIFIED,
        hop_limit: 0,
        traffic_class: 0,
    };
    for control in message.cmsgs()? {
        match control {
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                received.dst = info.ipi6_addr.s6_addr.into();
            }
            ControlMessageOwned::Ipv6HopLimit(v) => {
                received.hop_limit = u8::try_from(v).unwrap_or(0);
            }
            ControlMessageOwned::Ipv6TClass(v) => {
                received.traffic_class = u8::try_from(v).unwrap_or(0);
            }
            _ => {}
        }
    }
    Ok(received)
}
