//! The command line of `anchor-mag`.

use crate::addr::{AnchorAddr, Encap, GreKeys};
use crate::cli;
use crate::config;
use crate::mag::control::{self, Reply, Request, Shown};
use crate::mag::gateway;
use crate::mag::load::drive::{self, LoadArgs};
use crate::mobility::mag::action::Path;
use crate::mobility::mag::event::{Family, HandoffHint};
use clap::{Args, Parser, Subcommand};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// A mobile access gateway of Proxy Mobile IPv6 (RFC 5213 section 6).
#[derive(Debug, Parser)]
#[command(name = "anchor-mag", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway in the foreground, until SIGTERM or SIGINT.
    Run {
        /// Its configuration.
        #[arg(long)]
        config: PathBuf,
        /// Only validate the configuration.
        #[arg(long)]
        check: bool,
    },
    /// Tell a running gateway that a node is on an access link.
    Attach {
        #[command(flatten)]
        at: At,
        /// The node, by the identifier of its [[mobile_node]]; else the link tells.
        #[arg(long)]
        mn_id: Option<String>,
        /// What is known of the handoff: new-interface, between-interfaces, same-interface,
        /// unknown.
        #[arg(long)]
        handoff: Option<HandoffHint>,
    },
    /// Tell a running gateway that the node left an access link.
    Detach {
        #[command(flatten)]
        at: At,
        /// The node is still there: end its session, and withdraw its prefixes.
        #[arg(long)]
        terminate: bool,
    },
    /// Try again what the anchor refused, or refresh a binding at once.
    Retry {
        #[command(flatten)]
        at: At,
    },
    /// Tell a running gateway that a node that stays gives up one address family.
    Release {
        #[command(flatten)]
        at: At,
        /// Which: ipv4 or ipv6.
        #[arg(long)]
        family: Family,
    },
    /// End all sessions with an anchor by one message (RFC 5846 9.2).
    Revoke {
        /// The gateway's control socket.
        #[arg(long)]
        socket: PathBuf,
        /// The anchor.
        #[arg(long)]
        lma: IpAddr,
    },
    /// Play many gateways and nodes towards one anchor, and verify every answer.
    Load(LoadArgs),
    /// Show the Binding Update List and the counters of a running gateway.
    Show {
        /// The gateway's control socket.
        #[arg(long)]
        socket: PathBuf,
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct At {
    /// The gateway's control socket.
    #[arg(long)]
    socket: PathBuf,
    /// The access link.
    #[arg(long)]
    interface: String,
}

/// Runs the command; says on standard error why it failed.
#[must_use]
pub fn main() -> ExitCode {
    cli::exit("anchor-mag", run(Cli::parse().command))
}

fn run(command: Command) -> Result<(), Box<dyn std::error::Error>> {
    match command {
        Command::Run { config, check } => {
            let config = config::mag::load(&config)?;
            if check {
                return Ok(());
            }
            cli::log(&config.log)?;
            cli::block_on(gateway::run(config))?.map_err(Into::into)
        }
        Command::Attach { at, mn_id, handoff } => {
            let interface = at.interface;
            ask(&at.socket, &Request::Attach { interface, mn_id, handoff }, false)
        }
        Command::Detach { at, terminate } => {
            let interface = at.interface;
            ask(&at.socket, &Request::Detach { interface, terminate }, false)
        }
        Command::Retry { at } => {
            ask(&at.socket, &Request::Retry { interface: at.interface }, false)
        }
        Command::Release { at, family } => {
            let interface = at.interface;
            ask(&at.socket, &Request::Release { interface, family }, false)
        }
        Command::Revoke { socket, lma } => {
            let lma_address = AnchorAddr(match lma {
                IpAddr::V4(a) => a.to_ipv6_mapped(),
                IpAddr::V6(a) => a,
            });
            ask(&socket, &Request::Revoke { lma_address }, false)
        }
        Command::Load(args) => cli::block_on(drive::run(args))?,
        Command::Show { socket, json } => ask(&socket, &Request::Show, json),
    }
}

fn ask(
    socket: &std::path::Path,
    request: &Request,
    json: bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let reply = control::ask(socket, request)
        .map_err(|e| format!("{}: {e}; is the gateway running?", socket.display()))?;
    match reply {
        Reply::Done => Ok(()),
        Reply::Error(e) => Err(e.into()),
        Reply::Shown(shown) => cli::print(&shown, json, render),
    }
}

fn render(shown: &Shown, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{:<12} {:<24} {:<14} {:<24} {:<18} {:<20} LIFETIME",
        "INTERFACE", "MN-ID", "STATE", "HNP", "IPV4", "TUNNEL"
    )?;
    for b in &shown.bindings {
        let hnp: Vec<String> = b.binding.hnp.iter().map(ToString::to_string).collect();
        let state = match b.binding.status {
            Some(status) => format!("denied ({status})"),
            None => format!("{:?}", b.binding.state).to_lowercase(),
        };
        let (interface, mn_id) = (&b.interface, &b.binding.mn_id);
        let left = b.binding.lifetime_left_s;
        let ipv4 = b.binding.ipv4.map_or_else(String::new, |lease| {
            format!("{}/{}", lease.home.addr(), lease.home.prefix_len())
        });
        let tunnel = b.binding.path.map_or_else(String::new, |path| tunnel(path, b.binding.keys));
        let hnp = hnp.join(",");
        writeln!(
            out,
            "{interface:<12} {mn_id:<24} {state:<14} {hnp:<24} {ipv4:<18} {tunnel:<20} {left} s"
        )?;
    }
    writeln!(out)?;
    for (name, value) in shown.counters.iter().filter(|(_, v)| **v > 0) {
        writeln!(out, "{name:<36} {value:>12}")?;
    }
    Ok(())
}

/// `ipv6`, `ipv4-udp`, `ipv6-gre 7/9`: what carries the packets, and the keys down and up.
fn tunnel(path: Path, keys: GreKeys) -> String {
    let outer = if path.lma.0.to_ipv4_mapped().is_some() { "ipv4" } else { "ipv6" };
    let form = match path.encap {
        Encap::Ip => "",
        Encap::Gre => "-gre",
        Encap::Udp(_) => "-udp",
        Encap::UdpGre(_) => "-udp-gre",
        Encap::Mip4Udp(_) | Encap::Mip6Udp(_) => "-mip-udp",
    };
    match (keys.downlink, keys.uplink) {
        (Some(down), Some(up)) => format!("{outer}{form} {down}/{up}"),
        _ => format!("{outer}{form}"),
    }
}
