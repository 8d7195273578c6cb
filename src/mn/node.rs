//! The node's task: what happened goes into the core, what the core decides is done.

use crate::addr::{AnchorAddr, Encap, GreKeys, HomePrefix, MacAddr, ProxyCoa};
use crate::config::mn::Config;
use crate::mag::access::packet;
use crate::mag::auth::Authenticator;
use crate::mag::clock::Clock;
use crate::mag::control::{Call, Server};
use crate::mag::counter::{Counter, Counters, snake};
use crate::mag::failure::{Failure, doing};
use crate::mag::kernel::{self as links, Addresses, Interface};
use crate::mag::socket::RawSocket;
use crate::mag::tunnel::{Receiver, Tunnel, TunnelTable};
use crate::mn::control::{Reply, Request, Shown};
use crate::mn::input::{self, Input};
use crate::mn::kernel::{Address, Kernel};
use crate::mn::signaling;
use crate::mobility::mag::action::Path;
use crate::mobility::mag::event::LinkId;
use crate::mobility::mn::Mn;
use crate::mobility::mn::attachment;
use crate::mobility::mn::event::{Action, AuditKind, Event, TunnelEnds};
use crate::time::Duration;
use crate::wire;
use crate::wire::icmpv6::ndp::{NeighborAdvertisement, RouterSolicitation};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::io;
use std::net::Ipv6Addr;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Inputs that wait for the node's task.
const INPUTS_MAX: usize = 1024;
/// Between two looks at the clock when nothing is due.
const IDLE: Duration = Duration::from_secs(3600);
/// How long the end waits for the de-registration to be acknowledged.
const STOP_TIMEOUT: Duration = Duration::from_millis(2500);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

struct Node {
    config: Config,
    clock: Clock,
    core: Mn,
    addresses: attachment::Addresses,
    kernel: Kernel,
    /// The interface whose addresses are care-of addresses.
    link: Interface,
    auth: Option<Arc<Authenticator>>,
    sender: Arc<RawSocket>,
    tunnel: Arc<Tunnel>,
    /// What the tunnel carries: the home address and the mobile networks.
    inner: Vec<HomePrefix>,
    /// The home address on the TUN, for as long as this lives.
    _on_tunnel: Addresses,
    /// The home address on the link, while the node is at home.
    on_link: Option<Addresses>,
    audits: BTreeMap<String, u64>,
    counters: Arc<Counters>,
}

/// Runs until SIGTERM or SIGINT; what was made is removed before it returns.
pub(super) async fn run(config: Config) -> Result<(), Failure> {
    let (inputs, mut received) = mpsc::channel(INPUTS_MAX);
    let (calls, mut called) = mpsc::channel::<Call<Request, Reply>>(INPUTS_MAX);
    let mut terminate = signal(SignalKind::terminate()).map_err(doing("SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(doing("SIGINT"))?;
    let socket = config.socket.clone();
    let server = Server::bind(&socket).map_err(doing(socket.display().to_string()))?;
    let mut node = Node::start(config, &inputs)?;
    let server = tokio::spawn(server.run(calls, Arc::clone(&node.counters)));
    let tunnel = Arc::clone(&node.tunnel);
    let tunnelling = async { tunnel.uplink().await };
    tokio::pin!(tunnelling);
    tracing::info!(name = node.config.name, "node started");

    let (mut stop_at, mut tunnel_works) = (None, true);
    loop {
        let now = node.clock.now();
        if stop_at.is_some_and(|at| at <= now.mono || node.core.is_stopped()) {
            break;
        }
        let deadline = node.core.poll_timeout().into_iter().chain(stop_at).min();
        let wait = deadline.map_or(IDLE, |at| at.since(now.mono));
        tokio::select! {
            Some(input) = received.recv() => node.take(input),
            Some((Request::Show, answer)) = called.recv() => {
                // A client that went away does not care.
                drop(answer.send(node.shown()));
            }
            () = tokio::time::sleep(wait) => node.timeout(),
            _ = terminate.recv() => stop_at = Some(node.stop()),
            _ = interrupt.recv() => stop_at = Some(node.stop()),
            error = &mut tunnelling, if tunnel_works => {
                tracing::error!(%error, "the TUN failed");
                tunnel_works = false;
                stop_at = Some(node.stop());
            }
        }
    }
    server.abort();
    // Its socket file is gone once the task is.
    drop(server.await);
    node.kernel.clear().map_err(doing("rules and routes"))?;
    tracing::info!(name = node.config.name, "node stopped");
    Ok(())
}

impl Node {
    fn start(config: Config, inputs: &mpsc::Sender<Input>) -> Result<Self, Failure> {
        let clock = Clock::start();
        let counters = Arc::new(Counters::default());
        let mut kernel = Kernel::open().map_err(doing("netlink"))?;
        kernel.clear().map_err(doing("rules and routes of an earlier run"))?;
        kernel.silence().map_err(doing("rule against answers to routing headers"))?;
        let sender = Arc::new(RawSocket::sender().map_err(doing("raw socket"))?);
        let tunnel = Arc::new(open_tunnel(&config, &sender, &counters)?);
        let on_tunnel = configure_tunnel(&config, &mut kernel)?;
        // At whatever address: what is no packet of the present tunnel is dropped, counted.
        for receiver in Receiver::all(ProxyCoa(Ipv6Addr::UNSPECIFIED)).map_err(doing("tunnel"))? {
            let tunnel = Arc::clone(&tunnel);
            tokio::spawn(async move { tunnel.downlink(receiver).await });
        }
        // From now on nothing is missed.
        input::watch(inputs.clone()).map_err(doing("netlink"))?;
        let auth = config.auth.clone().map(|key| Arc::new(Authenticator::new(key, None, clock)));
        signaling::receive(auth.as_ref(), inputs, &counters).map_err(doing("signaling"))?;
        let mut node = Self {
            link: link_named(&config.interface)?,
            core: Mn::new(config.core.clone()),
            addresses: attachment::Addresses::new(config.home_prefix),
            inner: inner(&config),
            config,
            clock,
            kernel,
            auth,
            sender,
            tunnel,
            _on_tunnel: on_tunnel,
            on_link: None,
            audits: BTreeMap::new(),
            counters,
        };
        if node.config.core.router.is_some() {
            links::set_sysctl("ipv6/conf/all/forwarding", "1").map_err(doing("forwarding"))?;
            // A router takes advertisements only if it is told to (accept_ra).
            let key = format!("ipv6/conf/{}/accept_ra", node.config.interface);
            links::set_sysctl(&key, "2").map_err(doing(key))?;
        }
        for address in node.kernel.addresses().map_err(doing("addresses"))? {
            node.heard(address);
        }
        let at = node.addresses.attachment();
        node.handle(Event::Attached(at));
        Ok(node)
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Message(event) => return self.handle(event),
            Input::Address(address) => self.heard(address),
            Input::AddressGone(address) => self.gone(address),
            Input::Link(link) => self.link_changed(link),
        }
        let at = self.addresses.attachment();
        self.handle(Event::Attached(at));
    }

    fn is_care_of(&self, address: Address) -> bool {
        address.link == self.link.id && address.ip != self.config.core.home_address
    }

    fn heard(&mut self, address: Address) {
        if !address.is_usable {
            self.gone(address);
        } else if self.is_care_of(address) {
            self.addresses.heard(address.ip);
        }
    }

    fn gone(&mut self, address: Address) {
        if self.is_care_of(address) {
            self.addresses.gone(address.ip);
        }
    }

    fn link_changed(&mut self, link: Interface) {
        if link.name != self.config.interface {
            return;
        }
        let before = core::mem::replace(&mut self.link, link);
        match (before.running, self.link.running) {
            (true, false) => self.addresses.link_lost(),
            // RFC 6275 11.5.1: who is the router here?
            (false, true) => {
                let sent = self.solicit_router();
                self.note("router solicitation", sent);
            }
            _ => {}
        }
    }

    fn timeout(&mut self) {
        let now = self.clock.now();
        let mut actions = Vec::new();
        self.core.handle_timeout(now, &mut actions);
        self.act(actions);
    }

    fn handle(&mut self, event: Event) {
        let now = self.clock.now();
        let mut actions = Vec::new();
        self.core.handle(event, now, &mut actions);
        self.act(actions);
    }

    /// Ends the binding; returns when to stop waiting for that.
    fn stop(&mut self) -> crate::time::Instant {
        self.handle(Event::Stop);
        self.clock.now().mono + STOP_TIMEOUT
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::SendBu(msg) => {
                    let sent = signaling::send(&self.sender, self.auth.as_deref(), &msg);
                    // The core sends it again.
                    self.count(if sent.is_ok() { "bu_sent" } else { "bu_send_failed" }.into());
                    self.note("binding update", sent);
                }
                Action::Tunnel(ends) => {
                    let done = self.set_tunnel(ends);
                    self.note("tunnel", done);
                }
                Action::JoinHome => {
                    let home = self.config.core.home_address;
                    let joined = Addresses::open(&self.config.interface)
                        .and_then(|mut on_link| on_link.add(home).map(|()| on_link));
                    match joined {
                        Ok(on_link) => self.on_link = Some(on_link),
                        Err(error) => self.note("home address", Err(error)),
                    }
                }
                Action::LeaveHome => self.on_link = None,
                Action::AdvertiseHome => {
                    let sent = self.advertise_home();
                    self.note("neighbour advertisement", sent);
                }
                Action::Audit(kind) => self.audit(kind),
            }
        }
    }

    fn set_tunnel(&mut self, ends: Option<TunnelEnds>) -> io::Result<()> {
        let Some(ends) = ends else {
            let mut table = self.tunnel.table.write();
            for prefix in &self.inner {
                table.remove(*prefix);
            }
            return self.kernel.leave_tunnel();
        };
        let path = Path {
            coa: ProxyCoa(ends.care_of),
            lma: AnchorAddr(ends.home_agent),
            encap: Encap::Ip,
        };
        for prefix in &self.inner {
            self.tunnel.table.write().insert(*prefix, path, GreKeys::default());
        }
        self.kernel.enter_tunnel(&self.inner, ends)
    }

    /// RFC 6275 11.5.5: whose the home address is now.
    fn advertise_home(&self) -> io::Result<()> {
        let home = self.config.core.home_address;
        let message = NeighborAdvertisement {
            target: home,
            router: self.config.core.router.is_some(),
            solicited: false,
            overrides: true,
            target_link_layer: Some(self.mac()),
        };
        let packet = packet(home, ALL_NODES, NeighborAdvertisement::LEN_MAX, |buf| {
            message.emit(home, ALL_NODES, buf)
        });
        self.send_on_link(packet, ALL_NODES)
    }

    /// From the unspecified address: none of ours is known to be right on this link.
    fn solicit_router(&self) -> io::Result<()> {
        let message = RouterSolicitation { source_link_layer: None };
        let src = Ipv6Addr::UNSPECIFIED;
        let len = RouterSolicitation::LEN_MAX - 8;
        let packet = packet(src, ALL_ROUTERS, len, |buf| message.emit(src, ALL_ROUTERS, buf));
        self.send_on_link(packet, ALL_ROUTERS)
    }

    fn send_on_link(&self, packet: wire::Result<Vec<u8>>, dst: Ipv6Addr) -> io::Result<()> {
        self.sender.send(&packet.map_err(io::Error::other)?, dst, self.link.id.0)
    }

    fn mac(&self) -> MacAddr {
        self.link.mac.unwrap_or_default()
    }

    /// Counts and tells what the kernel refused.
    fn note(&self, what: &str, done: io::Result<()>) {
        if let Err(error) = done {
            self.counters.add(Counter::KernelRefused);
            tracing::error!(%error, what, "the kernel refused");
        }
    }

    fn audit(&mut self, kind: AuditKind) {
        self.count(counter_name(kind));
        match kind {
            // What anyone can send us does not fill the log.
            AuditKind::AckIgnored(_)
            | AuditKind::RefreshRequestIgnored
            | AuditKind::BindingErrorIgnored
            | AuditKind::SwitchIgnored => tracing::debug!(?kind, "ignored"),
            kind => tracing::info!(?kind, "binding"),
        }
    }

    fn count(&mut self, name: String) {
        *self.audits.entry(name).or_insert(0) += 1;
    }

    fn shown(&self) -> Reply {
        let counted = self.counters.rows().filter(|(_, value)| *value > 0);
        let mut counters = self.audits.clone();
        counters.extend(counted.map(|(name, value)| (name.to_owned(), value)));
        let binding = self.core.row(self.clock.now());
        Reply::Shown(Shown { name: self.config.name.clone(), binding, counters })
    }
}

/// What the tunnel carries.
fn inner(config: &Config) -> Vec<HomePrefix> {
    let home = HomePrefix::truncating(config.core.home_address, 128).ok();
    let networks = config.core.router.iter().flat_map(|r| r.prefixes.iter().copied());
    home.into_iter().chain(networks).collect()
}

fn link_named(name: &str) -> Result<Interface, Failure> {
    let mut kernel = links::Kernel::open("", false).map_err(doing("netlink"))?;
    let found = kernel.interfaces().map_err(doing("interfaces"))?;
    let found = found.into_iter().find(|i| i.name == name);
    found.ok_or_else(|| io::ErrorKind::NotFound.into()).map_err(doing(format!("interface {name}")))
}

fn open_tunnel(
    config: &Config,
    sender: &Arc<RawSocket>,
    counters: &Arc<Counters>,
) -> Result<Tunnel, Failure> {
    let device = tun_rs::DeviceBuilder::new()
        .name(&config.tunnel)
        // Up only once the kernel is told to keep quiet on it.
        .enable(false)
        .build_async()
        .map_err(doing(format!("TUN {}", config.tunnel)))?;
    Ok(Tunnel {
        device,
        sender: Arc::clone(sender),
        ipv4_sender: None,
        table: RwLock::new(TunnelTable::default()),
        counters: Arc::clone(counters),
    })
}

/// Brings the TUN up with the home address on it.
fn configure_tunnel(config: &Config, kernel: &mut Kernel) -> Result<Addresses, Failure> {
    let tun = &config.tunnel;
    let id: LinkId = link_named(tun)?.id;
    links::quieten(tun).map_err(doing(format!("TUN {tun}")))?;
    let mut links = links::Kernel::open("", false).map_err(doing("netlink"))?;
    links.set_mtu(id, config.tunnel_mtu).map_err(doing(format!("TUN {tun}")))?;
    let mut on_tunnel = Addresses::open(tun).map_err(doing("home address"))?;
    let home = config.core.home_address;
    on_tunnel.add(home).map_err(doing(format!("home address {home}")))?;
    kernel.route_home(id, home).map_err(doing("route of the home address"))?;
    Ok(on_tunnel)
}

/// `registered`, `refused_134`, `ack_ignored_sequence`.
fn counter_name(kind: AuditKind) -> String {
    match kind {
        AuditKind::Refused(status) => format!("refused_{}", status.0),
        AuditKind::AckIgnored(why) => format!("ack_ignored_{}", snake(&format!("{why:?}"))),
        other => snake(&format!("{other:?}")),
    }
}
