//! The exception path: each port has a kernel TAP of the same name, MAC, MTU and addresses.
//!
//! ```text
//!   worker --punt--> control core --[bounded channel]--> kernel-tx thread --write--> TAP --> kernel
//!   worker <-inject- control core <-[bounded channel]-- kernel-rx thread <--read---- TAP <-- kernel
//! ```
//! The kernel answers ND and ping, and routing daemons live there. What finds a channel full is
//! dropped and counted by the control core; the threads alone block.

use super::netlink::RouteSocket;
use crate::addr::{MacAddr, PortId};
use crate::nic::Frame;
use crossbeam::channel::{Receiver, Sender, bounded};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage,
};
use netlink_packet_route::link::{LinkFlags, LinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

/// What the TAP of a port looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapSpec {
    /// The port that it stands for.
    pub port: PortId,
    /// Its interface name: the port's.
    pub name: String,
    /// Its MAC address: the port's.
    pub mac: MacAddr,
    /// In bytes, without the Ethernet header.
    pub mtu: u16,
    /// Addresses with their prefix lengths; IPv4 as IPv4-mapped, 96 bits longer.
    pub addresses: Vec<(Ipv6Addr, u8)>,
}

/// Why the exception path could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ExceptionError {
    /// The kernel refused the TAP.
    #[error("port {name}: no TAP interface of this name: {source}")]
    Tap {
        /// The port's name.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The kernel refused an address.
    #[error("interface {name}: address {addr} refused: {source}")]
    Address {
        /// The interface.
        name: String,
        /// The address.
        addr: IpAddr,
        /// Why.
        source: io::Error,
    },
    /// A netlink socket or a thread was refused.
    #[error("exception path: {0}")]
    Io(#[from] io::Error),
}

/// The control core's ends.
#[derive(Debug)]
pub struct KernelPath<F: Frame> {
    /// Frames for the TAP of a port.
    pub to_kernel: Sender<(PortId, F)>,
    /// Frames that the kernel wants sent out of a port.
    pub from_kernel: Receiver<(PortId, Box<[u8]>)>,
}

/// One TAP, up and addressed. The interface vanishes with it.
pub struct Tap {
    port: PortId,
    device: Arc<SyncDevice>,
    ifindex: u32,
    mtu: u16,
}

impl Tap {
    /// The kernel's number of the interface.
    #[must_use]
    pub fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// The port that it stands for.
    #[must_use]
    pub fn port(&self) -> PortId {
        self.port
    }
}

/// Creates the TAPs, and puts each of `lma_addresses` on `lo` unless a port carries it. Returns the
/// TAPs and the interface index of `lo`.
pub fn open(
    specs: &[TapSpec],
    lma_addresses: impl IntoIterator<Item = Ipv6Addr>,
) -> Result<(Vec<Tap>, u32), ExceptionError> {
    let mut netlink = RouteSocket::open()?;
    let taps =
        specs.iter().map(|spec| open_tap(&mut netlink, spec)).collect::<Result<Vec<_>, _>>()?;
    let loopback = fs::read_to_string("/sys/class/net/lo/ifindex")
        .ok()
        .and_then(|s| s.trim().parse().ok())
        .unwrap_or(LOOPBACK_IFINDEX);
    // Without `lo` the kernel delivers nothing to its own addresses.
    link_up(&mut netlink, loopback)?;
    for address in lma_addresses {
        let on_port = specs.iter().any(|s| s.addresses.iter().any(|&(a, _)| a == address));
        if !on_port {
            add_address(&mut netlink, "lo", loopback, address, 128)?;
        }
    }
    Ok((taps, loopback))
}

/// Starts the threads that carry frames. The one that writes ends, its queue emptied, when the
/// [`KernelPath`] is dropped, the others with the process.
pub fn start<F: Frame>(taps: &[Tap]) -> Result<(KernelPath<F>, JoinHandle<()>), ExceptionError> {
    let (to_kernel, to_kernel_rx) = bounded::<(PortId, F)>(CHANNEL_LEN);
    let (from_kernel_tx, from_kernel) = bounded(CHANNEL_LEN);
    for tap in taps {
        let (device, port, tx) = (Arc::clone(&tap.device), tap.port, from_kernel_tx.clone());
        let frame_max = usize::from(tap.mtu) + ETHERNET_LEN_MAX;
        std::thread::Builder::new()
            .name("kernel-rx".into())
            .spawn(move || read_from_kernel(&device, port, frame_max, &tx))?;
    }
    let devices: Vec<_> = taps.iter().map(|t| (t.port, Arc::clone(&t.device))).collect();
    let writer = std::thread::Builder::new()
        .name("kernel-tx".into())
        .spawn(move || write_to_kernel(&devices, &to_kernel_rx))?;
    Ok((KernelPath { to_kernel, from_kernel }, writer))
}

fn open_tap(netlink: &mut RouteSocket, spec: &TapSpec) -> Result<Tap, ExceptionError> {
    let failed = |source| ExceptionError::Tap { name: spec.name.clone(), source };
    let device = DeviceBuilder::new()
        .name(spec.name.clone())
        .layer(Layer::L2)
        .mac_addr(spec.mac.0)
        .mtu(spec.mtu)
        .enable(false)
        .build_sync()
        .map_err(failed)?;
    // Before it is up: the addresses are ours by configuration, nothing is to be detected or
    // learnt.
    for (knob, value) in SYSCTLS {
        let path = Path::new("/proc/sys/net").join(knob.replace('*', &spec.name));
        if let Err(error) = fs::write(&path, value) {
            tracing::warn!(path = %path.display(), %error, "sysctl not set");
        }
    }
    let ifindex = device.if_index().map_err(failed)?;
    link_up(netlink, ifindex).map_err(failed)?;
    for &(addr, len) in &spec.addresses {
        add_address(netlink, &spec.name, ifindex, addr, len)?;
    }
    Ok(Tap { port: spec.port, device: Arc::new(device), ifindex, mtu: spec.mtu })
}

fn link_up(netlink: &mut RouteSocket, ifindex: u32) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = ifindex;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    netlink.request(RouteNetlinkMessage::SetLink(message), 0)
}

fn add_address(
    netlink: &mut RouteSocket,
    name: &str,
    ifindex: u32,
    addr: Ipv6Addr,
    len: u8,
) -> Result<(), ExceptionError> {
    let mut message = AddressMessage::default();
    message.header.index = ifindex;
    let addr = addr.to_canonical();
    match addr {
        IpAddr::V4(_) => {
            message.header.family = AddressFamily::Inet;
            message.header.prefix_len = len.saturating_sub(96);
            message.attributes = vec![AddressAttribute::Local(addr)];
        }
        IpAddr::V6(_) => {
            message.header.family = AddressFamily::Inet6;
            message.header.prefix_len = len;
            message.header.flags = AddressHeaderFlags::Nodad;
            message.attributes = vec![AddressAttribute::Flags(AddressFlags::Nodad)];
        }
    }
    message.attributes.push(AddressAttribute::Address(addr));
    netlink
        .request(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_REPLACE)
        .map_err(|source| ExceptionError::Address { name: name.into(), addr, source })
}

fn read_from_kernel(
    device: &SyncDevice,
    port: PortId,
    frame_max: usize,
    tx: &Sender<(PortId, Box<[u8]>)>,
) {
    let mut buf = vec![0; frame_max];
    loop {
        match device.recv(&mut buf) {
            // Waits when the control core is slow: the TAP's own queue then drops.
            Ok(len) => match buf.get(..len) {
                Some(frame) if tx.send((port, frame.into())).is_err() => return,
                _ => {}
            },
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                tracing::error!(port = port.0, %error, "reading from the kernel's TAP failed");
                return;
            }
        }
    }
}

fn write_to_kernel<F: Frame>(devices: &[(PortId, Arc<SyncDevice>)], rx: &Receiver<(PortId, F)>) {
    for (port, frame) in rx {
        if let Some((_, device)) = devices.iter().find(|(p, _)| *p == port)
            && let Err(error) = device.send(frame.data())
        {
            // Counted by the kernel on the interface; EIO while the interface is down.
            tracing::debug!(port = port.0, %error, "the kernel refused a frame");
        }
    }
}

const CHANNEL_LEN: usize = 1024;
/// Ethernet header and two VLAN tags.
const ETHERNET_LEN_MAX: usize = 22;
/// The kernel numbers `lo` first in every network namespace.
const LOOPBACK_IFINDEX: u32 = 1;
/// Below `/proc/sys/net`; the star stands for the interface. The last two: as with IPv6, an address
/// is resolved only on the link that it is on, since other customers may have the same.
const SYSCTLS: [(&str, &str); 6] = [
    ("ipv6/conf/*/accept_ra", "0"),
    ("ipv6/conf/*/autoconf", "0"),
    ("ipv6/conf/*/accept_dad", "0"),
    ("ipv6/conf/*/accept_redirects", "0"),
    ("ipv4/conf/*/arp_ignore", "1"),
    ("ipv4/conf/*/arp_announce", "2"),
];
