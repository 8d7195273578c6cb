//! The gateway's task: what happened goes into the core, what the core decides is done.

use crate::addr::{AnchorAddr, MacAddr};
use crate::config::mag::Config;
use crate::mag::access::{self, Seen};
use crate::mag::clock::Clock;
use crate::mag::control::{Call, Reply, Request, Server, Shown, ShownBinding};
use crate::mag::counter::{Counter, Counters};
use crate::mag::input::{self, Input};
use crate::mag::kernel::{Interface, Kernel};
use crate::mag::socket::RawSocket;
use crate::mag::tunnel::{Tunnel, TunnelTable};
use crate::mobility::mag::Mag;
use crate::mobility::mag::action::{Action, Advert, Audit, AuditKind, Route};
use crate::mobility::mag::event::{Event, Link, LinkId};
use crate::mobility::message::UpdateMsg;
use crate::time::Duration;
use crate::wire::mh::{MAX_LEN, MessageData};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::io;
use std::net::Ipv6Addr;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Inputs that wait for the gateway's task.
const INPUTS_MAX: usize = 1024;
/// Of the tunnel (RFC 2473 6.7).
const OUTER_HEADER_LEN: u16 = 40;
/// How often the kernel is asked for the path MTU of every tunnel (RFC 5213 6.9.5).
const PATH_MTU_INTERVAL: Duration = Duration::from_secs(10);
/// How long the end waits for de-registrations to be acknowledged: a little over
/// `INITIAL_BINDACK_TIMEOUT`, after which the core gives up by itself.
const STOP_TIMEOUT: Duration = Duration::from_millis(1500);

/// Why the gateway could not start, or had to end.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub(super) struct GatewayError {
    what: String,
    source: io::Error,
}

/// Adds what was being done to an error.
fn doing(what: impl Into<String>) -> impl FnOnce(io::Error) -> GatewayError {
    let what = what.into();
    move |source| GatewayError { what, source }
}

/// An access link that is there.
struct AccessLink {
    interface: Interface,
    /// Ours.
    mac: MacAddr,
    /// Our address there, while a binding wants one.
    link_local: Option<Ipv6Addr>,
    /// Receives neighbour discovery.
    task: JoinHandle<()>,
}

struct Gateway {
    config: Config,
    clock: Clock,
    core: Mag,
    kernel: Kernel,
    links: BTreeMap<LinkId, AccessLink>,
    signaling: Arc<RawSocket>,
    sender: Arc<RawSocket>,
    tunnel: Arc<Tunnel>,
    tunnel_link: LinkId,
    tunnel_mtus: BTreeMap<AnchorAddr, u16>,
    audits: BTreeMap<String, u64>,
    counters: Arc<Counters>,
    inputs: mpsc::Sender<Input>,
}

/// Runs until SIGTERM or SIGINT; what was made is removed before it returns.
pub(super) async fn run(config: Config) -> Result<(), GatewayError> {
    let (inputs, mut received) = mpsc::channel(INPUTS_MAX);
    let (calls, mut called) = mpsc::channel::<Call>(INPUTS_MAX);
    let mut terminate = signal(SignalKind::terminate()).map_err(doing("SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(doing("SIGINT"))?;
    let socket = config.socket.clone();
    let server = Server::bind(&socket).map_err(doing(socket.display().to_string()))?;

    let mut gateway = Gateway::start(config, inputs.clone())?;
    let server = tokio::spawn(server.run(calls));
    let mut path_mtu = tokio::time::interval(PATH_MTU_INTERVAL);
    let tunnel = Arc::clone(&gateway.tunnel);
    let tunnelling = async { tokio::join!(tunnel.uplink(), tunnel.downlink()) };
    tokio::pin!(tunnelling);
    tracing::info!(name = gateway.config.name, "gateway started");

    let mut stop_at = None;
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
            _ = &mut tunnelling => {
                tracing::error!("the tunnel's sockets failed");
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
    fn start(config: Config, inputs: mpsc::Sender<Input>) -> Result<Self, GatewayError> {
        let coa = config.core.proxy_coa;
        let tun = config.tunnel.interface.clone();
        let mut kernel =
            Kernel::open(&tun, config.tunnel.local_routing).map_err(doing("netlink"))?;
        kernel.clear().map_err(doing("routes and rules of an earlier run"))?;
        kernel.forward_packets().map_err(doing("net.ipv6.conf.all.forwarding"))?;
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
        kernel.quieten(&tun).map_err(doing(format!("TUN {tun}")))?;
        let tunnel_mtu = config.core.path_mtu.saturating_sub(OUTER_HEADER_LEN);
        kernel.set_mtu(tunnel_link, tunnel_mtu).map_err(doing(format!("TUN {tun}")))?;
        kernel.set_up_tunnel(tunnel_link).map_err(doing("routes and rules"))?;

        let at_coa = |e| doing(format!("raw socket at {coa}"))(e);
        let signaling = Arc::new(RawSocket::mobility(coa.0).map_err(at_coa)?);
        let sender = Arc::new(RawSocket::sender().map_err(doing("raw socket"))?);
        let counters = Arc::new(Counters::default());
        let tunnel = Tunnel {
            device,
            socket: RawSocket::tunnel(coa.0).map_err(at_coa)?,
            sender: Arc::clone(&sender),
            table: RwLock::new(TunnelTable::default()),
            counters: Arc::clone(&counters),
            proxy_coa: coa,
        };
        tokio::spawn(input::signaling(
            Arc::clone(&signaling),
            inputs.clone(),
            Arc::clone(&counters),
        ));
        input::watch_links(inputs.clone()).map_err(doing("netlink"))?;
        let mut gateway = Self {
            core: Mag::new(config.core.clone()),
            config,
            clock: Clock::start(),
            kernel,
            links: BTreeMap::new(),
            signaling,
            sender,
            tunnel: Arc::new(tunnel),
            tunnel_link,
            tunnel_mtus: BTreeMap::new(),
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
        Ok(gateway)
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Pba(msg) => self.handle(Event::Pba(msg)),
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

    fn answer(&mut self, request: Request) -> Reply {
        let link_of = |name: &str| {
            let found = self.links.values().find(|l| l.interface.name == name);
            found.map(|l| l.interface.id).ok_or(Reply::Error(format!(
                "{name} is not an access link; there are: {}",
                self.links
                    .values()
                    .map(|l| l.interface.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            )))
        };
        let event = match request {
            Request::Attach { interface, mn_id, handoff } => {
                let link = match link_of(&interface) {
                    Ok(link) => link,
                    Err(e) => return e,
                };
                let mn_id = mn_id.as_deref();
                let seen = Seen { interface: &interface, mn_id, handoff, ..Seen::default() };
                return if self.attach(link, seen) {
                    Reply::Done
                } else {
                    Reply::Error("no [[mobile_node]] of the configuration fits".into())
                };
            }
            Request::Detach { interface, terminate } => {
                link_of(&interface).map(|link| Event::Detach { link, terminate })
            }
            Request::Retry { interface } => link_of(&interface).map(Event::Retry),
            Request::Show => return Reply::Shown(self.show()),
        };
        match event {
            Ok(event) => {
                self.handle(event);
                Reply::Done
            }
            Err(e) => e,
        }
    }

    fn show(&self) -> Shown {
        let name = |link| self.links.get(&link).map(|l| l.interface.name.clone());
        let bindings = self.core.bindings(self.clock.now()).map(|binding| ShownBinding {
            interface: name(binding.link).unwrap_or_default(),
            binding,
        });
        let counters = self.counters.rows().map(|(name, value)| (name.to_owned(), value));
        Shown {
            name: self.config.name.clone(),
            bindings: bindings.collect(),
            counters: counters.chain(self.audits.clone()).collect(),
        }
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::SendPbu(msg) => self.send_pbu(&msg),
                Action::AddTunnel { lma, tunnel_mtu } | Action::TunnelMtu { lma, tunnel_mtu } => {
                    self.tunnel_mtus.insert(lma, tunnel_mtu);
                    self.set_tunnel_mtu();
                }
                Action::RemoveTunnel { lma } => {
                    self.tunnel_mtus.remove(&lma);
                    self.set_tunnel_mtu();
                }
                Action::ConfigureLink { link, link_local } => {
                    if let Some(l) = self.links.get_mut(&link) {
                        l.link_local = Some(link_local);
                    }
                    let done = self.kernel.add_link_local(link, link_local);
                    self.note("link-local address", done);
                }
                Action::UnconfigureLink { link, link_local } => {
                    if let Some(l) = self.links.get_mut(&link) {
                        l.link_local = None;
                    }
                    let done = self.kernel.del_link_local(link, link_local);
                    self.note("link-local address", done);
                }
                Action::Install(route) => self.install(route),
                Action::Remove(route) => self.remove(route),
                Action::Advertise(advert) => self.advertise(&advert),
                Action::Probe { link, node_link_local } => self.probe(link, node_link_local),
                Action::Audit(audit) => self.audit(&audit),
            }
        }
    }

    fn send_pbu(&self, msg: &UpdateMsg) {
        let mut buf = [0; MAX_LEN];
        let sent = msg
            .update
            .emit(msg.options.options(), msg.src, msg.dst, &mut buf)
            .map_err(io::Error::other)
            .and_then(|len| self.signaling.send(buf.get(..len).unwrap_or_default(), msg.dst, 0));
        if let Err(error) = sent {
            // The core sends it again.
            self.counters.add(Counter::PbuSendFailed);
            tracing::warn!(%error, lma_address = %msg.dst, "PBU not sent");
        }
    }

    fn set_tunnel_mtu(&mut self) {
        // One TUN for all tunnels: the smallest.
        if let Some(&mtu) = self.tunnel_mtus.values().min() {
            let done = self.kernel.set_mtu(self.tunnel_link, mtu);
            self.note("tunnel MTU", done);
        }
    }

    fn install(&mut self, route: Route) {
        self.tunnel.table.write().insert(route.prefix, route.lma);
        if let Some(link) = self.links.get(&route.link) {
            let done = self.kernel.install(route.prefix, &link.interface);
            self.note("route", done);
        }
    }

    fn remove(&mut self, route: Route) {
        self.tunnel.table.write().remove(route.prefix);
        if let Some(link) = self.links.get(&route.link) {
            let done = self.kernel.remove(route.prefix, &link.interface);
            self.note("route", done);
        }
    }

    fn advertise(&self, advert: &Advert) {
        let Some(link) = self.links.get(&advert.link) else { return };
        let sent = access::advertisement(advert, link.mac)
            .map_err(io::Error::other)
            .and_then(|(packet, dst)| self.sender.send(&packet, dst, advert.link.0));
        self.note_nd(sent);
    }

    fn probe(&mut self, link: LinkId, node_link_local: Option<Ipv6Addr>) {
        let Some(there) = self.links.get(&link) else { return };
        match (node_link_local, there.link_local) {
            (Some(node), Some(ours)) => {
                let sent = access::probe(ours, node, there.mac)
                    .map_err(io::Error::other)
                    .and_then(|packet| self.sender.send(&packet, node, link.0));
                self.note_nd(sent);
            }
            // Nothing was heard from it: the link's own state is all that there is to go by.
            _ if there.interface.running => {
                self.handle(Event::Present { link, node_link_local: None });
            }
            _ => {}
        }
    }

    fn note_nd(&self, sent: io::Result<()>) {
        if let Err(error) = sent {
            self.counters.add(Counter::NdSendFailed);
            tracing::warn!(%error, "neighbour discovery message not sent");
        }
    }

    /// Counts and tells what the kernel refused.
    fn note(&self, what: &str, done: io::Result<()>) {
        if let Err(error) = done {
            self.counters.add(Counter::KernelRefused);
            tracing::error!(%error, what, "the kernel refused");
        }
    }

    fn audit(&mut self, audit: &Audit) {
        *self.audits.entry(counter_name(audit.kind)).or_insert(0) += 1;
        let link = audit.link.and_then(|l| self.links.get(&l));
        let interface = link.map(|l| l.interface.name.as_str());
        let mn_id = audit.mn_id.as_ref().map(ToString::to_string);
        match audit.kind {
            // What anyone can send us does not fill the log.
            AuditKind::PbaIgnored(_) | AuditKind::LinkOccupied => {
                tracing::debug!(mn_id, interface, kind = ?audit.kind, "ignored");
            }
            kind => tracing::info!(mn_id, interface, ?kind, "binding"),
        }
    }

    fn look_up_path_mtu(&mut self) {
        let lmas: Vec<AnchorAddr> = self.tunnel_mtus.keys().copied().collect();
        for lma in lmas {
            match self.kernel.path_mtu(lma.0) {
                Ok(Some(mtu)) => {
                    let known = u16::try_from(mtu).unwrap_or(u16::MAX);
                    // The configured value is the administrator's bound (RFC 5213 6.9.5).
                    let mtu = known.min(self.config.core.path_mtu);
                    self.handle(Event::PathMtu { lma, mtu });
                }
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, lma_address = %lma, "path MTU"),
            }
        }
    }

    fn is_access(&self, interface: &Interface) -> bool {
        self.config.access.iter().any(|a| a.interface == interface.name)
    }

    fn link_changed(&mut self, interface: Interface) {
        if !self.is_access(&interface) {
            return;
        }
        match self.links.get_mut(&interface.id) {
            Some(known) => {
                let lost = known.interface.running && !interface.running;
                let id = interface.id;
                known.interface = interface;
                if lost {
                    // RFC 5213 6.13: a link-layer event.
                    self.handle(Event::Detach { link: id, terminate: false });
                }
            }
            None => {
                let name = interface.name.clone();
                if let Err(error) = self.open_link(interface) {
                    tracing::error!(%error, interface = name, "access link");
                }
            }
        }
    }

    /// Takes an access link into use: ours alone are its addresses and what is forwarded from it.
    fn open_link(&mut self, mut interface: Interface) -> io::Result<()> {
        let configured = self.config.access.iter().find(|a| a.interface == interface.name);
        let mac = configured.and_then(|a| a.mac).or(interface.mac).unwrap_or_default();
        self.kernel.guard_link(&interface.name)?;
        self.kernel.quieten(&interface.name)?;
        if interface.mac != Some(mac) {
            self.kernel.set_mac(interface.id, mac)?;
            interface.mac = Some(mac);
        }
        for address in self.kernel.link_locals(interface.id)? {
            self.kernel.del_link_local(interface.id, address)?;
        }
        let socket = RawSocket::icmpv6(interface.id.0)?;
        let task = tokio::spawn(input::neighbor_discovery(
            socket,
            interface.id,
            self.inputs.clone(),
            Arc::clone(&self.counters),
        ));
        tracing::info!(interface = interface.name, %mac, "access link");
        let id = interface.id;
        self.links.insert(id, AccessLink { interface, mac, link_local: None, task });
        Ok(())
    }

    fn close_link(&mut self, link: LinkId) {
        if self.links.contains_key(&link) {
            self.handle(Event::Detach { link, terminate: false });
            if let Some(gone) = self.links.remove(&link) {
                gone.task.abort();
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

    fn finish(mut self) -> Result<(), GatewayError> {
        for link in self.links.values() {
            link.task.abort();
        }
        self.kernel.clear().map_err(doing("routes and rules"))?;
        tracing::info!(name = self.config.name, "gateway stopped");
        Ok(())
    }
}

/// `refused_153`, `pba_ignored_no_match`, `registered`.
fn counter_name(kind: AuditKind) -> String {
    match kind {
        AuditKind::Refused(status) => format!("refused_{status}"),
        AuditKind::PbaIgnored(why) => format!("pba_ignored_{}", snake(&format!("{why:?}"))),
        other => snake(&format!("{other:?}")),
    }
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
