//! `anchord`: the mobility anchor daemon.

use anchord::config;
use anchord::dpdk::HugePages;
use anchord::runtime::{self, RuntimeError};
use anchord::telemetry;
use clap::Parser;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: HugePages = HugePages;

/// A carrier mobility anchor: Proxy Mobile IPv6 LMA (RFC 5213) on DPDK.
#[derive(Debug, Parser)]
#[command(name = "anchord", version, after_help = AFTER_HELP)]
struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/anchord/anchord.toml")]
    config: PathBuf,
    /// Validate the configuration and exit.
    #[arg(long)]
    check: bool,
}

const AFTER_HELP: &str = "\
Exit status: 0 stopped by SIGTERM or SIGINT, or the configuration is valid;
             1 a failure while running; 2 a bad configuration or command line.";

const RUNTIME_FAILURE: u8 = 1;
const BAD_CONFIG: u8 = 2;

fn main() -> ExitCode {
    // A thread that panicked leaves the anchor half alive: better it is started anew.
    std::panic::set_hook(Box::new(|panic| {
        complain(&format!("panic: {panic}"));
        std::process::abort();
    }));
    let args = Args::parse();
    let config = match config::load(&args.config) {
        Ok(config) => config,
        Err(faults) => {
            complain(&faults);
            return ExitCode::from(BAD_CONFIG);
        }
    };
    for advice in config::advice(&config) {
        complain(&advice);
    }
    if args.check {
        return match config::load_nodes(&config, |_, _, _, _| {}) {
            Ok(_) => ExitCode::SUCCESS,
            Err(faults) => {
                complain(&faults);
                ExitCode::from(BAD_CONFIG)
            }
        };
    }
    let (log, _drain) = match telemetry::init(&config.log) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            complain(&error);
            return ExitCode::from(RUNTIME_FAILURE);
        }
    };
    match runtime::run(&config, &args.config, log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            match error {
                RuntimeError::Config(_) => ExitCode::from(BAD_CONFIG),
                _ => ExitCode::from(RUNTIME_FAILURE),
            }
        }
    }
}

/// To standard error, whatever the log's filter says.
fn complain(what: &dyn std::fmt::Display) {
    // Nobody reads it if standard error is closed.
    let _ = writeln!(std::io::stderr(), "anchord: {what}");
}
