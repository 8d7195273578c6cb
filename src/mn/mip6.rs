//! A node of Mobile IPv6 on its host.

use crate::addr::{AnchorAddr, HomePrefix, ProxyCoa};
use crate::mag::access::packet;
use crate::mag::auth::Authenticator;
use crate::mag::counter::snake;
use crate::mag::failure::{Failure, doing};
use crate::mag::kernel as links;
use crate::mag::tunnel::Receiver;
use crate::mn::host::{Carried, Host};
use crate::mn::input::{self, Input};
use crate::mn::node::Protocol;
use crate::mn::{dsmip, signaling};
use crate::mobility::auth::AuthKey;
use crate::mobility::mag::action::Path;
use crate::mobility::mn::event::{Action, AuditKind, Event, Tunnel};
use crate::mobility::mn::row::BindingRow;
use crate::mobility::mn::{Mn, MnConfig};
use crate::time::{Instant, Now};
use crate::wire;
use crate::wire::icmpv6::ndp::{NeighborAdvertisement, RouterSolicitation};
use std::io;
use std::net::Ipv6Addr;
use std::sync::Arc;
use tokio::sync::mpsc;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// The node.
pub(super) struct Mip6 {
    core: Mn,
    home: Ipv6Addr,
    is_router: bool,
    auth: Option<Arc<Authenticator>>,
    /// The home agent's addresses of IPv6 and IPv4, if it has both (RFC 5555).
    agent: [Option<Ipv6Addr>; 2],
    /// What the tunnel carries: the home address and the mobile networks.
    inner: Vec<HomePrefix>,
}

impl Mip6 {
    /// Takes messages and tunnel packets from now on.
    pub(super) fn start(
        config: MnConfig,
        auth: Option<AuthKey>,
        host: &mut Host,
        inputs: &mpsc::Sender<Input>,
    ) -> Result<Self, Failure> {
        host.kernel.silence().map_err(doing("rule against answers to routing headers"))?;
        host.receive(Receiver::all(ProxyCoa(Ipv6Addr::UNSPECIFIED)))?;
        let auth = auth.map(|key| Arc::new(Authenticator::new(key, None, host.clock)));
        signaling::receive(auth.as_ref(), inputs, &host.counters).map_err(doing("signaling"))?;
        if config.home_agent_ipv4.is_some() {
            let socket = dsmip::socket().map_err(doing("port 4191"))?;
            let (tunnel, counters) = (Arc::clone(&host.tunnel), Arc::clone(&host.counters));
            let (auth, inputs) = (auth.clone(), inputs.clone());
            tokio::spawn(dsmip::receive(socket, tunnel, auth, inputs, counters));
        }
        if config.router.is_some() {
            links::set_sysctl("ipv6/conf/all/forwarding", "1").map_err(doing("forwarding"))?;
            // A router takes advertisements only if it is told to (accept_ra).
            let key = format!("ipv6/conf/{}/accept_ra", host.link().0.name);
            links::set_sysctl(&key, "2").map_err(doing(key))?;
        }
        Ok(Self {
            home: config.home_address,
            is_router: config.router.is_some(),
            auth,
            agent: match (config.home_agent_ipv4, config.home_agents.first()) {
                (Some(ipv4), Some(ipv6)) => [Some(*ipv6), Some(ipv4.to_ipv6_mapped())],
                _ => [None, None],
            },
            inner: inner(&config),
            core: Mn::new(config),
        })
    }

    fn act(&mut self, actions: Vec<Action>, host: &mut Host) {
        for action in actions {
            match action {
                Action::SendBu(msg) => {
                    let in_ipv4 = msg.dst.to_ipv4_mapped().is_some();
                    let sender = if in_ipv4 { &host.ipv4_sender } else { &host.sender };
                    let sent = signaling::send(sender, self.auth.as_deref(), &msg);
                    // The core sends it again.
                    host.count(if sent.is_ok() { "bu_sent" } else { "bu_send_failed" });
                    host.note("binding update", sent);
                }
                Action::SolicitPrefixes(question) => {
                    let sent = signaling::solicit(&host.sender, &question);
                    host.count("prefix_solicitation_sent");
                    host.note("prefix solicitation", sent);
                }
                Action::Tunnel(tunnel) => {
                    let done = self.set_tunnel(tunnel, host);
                    host.note("tunnel", done);
                }
                Action::JoinHome => {
                    let joined = host.join_home(self.home);
                    host.note("home address", joined);
                }
                Action::LeaveHome => host.leave_home(),
                Action::AdvertiseHome => {
                    let sent = self.advertise_home(host);
                    host.note("neighbour advertisement", sent);
                }
                Action::Audit(kind) => audit(kind, host),
            }
        }
    }

    fn set_tunnel(&self, tunnel: Option<Tunnel>, host: &mut Host) -> io::Result<()> {
        let Some(Tunnel { ends, encap, ipv4_home }) = tunnel else { return host.leave_tunnel() };
        let path = Path { coa: ProxyCoa(ends.care_of), lma: AnchorAddr(ends.home_agent), encap };
        let mut inner = self.inner.clone();
        if let Some(home) = ipv4_home {
            host.take_home(home.to_ipv6_mapped())?;
            inner.extend(HomePrefix::from_ipv4(home, 32));
        }
        let carried = |prefix: &HomePrefix| Carried { prefix: *prefix, path, outer: None };
        let carried: Vec<_> = inner.iter().map(carried).collect();
        // By the other family it is told where the node goes next.
        let [ipv6, ipv4] = self.agent;
        let other = if ends.home_agent.to_ipv4_mapped().is_some() { ipv6 } else { ipv4 };
        host.enter_tunnel(&carried, &inner, ends, other)
    }

    /// RFC 6275 11.5.5: whose the home address is now.
    fn advertise_home(&self, host: &Host) -> io::Result<()> {
        let message = NeighborAdvertisement {
            target: self.home,
            router: self.is_router,
            solicited: false,
            overrides: true,
            target_link_layer: Some(host.link().1),
        };
        let packet = packet(self.home, ALL_NODES, NeighborAdvertisement::LEN_MAX, |buf| {
            message.emit(self.home, ALL_NODES, buf)
        });
        send_on_link(host, packet, ALL_NODES)
    }
}

impl Protocol for Mip6 {
    fn handle(&mut self, event: input::Event, host: &mut Host) {
        let event = match event {
            input::Event::Attached(at) => Event::Attached(at),
            input::Event::Stop => Event::Stop,
            input::Event::Mip6(event) => event,
            input::Event::Mip4(_) => return,
        };
        let (now, mut actions) = (host.clock.now(), Vec::new());
        self.core.handle(event, now, &mut actions);
        self.act(actions, host);
    }

    fn timeout(&mut self, host: &mut Host) {
        let (now, mut actions) = (host.clock.now(), Vec::new());
        self.core.handle_timeout(now, &mut actions);
        self.act(actions, host);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.core.poll_timeout()
    }

    fn is_stopped(&self) -> bool {
        self.core.is_stopped()
    }

    fn row(&self, now: Now) -> BindingRow {
        self.core.row(now)
    }

    /// RFC 6275 11.5.1: who is the router here? From the unspecified address: none of ours is known
    /// to be right on this link.
    fn link_came_up(&self, host: &Host) -> io::Result<()> {
        let message = RouterSolicitation { source_link_layer: None };
        let src = Ipv6Addr::UNSPECIFIED;
        let len = RouterSolicitation::LEN_MAX - 8;
        let packet = packet(src, ALL_ROUTERS, len, |buf| message.emit(src, ALL_ROUTERS, buf));
        send_on_link(host, packet, ALL_ROUTERS)
    }
}

fn send_on_link(host: &Host, packet: wire::Result<Vec<u8>>, dst: Ipv6Addr) -> io::Result<()> {
    host.sender.send(&packet.map_err(io::Error::other)?, dst, host.link().0.id.0)
}

fn audit(kind: AuditKind, host: &mut Host) {
    host.count(counter_name(kind));
    match kind {
        // What anyone can send us does not fill the log.
        AuditKind::AckIgnored(_)
        | AuditKind::RefreshRequestIgnored
        | AuditKind::BindingErrorIgnored
        | AuditKind::SwitchIgnored
        | AuditKind::AdvertisementUnsolicited
        | AuditKind::AdvertisementIgnored => tracing::debug!(?kind, "ignored"),
        kind => tracing::info!(?kind, "binding"),
    }
}

/// What the tunnel carries.
fn inner(config: &MnConfig) -> Vec<HomePrefix> {
    let home = HomePrefix::truncating(config.home_address, 128).ok();
    let networks = config.router.iter().flat_map(|r| r.prefixes.iter().copied());
    home.into_iter().chain(networks).collect()
}

/// `registered`, `refused_134`, `ack_ignored_sequence`.
fn counter_name(kind: AuditKind) -> String {
    match kind {
        AuditKind::Refused(status) => format!("refused_{}", status.0),
        AuditKind::Ipv4HomeRefused(status) => format!("ipv4_home_refused_{}", status.0),
        AuditKind::AckIgnored(why) => format!("ack_ignored_{}", snake(&format!("{why:?}"))),
        other => snake(&format!("{other:?}")),
    }
}
