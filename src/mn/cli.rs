//! The command line of `anchor-mn`.

use crate::cli;
use crate::config;
use crate::mag::control;
use crate::mn::control::{Reply, Request, Shown};
use crate::mn::load::drive::{self, LoadArgs};
use crate::mn::node;
use crate::mobility::mn::attachment::Attachment;
use crate::mobility::mn::row::HomePrefixRow;
use clap::{Parser, Subcommand};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A mobile node of Mobile IPv6 (RFC 6275 section 11) or Mobile IPv4, to test home agents with.
#[derive(Debug, Parser)]
#[command(name = "anchor-mn", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the node in the foreground, until SIGTERM or SIGINT.
    Run {
        /// Its configuration.
        #[arg(long)]
        config: PathBuf,
        /// Only validate the configuration.
        #[arg(long)]
        check: bool,
    },
    /// Play many nodes towards one home agent, and verify every answer.
    Load(LoadArgs),
    /// Show the binding and the counters of a running node.
    Show {
        /// The node's control socket.
        #[arg(long)]
        socket: PathBuf,
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command; says on standard error why it failed.
#[must_use]
pub fn main() -> ExitCode {
    cli::exit("anchor-mn", run(Cli::parse().command))
}

fn run(command: Command) -> Result<(), Box<dyn std::error::Error>> {
    match command {
        Command::Run { config, check } => {
            let config = config::mn::load(&config)?;
            if check {
                return Ok(());
            }
            cli::log(&config.log)?;
            cli::block_on(node::run(config))?.map_err(Into::into)
        }
        Command::Load(args) => cli::block_on(drive::run(args))?,
        Command::Show { socket, json } => show(&socket, json),
    }
}

fn show(socket: &Path, json: bool) -> Result<(), Box<dyn std::error::Error>> {
    let reply = control::ask(socket, &Request::Show)
        .map_err(|e| format!("{}: {e}; is the node running?", socket.display()))?;
    match reply {
        Reply::Error(e) => Err(e.into()),
        Reply::Shown(shown) => cli::print(&shown, json, render),
    }
}

fn render(shown: &Shown, out: &mut impl Write) -> io::Result<()> {
    let b = &shown.binding;
    let at = match b.at {
        Attachment::Nowhere => "nowhere".to_owned(),
        Attachment::Home => "home".to_owned(),
        Attachment::Away(care_of) => care_of.to_string(),
    };
    let or_none = |a: Option<IpAddr>| a.map_or_else(|| "none".to_owned(), |a| a.to_string());
    let prefixes = b.prefixes.iter().map(|p| p.prefix.to_string()).collect::<Vec<_>>().join(" ");
    let carried = b.delivery.map_or_else(|| "none".to_owned(), |d| format!("{d:?}").to_lowercase());
    let home = b.home_prefixes.iter().map(home_prefix).collect::<Vec<_>>().join(", ");
    for (name, value) in [
        ("home address", or_none(b.home_address)),
        ("home agent", b.home_agent.to_string()),
        ("attached at", at),
        ("registered", or_none(b.care_of)),
        ("carried in", carried),
        ("prefixes", prefixes),
        ("home link", home),
        ("lifetime", format!("{} s", b.lifetime_left_s)),
        ("waiting", b.is_waiting.to_string()),
    ] {
        writeln!(out, "{name:<16} {value}")?;
    }
    writeln!(out)?;
    for (name, value) in &shown.counters {
        writeln!(out, "{name:<36} {value:>12}")?;
    }
    Ok(())
}

/// `2001:db8:100::/64 valid 86400 s, preferred 14400 s`
fn home_prefix(p: &HomePrefixRow) -> String {
    let time = |s: Option<u32>| s.map_or_else(|| "for ever".to_owned(), |s| format!("{s} s"));
    format!("{} valid {}, preferred {}", p.prefix, time(p.valid_s), time(p.preferred_s))
}
