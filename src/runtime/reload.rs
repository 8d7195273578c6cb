//! The thread that reads the configuration again, and has it put in force.
//!
//! ```text
//!   job --> files read, checked --fault--> refused: nothing has changed
//!                |
//!                +--> description made --> control core takes it over --> log filter, config.show
//! ```

use super::plan;
use crate::admin::api::ConfigChanges;
use crate::admin::reload::{Asked, Job, Jobs, Refused};
use crate::config::{self, Config, NodeTable};
use crate::control::advertise::Advertiser;
use crate::control::reload::{Homes, NewConfig, Reloader};
use crate::mobility::Description;
use crate::mobility::config::LmaConfig;
use crate::mobility::ha::{HaConfig, HomeAgent};
use crate::mobility::mip4::{HomeAgent4, Mip4Config};
use crate::telemetry::LogHandle;
use serde_json::Value;
use std::io;
use std::path::PathBuf;
use tokio::sync::watch;

/// What the thread works with.
pub(super) struct Setup {
    /// The file that was named at the start.
    pub(super) path: PathBuf,
    /// What runs.
    pub(super) running: Config,
    /// The nodes of its file.
    pub(super) nodes: NodeTable,
    /// To the control core.
    pub(super) reloader: Reloader,
    /// To the kernel's routes, and the interface indexes of the TAPs that they go with.
    pub(super) advertiser: Advertiser,
    pub(super) taps: Vec<u32>,
    pub(super) log: LogHandle,
    /// What `config.show` answers.
    pub(super) shown: watch::Sender<Value>,
}

/// What the files say, checked.
struct Read {
    config: Config,
    lma: LmaConfig,
    ha: HaConfig,
    mip4: Mip4Config,
    nodes: NodeTable,
    changes: ConfigChanges,
}

/// Starts the thread. It ends when nobody can ask any more.
pub(super) fn start(setup: Setup, mut jobs: Jobs) -> io::Result<()> {
    let mut setup = setup;
    let work = move || {
        while let Some(asked) = jobs.wait() {
            setup.work_on(asked);
        }
    };
    std::thread::Builder::new().name("reload".into()).spawn(work).map(drop)
}

/// A configuration as `config.show` shows it.
pub(super) fn shown(config: &Config) -> Value {
    serde_json::to_value(config::render(config)).unwrap_or_default()
}

impl Setup {
    fn work_on(&mut self, asked: Asked) {
        let outcome = match asked.job {
            Job::Diff => self.read().map(|read| read.changes),
            Job::Reload => self.reload(&asked.by),
        };
        asked.answer(outcome);
    }

    fn reload(&mut self, by: &str) -> Result<ConfigChanges, Refused> {
        let read = match self.read() {
            Ok(read) => read,
            Err(faults) => {
                self.reloader.note_refused();
                return Err(refused(by, faults));
            }
        };
        let Read { config, lma, ha, mip4, nodes, changes } = read;
        let new = NewConfig::new(
            Description::new(lma),
            HomeAgent::new(ha),
            HomeAgent4::new(mip4),
            Homes { links: plan::home(&config), asked: plan::asked_addresses(&config) },
            plan::mags(&config),
            plan::customer_names(&config),
            plan::pool_names(&config),
        );
        self.reloader.take_over(new).map_err(|why| refused(by, why.to_string()))?;
        // What an operator set with `log set` stays unless the file says something else now.
        if config.log.filter != self.running.log.filter
            && let Err(error) = self.log.set(&config.log.filter)
        {
            tracing::warn!(error, "the log filter stays as it is");
        }
        self.advertiser.advertise(plan::routes(&config, &self.taps));
        self.shown.send_replace(shown(&config));
        (self.running, self.nodes) = (config, nodes);
        self.note(by, &changes);
        Ok(changes)
    }

    /// Reads the files as a start would, and looks what differs from what runs.
    fn read(&self) -> Result<Read, Refused> {
        let file = config::load(&self.path).map_err(|faults| faults.to_string())?;
        let changes = config::differences(&self.running, &file);
        let config = config::put_in_force(&self.running, file, &self.path);
        let config = config.map_err(|faults| faults.to_string())?;
        // Nonces go on as they were seeded at the start.
        let cores = plan::cores(&config, [0; 32]).map_err(|faults| faults.to_string())?;
        let plan::Cores { lma, ha, mip4, nodes } = cores;
        let changes = ConfigChanges { changes, nodes: self.nodes.changes(&nodes) };
        Ok(Read { config, lma, ha, mip4, nodes, changes })
    }

    fn note(&self, by: &str, ConfigChanges { changes, nodes }: &ConfigChanges) {
        for advice in config::advice(&self.running) {
            tracing::warn!(advice, "configuration");
        }
        for change in changes.iter().take(LOGGED_MAX) {
            let (running, file) = (change.running.as_deref(), change.file.as_deref());
            tracing::info!(key = change.key, running, file, restart = change.restart, "changed");
        }
        let restart = changes.iter().filter(|c| c.restart).count();
        tracing::info!(
            by,
            changed = changes.len() - restart,
            needs_restart = restart,
            nodes_added = nodes.added,
            nodes_removed = nodes.removed,
            nodes_changed = nodes.changed,
            "the configuration was reloaded"
        );
    }
}

fn refused(by: &str, why: Refused) -> Refused {
    tracing::error!(by, why, "the configuration was not reloaded: nothing has changed");
    why
}

/// Changes that the log tells one by one.
const LOGGED_MAX: usize = 100;
