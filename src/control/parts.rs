//! What a control core is made of: the ends of rings and channels, and what it must know of ports,
//! gateways and workers.

use super::advertise::Advertiser;
use super::exception::KernelPath;
use super::home::HomeLinks;
use super::ipsec::IpsecPath;
use super::journal::{Journal, Restart};
use super::mirror::KernelMirror;
use super::policy::PolicyLink;
use super::reload::Reloads;
use crate::addr::{AnchorAddr, CustomerId, MacAddr, PortId};
use crate::admin::channel::Questions;
use crate::config::PortRole;
use crate::dataplane::counters::WorkerCounters;
use crate::dataplane::steer::Steering;
use crate::dataplane::update::{Inject, Report, Update};
use crate::mobility::action::Action;
use crate::mobility::anchor::Anchor;
use crate::nic::{Frame, FramePool, RxQueue};
use crate::sync::ring::{Consumer, Producer};
use crate::sync::seq::AppliedReader;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// The control core's ends of the rings to one worker.
pub struct WorkerLink<F: Frame> {
    /// Changes for it.
    pub updates: Producer<Update>,
    /// Frames that it is to send.
    pub injects: Producer<Inject<F>>,
    /// The Mobility Headers that it received.
    pub signaling: Consumer<F>,
    /// What else it says.
    pub reports: Consumer<Report<F>>,
    /// How far it has applied the changes.
    pub applied: AppliedReader,
    /// What it counts.
    pub counters: Arc<WorkerCounters>,
    /// The CPU that it runs on, for people.
    pub cpu: u16,
}

/// A port, as the control core and the operator see it.
pub struct PortInfo {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: PortRole,
    /// Its device, as configured.
    pub device: String,
    /// The device's driver.
    pub driver: String,
    /// Its address: the source of what we send.
    pub mac: MacAddr,
    /// In bytes, without the Ethernet header.
    pub mtu: u16,
    /// If it is a VLAN of another port: that one, and the identifier in its frames' tags.
    pub vlan: Option<(PortId, u16)>,
    /// How signaling comes from it.
    pub signaling: &'static str,
    /// How its frames find their worker.
    pub steering: &'static str,
    /// Asks the device.
    pub status: Box<dyn Fn() -> PortStatus>,
}

/// What a device says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct PortStatus {
    pub link_up: bool,
    pub rx_packets: u64,
    pub tx_packets: u64,
    pub rx_missed: u64,
    pub tx_errors: u64,
}

/// A gateway, as the operator named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MagInfo {
    /// For people.
    pub name: String,
    /// Its Proxy-CoA.
    pub address: Ipv6Addr,
    /// Largest outer packet on the way to it, in bytes.
    pub tunnel_mtu: u16,
    /// Messages a second that it may send.
    pub signaling_rate: u32,
    /// Whether nothing is said to it, nor heard of it, without ESP.
    pub ipsec: bool,
}

/// Everything that a control core is made of.
pub struct Parts<P: FramePool> {
    /// Where tunnels end and signaling arrives.
    pub lma_address: AnchorAddr,
    /// The same over IPv4, if there is one.
    pub lma_address_ipv4: Option<Ipv4Addr>,
    /// The pure core, bindings restored.
    pub anchor: Anchor,
    /// The links of home addresses.
    pub home: HomeLinks,
    /// Where nodes ask for home agents, in the operator's address space.
    pub asked: BTreeSet<Ipv6Addr>,
    /// What the pure core decided while they were restored.
    pub restored: Vec<Action>,
    /// For frames of our own.
    pub pool: P,
    /// In the order of their ids.
    pub ports: Vec<PortInfo>,
    /// In the order of their ids.
    pub workers: Vec<WorkerLink<P::Frame>>,
    /// Who owns what; the same as the workers'.
    pub steering: Steering,
    /// Gateways at most, configured and added.
    pub mags_max: usize,
    /// Queues on which only signaling arrives.
    pub signaling: Vec<Box<dyn RxQueue<Frame = P::Frame>>>,
    /// The way to and from the kernel's TAPs.
    pub kernel: KernelPath<P::Frame>,
    /// The way to and from its sockets for signaling in ESP.
    pub ipsec: IpsecPath,
    /// What the kernel knows.
    pub mirror: KernelMirror,
    /// Where bindings are made durable.
    pub journal: Journal,
    /// What peers have to know of the last run.
    pub restart: Restart,
    /// The policy store outside, if there is one.
    pub policy: Option<PolicyLink>,
    /// To the thread that keeps the kernel's routes to nodes.
    pub advertiser: Advertiser,
    /// What operators ask.
    pub questions: Questions,
    /// Other configurations, while it runs.
    pub reloads: Reloads,
    /// The configured gateways.
    pub mags: Vec<MagInfo>,
    /// Names of the customers.
    pub customers: Vec<(CustomerId, String)>,
    /// Names of the configured pools, in the order of the pure core's.
    pub pools: Vec<String>,
    /// Tunnel MTU of gateways that are not configured, in bytes.
    pub tunnel_mtu: u16,
    /// Messages a second that are heard of all who are no gateway: mobile nodes, and strangers.
    pub node_rate: u32,
}
