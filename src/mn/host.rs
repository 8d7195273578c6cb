//! What a node has of its machine, whichever protocol it speaks: the interface that moves, the TUN,
//! rules and routes, addresses, counters.

use crate::addr::{GreKeys, HomePrefix, MacAddr};
use crate::config::mn::{Config, Core};
use crate::mag::clock::Clock;
use crate::mag::counter::{Counter, Counters};
use crate::mag::failure::{Failure, doing};
use crate::mag::kernel::{self as links, Addresses, Interface};
use crate::mag::socket::RawSocket;
use crate::mag::tunnel::{Receiver, Tunnel, TunnelTable};
use crate::mn::kernel::{Address, Kernel};
use crate::mobility::mag::action::Path;
use crate::mobility::mag::event::LinkId;
use crate::mobility::mn::attachment::{self, Attachment};
use crate::mobility::mn::event::TunnelEnds;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::io;
use std::net::Ipv6Addr;
use std::sync::Arc;

/// A prefix or an address whose packets a tunnel carries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Carried {
    pub(super) prefix: HomePrefix,
    pub(super) path: Path,
    /// The tunnel that this one is in, if it is in one.
    pub(super) outer: Option<Path>,
}

/// The machine.
pub(super) struct Host {
    pub(super) clock: Clock,
    pub(super) kernel: Kernel,
    pub(super) sender: Arc<RawSocket>,
    pub(super) ipv4_sender: Arc<RawSocket>,
    pub(super) tunnel: Arc<Tunnel>,
    pub(super) counters: Arc<Counters>,
    /// The interface whose addresses are care-of addresses.
    link: Interface,
    addresses: attachment::Addresses,
    /// Whether care-of addresses may be of IPv6, and of IPv4.
    families: (bool, bool),
    /// What is no care-of address, wherever it is.
    homes: Vec<Ipv6Addr>,
    tun: LinkId,
    tun_name: String,
    /// The node's addresses on the TUN, for as long as this lives.
    _on_tunnel: Addresses,
    /// A home address that the home agent gave, likewise.
    given: Option<(Ipv6Addr, Addresses)>,
    /// The tunnel's link-local address, likewise.
    link_local: Option<(Ipv6Addr, Addresses)>,
    /// The home address on the link, while the node is at home.
    on_link: Option<Addresses>,
    audits: BTreeMap<String, u64>,
}

impl Host {
    /// The TUN is up and has the node's addresses; what an earlier run left is removed.
    pub(super) fn start(config: &Config) -> Result<Self, Failure> {
        let counters = Arc::new(Counters::default());
        let mut kernel = Kernel::open().map_err(doing("netlink"))?;
        kernel.clear().map_err(doing("rules and routes of an earlier run"))?;
        let sender = Arc::new(RawSocket::sender().map_err(doing("raw socket"))?);
        let ipv4_sender = Arc::new(RawSocket::ipv4_sender().map_err(doing("raw socket"))?);
        let device = tun_rs::DeviceBuilder::new()
            .name(&config.tunnel)
            // Up only once the kernel is told to keep quiet on it.
            .enable(false)
            .build_async()
            .map_err(doing(format!("TUN {}", config.tunnel)))?;
        let tunnel = Arc::new(Tunnel {
            device,
            sender: Arc::clone(&sender),
            ipv4_sender: Some(Arc::clone(&ipv4_sender)),
            table: RwLock::new(TunnelTable::default()),
            counters: Arc::clone(&counters),
        });
        let (tun, on_tunnel) = configure_tunnel(config, &mut kernel)?;
        Ok(Self {
            clock: Clock::start(),
            kernel,
            sender,
            ipv4_sender,
            tunnel,
            counters,
            link: link_named(&config.interface)?,
            addresses: attachment::Addresses::new(config.home_prefix),
            families: match &config.core {
                Core::Mip6(core, _) => (true, core.home_agent_ipv4.is_some()),
                Core::Mip4(_) => (false, true),
            },
            homes: config.addresses.clone(),
            tun,
            tun_name: config.tunnel.clone(),
            _on_tunnel: on_tunnel,
            given: None,
            link_local: None,
            on_link: None,
            audits: BTreeMap::new(),
        })
    }

    /// Takes tunnel packets from now on, at whatever address: what is no packet of the present
    /// tunnel is dropped, counted.
    pub(super) fn receive(&self, receivers: io::Result<Vec<Receiver>>) -> Result<(), Failure> {
        for receiver in receivers.map_err(doing("tunnel"))? {
            let tunnel = Arc::clone(&self.tunnel);
            tokio::spawn(async move { tunnel.downlink(receiver).await });
        }
        Ok(())
    }

    /// The interface that moves, and its link-layer address.
    pub(super) fn link(&self) -> (&Interface, MacAddr) {
        (&self.link, self.link.mac.unwrap_or_default())
    }

    /// Where the node is.
    pub(super) fn attachment(&self) -> Attachment {
        self.addresses.attachment()
    }

    fn is_care_of(&self, address: Address) -> bool {
        let is_home = self.homes.contains(&address.ip)
            || self.given.as_ref().is_some_and(|(given, _)| *given == address.ip);
        let (ipv6, ipv4) = self.families;
        let fits = if address.ip.to_ipv4_mapped().is_some() { ipv4 } else { ipv6 };
        address.link == self.link.id && fits && !is_home
    }

    /// An interface has this address, or was told of it again.
    pub(super) fn heard(&mut self, address: Address) {
        if !address.is_usable {
            self.gone(address);
        } else if self.is_care_of(address) {
            self.addresses.heard(address.ip);
        }
    }

    /// It has it no more.
    pub(super) fn gone(&mut self, address: Address) {
        if self.is_care_of(address) {
            self.addresses.gone(address.ip);
        }
    }

    /// An interface is there, or changed. Whether it is ours and has come up.
    pub(super) fn link_changed(&mut self, link: Interface) -> bool {
        if link.name != self.link.name {
            return false;
        }
        let before = core::mem::replace(&mut self.link, link);
        if before.running && !self.link.running {
            self.addresses.link_lost();
        }
        !before.running && self.link.running
    }

    /// Sends by this tunnel from now on: what it carries, and of that what leaves by it even where
    /// the kernel has another way. `agent`: another address of the home agent, for its signaling.
    pub(super) fn enter_tunnel(
        &mut self,
        carried: &[Carried],
        steered: &[HomePrefix],
        ends: TunnelEnds,
        agent: Option<Ipv6Addr>,
    ) -> io::Result<()> {
        let mut table = TunnelTable::default();
        for Carried { prefix, path, outer } in carried {
            match outer {
                Some(outer) => table.insert_inside(*prefix, *path, *outer),
                None => table.insert(*prefix, *path, GreKeys::default()),
            }
        }
        *self.tunnel.table.write() = table;
        self.kernel.enter_tunnel(steered, ends, agent)
    }

    /// By none.
    pub(super) fn leave_tunnel(&mut self) -> io::Result<()> {
        *self.tunnel.table.write() = TunnelTable::default();
        self.kernel.leave_tunnel()
    }

    /// Has this home address on the TUN, instead of one that was given before.
    pub(super) fn take_home(&mut self, home: Ipv6Addr) -> io::Result<()> {
        let is_there = self.given.as_ref().is_some_and(|(given, _)| *given == home);
        if is_there || self.homes.contains(&home) {
            return Ok(());
        }
        let mut on_tunnel = Addresses::open(&self.tun_name)?;
        on_tunnel.add(home)?;
        self.given = Some((home, on_tunnel));
        self.kernel.route_home(self.tun, home)
    }

    /// Has this link-local address on the TUN, instead of any before.
    pub(super) fn take_link_local(&mut self, address: Ipv6Addr) -> io::Result<()> {
        if self.link_local.as_ref().is_some_and(|(there, _)| *there == address) {
            return Ok(());
        }
        let mut on_tunnel = Addresses::open(&self.tun_name)?;
        on_tunnel.add(address)?;
        self.link_local = Some((address, on_tunnel));
        Ok(())
    }

    /// Puts the home address on the link.
    pub(super) fn join_home(&mut self, home: Ipv6Addr) -> io::Result<()> {
        let mut on_link = Addresses::open(&self.link.name)?;
        on_link.add(home)?;
        self.on_link = Some(on_link);
        Ok(())
    }

    /// Takes it off.
    pub(super) fn leave_home(&mut self) {
        self.on_link = None;
    }

    /// Counts and tells what the kernel refused.
    pub(super) fn note(&self, what: &str, done: io::Result<()>) {
        if let Err(error) = done {
            self.counters.add(Counter::KernelRefused);
            tracing::error!(%error, what, "the kernel refused");
        }
    }

    /// Counts something by its name.
    pub(super) fn count(&mut self, name: impl Into<String>) {
        *self.audits.entry(name.into()).or_insert(0) += 1;
    }

    /// All that was counted, and is not zero.
    pub(super) fn counted(&self) -> BTreeMap<String, u64> {
        let counted = self.counters.rows().filter(|(_, value)| *value > 0);
        let mut counters = self.audits.clone();
        counters.extend(counted.map(|(name, value)| (name.to_owned(), value)));
        counters
    }
}

fn link_named(name: &str) -> Result<Interface, Failure> {
    let mut kernel = links::Kernel::open("", false).map_err(doing("netlink"))?;
    let found = kernel.interfaces().map_err(doing("interfaces"))?;
    let found = found.into_iter().find(|i| i.name == name);
    found.ok_or_else(|| io::ErrorKind::NotFound.into()).map_err(doing(format!("interface {name}")))
}

/// Brings the TUN up with the node's addresses on it.
fn configure_tunnel(config: &Config, kernel: &mut Kernel) -> Result<(LinkId, Addresses), Failure> {
    let tun = &config.tunnel;
    let id: LinkId = link_named(tun)?.id;
    links::quieten(tun).map_err(doing(format!("TUN {tun}")))?;
    let mut links = links::Kernel::open("", false).map_err(doing("netlink"))?;
    links.set_mtu(id, config.tunnel_mtu).map_err(doing(format!("TUN {tun}")))?;
    let mut on_tunnel = Addresses::open(tun).map_err(doing("home address"))?;
    // The last one of a family stays the source of its route: the first that is configured.
    for home in config.addresses.iter().rev() {
        on_tunnel.add(*home).map_err(doing(format!("home address {home}")))?;
        kernel.route_home(id, *home).map_err(doing("route of the home address"))?;
    }
    Ok((id, on_tunnel))
}
