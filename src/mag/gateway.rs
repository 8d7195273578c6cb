//! The gateway's task: what happened goes into the core, what the core decides is done.

mod act;
mod dhcp;
mod dhcpv6;
mod ipv4;
mod request;

use crate::addr::MacAddr;
use crate::config::mag::Config;
use crate::mag::access::{self, Seen};
use crate::mag::auth::Authenticator;
use crate::mag::clock::Clock;
use crate::mag::control::{Call, Reply, Request, Server};
use crate::mag::counter::{Counter, Counters};
use crate::mag::failure::{Failure, doing};
use crate::mag::input::{self, Input};
use crate::mag::kernel::{self, Interface, Kernel};
use crate::mag::signaling::Signaling;
use crate::mag::socket::RawSocket;
use crate::mag::state::State;
use crate::mag::tunnel::{Receiver, Tunnel, TunnelTable};
use crate::mobility::mag::action::{Ipv4Lease, Path};
use crate::mobility::mag::event::{Event, Link, LinkId};
use crate::mobility::mag::{Mag, MagConfig};
use crate::time::Duration;
use parking_lot::RwLock;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv6Addr;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Inputs that wait for the gateway's task.
const INPUTS_MAX: usize = 1024;
/// Of the tunnel until one is there (RFC 2473 6.7).
const OUTER_HEADER_LEN: u16 = 40;
/// How often the kernel is asked for the path MTU of every tunnel (RFC 5213 6.9.5).
const PATH_MTU_INTERVAL: Duration = Duration::from_secs(10);
/// How long the end waits for de-registrations to be acknowledged: a little over
/// `INITIAL_BINDACK_TIMEOUT`, after which the core gives up by itself.
const STOP_TIMEOUT: Duration = Duration::from_millis(1500);

/// An access link that is there.
struct AccessLink {
    interface: Interface,
    /// Ours.
    mac: MacAddr,
    /// Our address there, while a binding wants one.
    link_local: Option<Ipv6Addr>,
    /// The node's IPv4 home address, while a binding has one.
    lease: Option<Ipv4Lease>,
    /// Where DHCP replies leave.
    dhcp: dhcp::Ports,
    /// They receive neighbour discovery and DHCP.
    tasks: Vec<JoinHandle<()>>,
}

impl AccessLink {
    fn stop(&self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

struct Gateway {
    config: Config,
    clock: Clock,
    core: Mag,
    kernel: Kernel,
    links: BTreeMap<LinkId, AccessLink>,
    signaling: Signaling,
    sender: Arc<RawSocket>,
    /// From where DHCP servers are asked.
    relays: dhcp::Ports,
    tunnel: Arc<Tunnel>,
    tunnel_link: LinkId,
    tunnel_mtus: BTreeMap<Path, u16>,
    state: State,
    audits: BTreeMap<String, u64>,
    counters: Arc<Counters>,
    inputs: mpsc::Sender<Input>,
}

/// Runs until SIGTERM or SIGINT; what was made is removed before it returns.
pub(super) async fn run(config: Config) -> Result<(), Failure> {
    let (inputs, mut received) = mpsc::channel(INPUTS_MAX);
    let (calls, mut called) = mpsc::channel::<Call<Request, Reply>>(INPUTS_MAX);
    let mut terminate = signal(SignalKind::terminate()).map_err(doing("SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(doing("SIGINT"))?;
    let socket = config.socket.clone();
    let server = Server::bind(&socket).map_err(doing(socket.display().to_string()))?;

    let mut gateway = Gateway::start(config, inputs.clone())?;
    let server = tokio::spawn(server.run(calls, Arc::clone(&gateway.counters)));
    let mut path_mtu = tokio::time::interval(PATH_MTU_INTERVAL);
    let tunnel = Arc::clone(&gateway.tunnel);
    let tunnelling = async { tunnel.uplink().await };
    tokio::pin!(tunnelling);
    tracing::info!(name = gateway.config.name, "gateway started");

    let (mut stop_at, mut tunnel_works) = (None, true);
    loop {
        let now = gateway.clock.now();
        if stop_at.is_some_and(|at| at <= now.mono || gateway.core.links().next().is_none()) {
            break;
        }
        let deadline = gateway.core.poll_timeout().into_iter().chain(stop_at).min();
        let wait = deadline.map_or(PATH_MTU_INTERVAL, |at| at.since(now.mono));
        tokio::select! {
            Some(input) = received.recv() => gateway.take(input),
            Some((request, answer)) = called.recv() => {
                // A client that went away does not care.
                drop(answer.send(gateway.answer(request)));
            }
            () = tokio::time::sleep(wait) => gateway.timeout(),
            _ = path_mtu.tick() => gateway.look_up_path_mtu(),
            _ = terminate.recv() => stop_at = Some(gateway.stop()),
            _ = interrupt.recv() => stop_at = Some(gateway.stop()),
            error = &mut tunnelling, if tunnel_works => {
                tracing::error!(%error, "the TUN failed");
                tunnel_works = false;
                stop_at = Some(gateway.stop());
            }
        }
    }
    server.abort();
    // Its socket file is gone once the task is.
    drop(server.await);
    gateway.finish()
}

impl Gateway {
    fn start(config: Config, inputs: mpsc::Sender<Input>) -> Result<Self, Failure> {
        let state_file = config.state_file.display().to_string();
        let (state, lost) = State::open(&config.state_file).map_err(doing(state_file))?;
        let tun = config.tunnel.interface.clone();
        let mut kernel =
            Kernel::open(&tun, config.tunnel.local_routing).map_err(doing("netlink"))?;
        kernel.clear().map_err(doing("routes and rules of an earlier run"))?;
        kernel::forward_packets().map_err(doing("net.*.conf.all"))?;
        let device = tun_rs::DeviceBuilder::new()
            .name(&tun)
            // Up only once the kernel is told to keep quiet on it.
            .enable(false)
            .build_async()
            .map_err(doing(format!("TUN {tun}")))?;
        let tunnel_link = kernel
            .interfaces()
            .map_err(doing("interfaces"))?
            .into_iter()
            .find(|i| i.name == tun)
            .ok_or(io::ErrorKind::NotFound.into())
            .map_err(doing(format!("TUN {tun}")))?
            .id;
        kernel::quieten(&tun).map_err(doing(format!("TUN {tun}")))?;
        let tunnel_mtu = config.core.path_mtu.saturating_sub(OUTER_HEADER_LEN);
        kernel.set_mtu(tunnel_link, tunnel_mtu).map_err(doing(format!("TUN {tun}")))?;
        kernel.set_up_tunnel(tunnel_link).map_err(doing("routes and rules"))?;

        let clock = Clock::start();
        let auth = config.auth.clone();
        let auth = auth.map(|key| Authenticator::new(key, config.core.user_plane, clock));
        let signaling = Signaling::open(&config.core, auth);
        let signaling = signaling.map_err(doing("signaling's sockets"))?;
        let sender = Arc::new(RawSocket::sender().map_err(doing("raw socket"))?);
        let counters = Arc::new(Counters::default());
        let ipv4 = config.core.ipv4_proxy_coa.is_some();
        let ipv4_sender = ipv4.then(RawSocket::ipv4_sender).transpose();
        let tunnel = Arc::new(Tunnel {
            device,
            sender: Arc::clone(&sender),
            ipv4_sender: ipv4_sender.map_err(doing("raw socket"))?.map(Arc::new),
            table: RwLock::new(TunnelTable::default()),
            counters: Arc::clone(&counters),
        });
        receive_from_anchors(&config.core, &tunnel).map_err(doing("the tunnels' sockets"))?;
        signaling.receive(&inputs, &counters);
        let relays = dhcp::Ports::to_servers(&config, &inputs, &counters);
        let relays = relays.map_err(doing("DHCP relay's sockets"))?;
        input::watch_links(inputs.clone()).map_err(doing("netlink"))?;
        let mut gateway = Self {
            core: Mag::new(config.core.clone()),
            config,
            clock,
            kernel,
            links: BTreeMap::new(),
            signaling,
            sender,
            relays,
            tunnel,
            tunnel_link,
            tunnel_mtus: BTreeMap::new(),
            state,
            audits: BTreeMap::new(),
            counters,
            inputs,
        };
        for interface in gateway.kernel.interfaces().map_err(doing("interfaces"))? {
            if gateway.is_access(&interface) {
                let name = interface.name.clone();
                gateway.open_link(interface).map_err(doing(name))?;
            }
        }
        let restart_counter = gateway.state.restart_counter();
        gateway.handle(Event::Started { restart_counter, lost });
        Ok(gateway)
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Pba(msg) => self.handle(Event::Pba(msg)),
            Input::Peer(msg) => self.handle(Event::Peer(msg)),
            Input::Dhcp { link, request } => self.dhcp(link, &request),
            Input::DhcpServer(answer) => self.dhcp_answered(&answer),
            Input::Dhcpv6 { link, node, to_multicast, message } => {
                self.dhcpv6(link, node, to_multicast, &message);
            }
            Input::Dhcpv6Server(message) => self.dhcpv6_answered(&message),
            Input::Solicited { link, mac, link_local } => {
                let Some(there) = self.links.get(&link) else { return };
                let name = there.interface.name.clone();
                let seen = Seen { interface: &name, mac, link_local, ..Seen::default() };
                if !self.attach(link, seen) {
                    self.counters.add(Counter::NodeUnknown);
                    tracing::debug!(interface = name, ?mac, "node is not configured");
                }
            }
            Input::Advertised { link, target } => {
                // The answer to our probe, if it speaks of the node that we serve there.
                self.handle(Event::Present { link, node_link_local: Some(target) });
            }
            Input::Link(interface) => self.link_changed(interface),
            Input::LinkGone(link) => self.close_link(link),
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

    fn attach(&mut self, link: LinkId, seen: Seen<'_>) -> bool {
        let Some(there) = self.links.get(&link) else { return false };
        let link = Link {
            id: link,
            mtu: u16::try_from(there.interface.mtu).unwrap_or(u16::MAX),
            link_local: access::eui64_link_local(there.mac),
        };
        match access::attachment(&self.config, seen, link) {
            Some(attachment) => {
                self.handle(Event::Attach(Box::new(attachment)));
                true
            }
            None => false,
        }
    }

    fn is_access(&self, interface: &Interface) -> bool {
        self.config.access.iter().any(|a| a.interface == interface.name)
    }

    fn link_changed(&mut self, interface: Interface) {
        if !self.is_access(&interface) {
            return;
        }
        let id = interface.id;
        if let Some(known) = self.links.get_mut(&id) {
            let lost = known.interface.running && !interface.running;
            known.interface = interface;
            if lost {
                // RFC 5213 6.13: a link-layer event.
                self.handle(Event::Detach { link: id, terminate: false });
            }
            return;
        }
        let name = interface.name.clone();
        if let Err(error) = self.open_link(interface) {
            tracing::error!(%error, interface = name, "access link");
        }
    }

    /// Takes an access link into use: ours alone are its addresses and what is forwarded from it.
    fn open_link(&mut self, mut interface: Interface) -> io::Result<()> {
        let configured = self.config.access.iter().find(|a| a.interface == interface.name);
        let mac = configured.and_then(|a| a.mac).or(interface.mac).unwrap_or_default();
        self.kernel.guard_link(&interface.name)?;
        kernel::quieten(&interface.name)?;
        if interface.mac != Some(mac) {
            self.kernel.set_mac(interface.id, mac)?;
            interface.mac = Some(mac);
        }
        for address in self.kernel.link_locals(interface.id)? {
            self.kernel.del_link_local(interface.id, address)?;
        }
        let (id, inputs, counters) = (interface.id, &self.inputs, &self.counters);
        let socket = RawSocket::icmpv6(id.0)?;
        let discovery = input::neighbor_discovery(socket, id, inputs.clone(), Arc::clone(counters));
        let mut tasks = vec![tokio::spawn(discovery)];
        let dhcp = dhcp::Ports::of_link(&self.config, &interface, inputs, counters, &mut tasks)?;
        tracing::info!(interface = interface.name, %mac, "access link");
        let link = AccessLink { interface, mac, link_local: None, lease: None, dhcp, tasks };
        self.links.insert(id, link);
        Ok(())
    }

    fn close_link(&mut self, link: LinkId) {
        if self.links.contains_key(&link) {
            self.handle(Event::Detach { link, terminate: false });
            if let Some(gone) = self.links.remove(&link) {
                gone.stop();
            }
        }
    }

    /// Ends every session; returns when to stop waiting for that.
    fn stop(&mut self) -> crate::time::Instant {
        let links: Vec<LinkId> = self.core.links().collect();
        for link in links {
            self.handle(Event::Detach { link, terminate: true });
        }
        self.clock.now().mono + STOP_TIMEOUT
    }

    fn finish(mut self) -> Result<(), Failure> {
        for link in self.links.values() {
            link.stop();
        }
        self.kernel.clear().map_err(doing("routes and rules"))?;
        tracing::info!(name = self.config.name, "gateway stopped");
        Ok(())
    }
}

/// Opens the sockets of every tunnel to our addresses.
fn receive_from_anchors(config: &MagConfig, tunnel: &Arc<Tunnel>) -> io::Result<()> {
    let coas = [Some(config.proxy_coa), config.ipv4_proxy_coa, config.user_plane];
    let coas: BTreeSet<_> = coas.into_iter().flatten().collect();
    for coa in coas {
        for receiver in Receiver::all(coa)? {
            let tunnel = Arc::clone(tunnel);
            tokio::spawn(async move { tunnel.downlink(receiver).await });
        }
    }
    Ok(())
}
