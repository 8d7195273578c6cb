//! The command line: noun first, then the verb.

use super::list::List;
use crate::addr::{HomePrefix, MnId};
use crate::admin::api::{BindingFilter, Request};
use crate::admin::protocol::Call;
use crate::admin::reload::Job;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

/// Shows and changes the state of a running anchord.
#[derive(Debug, Parser)]
#[command(name = "anchorctl", version, infer_subcommands = false, after_help = AFTER_HELP)]
pub(super) struct Cli {
    /// Admin socket of anchord
    #[arg(long, global = true, value_name = "PATH", default_value = "/run/anchord/admin.sock")]
    pub(super) socket: PathBuf,
    /// One JSON document instead of tables (an array for lists)
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    noun: Noun,
}

const AFTER_HELP: &str = "\
Exit status: 0 done, 1 refused by anchord, 2 wrong command, 3 no connection to anchord.

Examples:
  anchorctl binding show --mag 2001:db8:a::11 --counters
  anchorctl binding show --json | jq -r '.[].mn_id'
  anchorctl drop show --watch";

#[derive(Debug, Subcommand)]
enum Noun {
    /// Mobility sessions: which node holds which prefix behind which gateway
    #[command(subcommand)]
    Binding(BindingVerb),
    /// Realms of node identifiers: what follows the @
    #[command(subcommand)]
    Realm(RealmVerb),
    /// This anchor as a home agent: in service or not
    #[command(subcommand)]
    Node(NodeVerb),
    /// Mobile access gateways
    #[command(subcommand)]
    Mag(MagVerb),
    /// Customers: who shares this anchor, and how many sessions each has
    #[command(subcommand)]
    Customer(ShowVerb),
    /// Pools of home network prefixes and IPv4 home addresses, and how full they are
    #[command(subcommand)]
    Pool(ShowVerb),
    /// The policy store outside: a program that is asked about nodes
    #[command(subcommand)]
    Policy(ShowVerb),
    /// Ports: link, counters, how packets are steered
    #[command(subcommand)]
    Port(ShowVerb),
    /// Forwarding workers and their load
    #[command(subcommand)]
    Worker(ShowVerb),
    /// Discarded packets by reason
    #[command(subcommand)]
    Drop(DropVerb),
    /// Counters of the control plane
    #[command(subcommand)]
    Stats(ShowVerb),
    /// Neighbours as the kernel resolved them
    #[command(subcommand)]
    Neighbor(ShowVerb),
    /// The configuration: what is in force, and what the file says
    #[command(subcommand)]
    Config(ConfigVerb),
    /// The log
    #[command(subcommand)]
    Log(LogVerb),
    /// Versions of anchorctl and of the running anchord
    Version,
    /// Completion script for a shell, on standard output
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Man pages, one a command
    Man {
        /// Directory to write them to
        dir: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum BindingVerb {
    /// List bindings, all or filtered
    Show {
        /// Only this node (a NAI, or subtype:hex)
        #[arg(long, value_name = "MN-ID")]
        mn_id: Option<MnId>,
        /// Only those served by this gateway
        #[arg(long, value_name = "ADDRESS")]
        mag: Option<IpAddr>,
        /// Only those holding a prefix inside this one, or around it
        #[arg(long, value_name = "PREFIX")]
        prefix: Option<HomePrefix>,
        /// Only those in the address space of this customer ("-": in the operator's own)
        #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
        customer: Option<String>,
        /// At most so many
        #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
        limit: Option<u64>,
        /// With packets and bytes of each prefix, both ways
        #[arg(long)]
        counters: bool,
        #[command(flatten)]
        again: Again,
    },
    /// Revoke the bindings of a node: its gateway is told, then they are deleted
    Del {
        /// Whose
        mn_id: MnId,
        /// Only the one that holds this prefix
        #[arg(long, value_name = "PREFIX")]
        prefix: Option<HomePrefix>,
        /// Only those in the address space of this customer ("-": in the operator's own)
        #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
        customer: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
enum NodeVerb {
    /// Tell nodes that registered by themselves to look for another home agent (RFC 5142), and
    /// refuse registrations and refreshes (status 129); bindings stay until they expire
    Drain {
        /// Tell them that they have so many seconds
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(4..=262_140))]
        within: Option<u32>,
    },
    /// Serve them again
    Serve,
}

#[derive(Debug, Subcommand)]
enum RealmVerb {
    /// Revoke the bindings of all nodes of a realm: their gateways are told, then they are deleted
    Del {
        /// For instance example.com; not that of its subdomains
        #[arg(value_parser = realm)]
        realm: MnId,
        /// Only those at this gateway
        #[arg(long, value_name = "ADDRESS")]
        mag: Option<IpAddr>,
    },
}

/// As the NAI that stands for all nodes of a realm.
fn realm(text: &str) -> Result<MnId, String> {
    let nai = MnId::nai(&format!("@{text}")).filter(|id| id.realm() == Some(text.as_bytes()));
    nai.ok_or_else(|| "not a realm: what follows the @ of an identifier".into())
}

#[derive(Debug, Subcommand)]
enum MagVerb {
    /// List gateways
    Show(Again),
    /// Authorize a gateway, until the next start
    Add {
        /// Its Proxy-CoA, the source of its PBUs
        address: IpAddr,
        /// What to call it
        #[arg(long)]
        name: String,
    },
    /// Withdraw a gateway's authorization, until the next start; its bindings stay until they
    /// expire, or are revoked
    Del {
        /// Its Proxy-CoA
        address: IpAddr,
        /// Revoke all its bindings
        #[arg(long)]
        revoke: bool,
    },
}

#[derive(Debug, Subcommand)]
enum ShowVerb {
    /// List them
    Show(Again),
}

#[derive(Debug, Subcommand)]
enum DropVerb {
    /// List the reasons for which packets were discarded
    Show {
        /// Those also for which none was
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        again: Again,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigVerb {
    /// Show it whole, defaults filled in, as TOML
    Show,
    /// Show what a reload would change: ~ another value, + new, - gone, ! only at the next start
    Diff,
    /// Read the file again and put it in force, all of it or nothing; no session is lost
    Reload,
}

#[derive(Debug, Subcommand)]
enum LogVerb {
    /// Put another filter in force, until the next start
    Set {
        /// For instance info, or info,anchord::control=debug
        filter: String,
    },
}

#[derive(Debug, Clone, Copy, Args)]
struct Again {
    /// Show it again every 2 (or so many) seconds
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "2",
        value_parser = clap::value_parser!(u64).range(1..=3600)
    )]
    watch: Option<u64>,
}

/// What a command line asks for.
pub(super) enum Action {
    /// Show a list, once or again and again.
    List {
        list: List,
        watch: Option<u64>,
    },
    /// Change something; `done` says what, for people.
    Do {
        call: Call,
        done: String,
    },
    ConfigShow,
    Config(Job),
    Version,
    Completions(Shell),
    Man(PathBuf),
}

impl Cli {
    /// The command as a value.
    pub(super) fn action(&self) -> Action {
        let show = |list: List, again: &Again| Action::List { list, watch: again.watch };
        let act =
            |request: Request, done: String| Action::Do { call: Call::Control(request), done };
        match &self.noun {
            Noun::Binding(BindingVerb::Show {
                mn_id,
                mag,
                prefix,
                customer,
                limit,
                counters,
                again,
            }) => {
                let (mn_id, customer) = (mn_id.clone(), customer.clone());
                let filter = BindingFilter { mn_id, mag: *mag, prefix: *prefix, customer };
                show(List::Bindings { filter, limit: *limit, counters: *counters }, again)
            }
            Noun::Binding(BindingVerb::Del { mn_id, prefix, customer }) => {
                let (mn_id, customer) = (mn_id.clone(), customer.clone());
                let done = format!("{mn_id} revoked");
                act(Request::BindingDel { mn_id, prefix: *prefix, customer }, done)
            }
            Noun::Realm(RealmVerb::Del { realm, mag }) => act(
                Request::RealmDel { realm: realm.clone(), mag: *mag },
                format!("nodes of {realm} are being revoked"),
            ),
            Noun::Node(NodeVerb::Drain { within }) => act(
                Request::NodeDrain { within_s: *within },
                "nodes are told to look for another home agent".into(),
            ),
            Noun::Node(NodeVerb::Serve) => {
                act(Request::NodeServe, "the home agent serves again".into())
            }
            Noun::Mag(MagVerb::Show(again)) => show(List::Mags, again),
            Noun::Mag(MagVerb::Add { address, name }) => act(
                Request::MagAdd { address: *address, name: name.clone() },
                format!("gateway {address} authorized until the next start"),
            ),
            Noun::Mag(MagVerb::Del { address, revoke }) => act(
                Request::MagDel { address: *address, revoke: *revoke },
                format!("gateway {address} no longer authorized, until the next start"),
            ),
            Noun::Customer(ShowVerb::Show(again)) => show(List::Customers, again),
            Noun::Policy(ShowVerb::Show(again)) => show(List::Policies, again),
            Noun::Pool(ShowVerb::Show(again)) => show(List::Pools, again),
            Noun::Port(ShowVerb::Show(again)) => show(List::Ports, again),
            Noun::Worker(ShowVerb::Show(again)) => show(List::Workers, again),
            Noun::Drop(DropVerb::Show { all, again }) => show(List::Drops { all: *all }, again),
            Noun::Stats(ShowVerb::Show(again)) => show(List::Stats, again),
            Noun::Neighbor(ShowVerb::Show(again)) => show(List::Neighbors, again),
            Noun::Config(ConfigVerb::Show) => Action::ConfigShow,
            Noun::Config(ConfigVerb::Diff) => Action::Config(Job::Diff),
            Noun::Config(ConfigVerb::Reload) => Action::Config(Job::Reload),
            Noun::Log(LogVerb::Set { filter }) => Action::Do {
                call: Call::LogSet { filter: filter.clone() },
                done: format!("log filter is {filter} until the next start"),
            },
            Noun::Version => Action::Version,
            Noun::Completions { shell } => Action::Completions(*shell),
            Noun::Man { dir } => Action::Man(dir.clone()),
        }
    }
}

/// The right order of `show binding ..`, if that is what was typed.
pub(super) fn noun_first(args: &[OsString]) -> Option<String> {
    const VERBS: [&str; 7] = ["show", "del", "add", "set", "list", "diff", "reload"];
    let mut words = args.iter().skip(1).filter_map(|a| a.to_str()).filter(|a| !a.starts_with('-'));
    let verb = words.next().filter(|w| VERBS.contains(w))?;
    let noun = words.next()?.trim_end_matches('s');
    let verb = if verb == "list" { "show" } else { verb };
    Some(if noun == "stat" { format!("stats {verb}") } else { format!("{noun} {verb}") })
}
