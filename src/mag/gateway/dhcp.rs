//! DHCP's ports: one of each family on every access link, and one from which servers are asked.

use crate::config::mag::{Config, Dhcpv6Mode};
use crate::dhcp::{v4, v6};
use crate::mag::counter::Counters;
use crate::mag::input::Input;
use crate::mag::input::dhcp::Port;
use crate::mag::kernel::{self, Interface};
use crate::mag::socket::RawSocket;
use std::io;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Those that are open.
pub(super) struct Ports {
    /// None on links whose nodes have no IPv4; towards servers none if there are none.
    pub(super) v4: Option<Arc<RawSocket>>,
    /// None where there is no DHCPv6; towards servers only a relay has one.
    pub(super) v6: Option<Arc<RawSocket>>,
}

impl Ports {
    /// Those of a link; `tasks` receive from them.
    pub(super) fn of_link(
        config: &Config,
        interface: &Interface,
        inputs: &mpsc::Sender<Input>,
        counters: &Arc<Counters>,
        tasks: &mut Vec<JoinHandle<()>>,
    ) -> io::Result<Self> {
        let id = interface.id;
        let mut ports = Self { v4: None, v6: None };
        if config.serves_ipv4() {
            kernel::proxy_arp(&interface.name)?;
            let port = port(RawSocket::udp_of_link(id.0, v4::SERVER_PORT)?, inputs, counters);
            ports.v4 = Some(Arc::clone(&port.socket));
            tasks.push(tokio::spawn(port.nodes(id)));
        }
        if config.dhcp.ipv6 != Dhcpv6Mode::Off {
            let socket = RawSocket::udp_of_link_v6(id.0, v6::SERVER_PORT, v6::ALL_SERVERS)?;
            let port = port(socket, inputs, counters);
            ports.v6 = Some(Arc::clone(&port.socket));
            tasks.push(tokio::spawn(port.nodes_v6(id)));
        }
        Ok(ports)
    }

    /// Those of our own addresses, for as long as the gateway runs.
    pub(super) fn to_servers(
        config: &Config,
        inputs: &mpsc::Sender<Input>,
        counters: &Arc<Counters>,
    ) -> io::Result<Self> {
        let mut ports = Self { v4: None, v6: None };
        if let (Some(coa), [_, ..]) = (config.core.ipv4_proxy_coa, &config.dhcp.servers[..]) {
            let socket = RawSocket::udp_beside_links(coa.0, v4::SERVER_PORT)?;
            let port = port(socket, inputs, counters);
            ports.v4 = Some(Arc::clone(&port.socket));
            tokio::spawn(port.servers(config.dhcp.servers.clone()));
        }
        if config.dhcp.ipv6 == Dhcpv6Mode::Relay {
            let coa = config.core.proxy_coa.0;
            let socket = RawSocket::udp_beside_links(coa, v6::SERVER_PORT)?;
            let port = port(socket, inputs, counters);
            ports.v6 = Some(Arc::clone(&port.socket));
            tokio::spawn(port.servers_v6(config.dhcp.servers_ipv6.clone()));
        }
        Ok(ports)
    }
}

fn port(socket: RawSocket, gateway: &mpsc::Sender<Input>, counters: &Arc<Counters>) -> Port {
    Port { socket: Arc::new(socket), gateway: gateway.clone(), counters: Arc::clone(counters) }
}
