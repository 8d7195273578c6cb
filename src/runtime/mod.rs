//! The process: what is made, in which order, on which threads, and how it ends.
//!
//! ```text
//!   start: bindings read -> EAL, ports, TAPs -> threads -> bindings published, kernel's tables read
//!          -> workers receive -> signaling
//!   stop:  signaling ends -> replies and records finished -> workers end -> ports closed -> exit
//!
//!   lcore 0        control core: Control::poll         ordinary threads: admin, journal, mirror,
//!   lcore 1 ..     workers: Worker::poll               resolver, kernel-rx (one a port), kernel-tx,
//!                                                      ipsec-rx, ipsec-tx, signals, reload,
//!                                                      policy, advertise, log
//! ```
//! Clocks are read here and nowhere else.

mod pace;
mod pin;
mod plan;
mod ports;
mod reload;
mod workers;

use crate::addr::PortId;
use crate::admin::reload::{ConfigAsker, Job};
use crate::admin::server::{Server, Setup};
use crate::admin::{channel, reload as admin_reload};
use crate::config::{self, Config, Faults};
use crate::control::advertise;
use crate::control::exception::{self, ExceptionError};
use crate::control::ipsec::{self, IpsecPath};
use crate::control::journal::{JournalError, Restart, Store};
use crate::control::mirror::{self, MirrorError, TapPort};
use crate::control::policy::{self, PolicyLink};
use crate::control::reload as control_reload;
use crate::control::{Control, Parts};
use crate::dataplane::steer::Steering;
use crate::dpdk::{self, Eal, EalError, Mempool, PortError, TscClock};
use crate::mobility::action::Action;
use crate::mobility::anchor::{Anchor, Record};
use crate::mobility::ha::HomeAgent;
use crate::mobility::mip4::HomeAgent4;
use crate::mobility::{Lma, RestoreError};
use crate::telemetry::LogHandle;
use crate::time::{Duration, Instant, MobTimestamp, Now};
use pace::Pace;
use pin::OrdinaryCpus;
use plan::Restored;
use ports::Ports;
use serde_json::Value;

use std::collections::HashSet;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use tokio::sync::watch;
use workers::Gate;

/// Why the daemon could not run.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each says what its message says
pub enum RuntimeError {
    #[error(transparent)]
    Config(#[from] Faults),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error(transparent)]
    Eal(#[from] EalError),
    #[error(transparent)]
    Mempool(#[from] dpdk::mempool::MempoolError),
    #[error("port {name}: {source}")]
    Port { name: String, source: PortError },
    #[error("worker {0}: {1}")]
    Launch(u16, dpdk::lcore::LaunchError),
    #[error(transparent)]
    Worker(#[from] dpdk::lcore::Panicked),
    #[error(transparent)]
    Exception(#[from] ExceptionError),
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    #[error("admin socket {path}: {source}")]
    Admin { path: String, source: io::Error },
    #[error("{what}: {source}")]
    Thread { what: &'static str, source: io::Error },
    #[error("the kernel's tables could not be read within {0:?}")]
    Kernel(Duration),
}

/// Runs the daemon until it is told to stop; `path` is the file that `config` was read from, and
/// will be again.
pub fn run(config: &Config, path: &Path, log: LogHandle) -> Result<(), RuntimeError> {
    let ordinary = OrdinaryCpus::new(&config.cores).map_err(thread("CPU affinity"))?;
    let stop = Arc::new(AtomicBool::new(false));
    let (config_asker, jobs) = admin_reload::channel();
    heed_signals(&stop, config_asker.clone()).map_err(thread("signals"))?;

    // What can fail for the operator's fault comes first.
    let seed = random().map_err(thread("/dev/urandom"))?;
    let cores = plan::cores(config, seed)?;
    let networks = cores.networks();
    let plan::Cores { lma, ha, mip4, nodes } = cores;
    let mut lma = Lma::new(lma);
    lma.reserve();
    let mut anchor = Anchor::new(lma, HomeAgent::new(ha)).with_mip4(HomeAgent4::new(mip4));
    let mut store = open_store(config)?;
    let (restored, size) = restore(&store, &mut anchor)?;
    let restart = begin_run(&mut store)?;

    let eal = Eal::init(&plan::eal_args(config))?;
    let clock = Clock(TscClock::new(&eal));
    let pool = Mempool::new(&eal, config.eal.mbuf_count, plan::frame_len_max(config))?;
    let workers = u16::try_from(config.cores.worker_cpus.len()).unwrap_or(u16::MAX);
    let steering = Steering::new(workers);
    let mut ports = Ports::open(&eal, config, &pool, &steering)?;

    let specs = (0u16..).zip(&config.ports).zip(&ports.info);
    let specs: Vec<_> =
        specs.map(|((id, port), info)| plan::tap(PortId(id), port, info.mac)).collect();
    let (taps, loopback) = exception::open(&specs, plan::lma_addresses(config))?;
    let esp_sockets = open_esp_sockets(config);
    let (asker, questions) = channel::channel(QUESTIONS_MAX);
    let (reloader, reloads) = control_reload::channel();
    let threads = ordinary.while_on(|| -> Result<_, RuntimeError> {
        let (kernel, kernel_tx) = exception::start(&taps)?;
        let mirror = mirror::start(&mirrored(config, &taps), loopback)?;
        let (ipsec, ipsec_tx) = start_ipsec(esp_sockets).map_err(thread("signaling in ESP"))?;
        let (journal, journal_thread) = store.start()?;
        let policy = start_policy(config)?;
        let (shown, config_shown) = watch::channel(reload::shown(config));
        let (path, running) = (path.to_owned(), config.clone());
        let (advertiser, advertise_thread) = advertise::start().map_err(thread("advertise"))?;
        let taps: Vec<_> = taps.iter().map(exception::Tap::ifindex).collect();
        let advertising = (advertiser.clone(), plan::routes(config, &taps));
        let again = reload::Setup {
            path,
            running,
            nodes,
            reloader,
            advertiser,
            taps,
            log: log.clone(),
            shown,
        };
        reload::start(again, jobs).map_err(thread("reload"))?;
        let admin = start_admin(config, log, asker, config_shown, config_asker)?;
        let enders = [Some(kernel_tx), ipsec_tx, Some(journal_thread), Some(advertise_thread)];
        Ok((kernel, ipsec, mirror, journal, enders, policy, admin, advertising))
    });
    let threads = threads.map_err(thread("CPU affinity"))??;
    let (kernel, ipsec, mirror, journal, enders, policy, admin, (advertiser, routes)) = threads;

    let gate = Arc::new(Gate::default());
    let limits = plan::limits(config, size, networks);
    let (links, jobs) =
        workers::start(&eal, config, limits, &steering, &mut ports, &pool, clock, &gate)?;
    let mut control = Control::new(Parts {
        lma_address: config.node.lma_address,
        lma_address_ipv4: config.node.lma_address_ipv4,
        anchor,
        home: plan::home(config),
        asked: plan::asked_addresses(config),
        restored,
        pool,
        ports: ports.info,
        workers: links,
        steering,
        mags_max: plan::mags_max(config),
        signaling: ports.signaling,
        kernel,
        ipsec,
        mirror,
        journal,
        restart,
        policy,
        advertiser: advertiser.clone(),
        questions,
        reloads,
        mags: plan::mags(config),
        customers: plan::customer_names(config),
        pools: plan::pool_names(config),
        tunnel_mtu: plan::tunnel_mtu(config),
        node_rate: config.cores.node_rate,
    });

    let outcome = serve(&mut control, config, clock, &gate, &stop, || advertiser.advertise(routes));
    advertiser.withdraw();
    drop(admin);
    gate.stop();
    for job in jobs {
        job.wait()?;
    }
    drop(control);
    join(enders.into_iter().flatten());
    tracing::info!("stopped");
    outcome
}

/// Waits for threads that end when the control core's ends of their channels are gone.
fn join(threads: impl Iterator<Item = JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("a thread had panicked");
        }
    }
}

/// The control core's life: prepare, serve, settle.
fn serve(
    control: &mut Control<Mempool>,
    config: &Config,
    clock: Clock,
    gate: &Gate,
    stop: &AtomicBool,
    advertise: impl FnOnce(),
) -> Result<(), RuntimeError> {
    let mut pace = Pace::new(config.cores.polling);
    let begun = clock.now().mono;
    while !control.is_settled() {
        let now = clock.now();
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        if now.mono.since(begun) > PREPARE_MAX {
            return Err(RuntimeError::Kernel(PREPARE_MAX));
        }
        pace.after(control.prepare(now));
    }
    gate.open();
    advertise();
    tracing::info!(node = config.node.name, lma_address = %config.node.lma_address,
        workers = config.cores.worker_cpus.len(), "serving");
    while !stop.load(Ordering::Relaxed) {
        pace.after(control.poll(clock.now()));
    }
    let asked = clock.now().mono;
    while !control.is_durable() && clock.now().mono.since(asked) < SETTLE_MAX {
        pace.after(control.settle(clock.now()));
    }
    Ok(())
}

/// Reads the bindings that were acknowledged before.
fn restore(store: &Store, anchor: &mut Anchor) -> Result<(Vec<Action>, Restored), RuntimeError> {
    // The monotonic clock is not made yet: it starts at zero, soon.
    let now = Now { mono: Instant(0), wall: wall_clock() };
    let (mut actions, mut mags) = (Vec::new(), HashSet::new());
    let mut homes = 0;
    for record in store.restore()? {
        match &record {
            Record::Proxy(bce) => drop(mags.insert(bce.proxy_coa.0)),
            Record::Home(binding) => {
                mags.insert(binding.care_of);
                homes += binding.keys().count();
            }
            Record::Home4(registration) => {
                let ends = registration.bindings.iter().map(|b| b.remote.to_ipv6_mapped());
                mags.extend(ends);
                homes += 1 + registration.prefixes.len();
            }
        }
        anchor.restore(record, now, &mut actions)?;
    }
    let lma = anchor.lma();
    let (bindings, home_bindings) = (lma.cache().len(), anchor.ha().cache().len());
    let registrations = anchor.mip4().len();
    tracing::info!(bindings, home_bindings, registrations, "restored");
    let prefixes = lma.cache().prefixes() + homes;
    Ok((actions, Restored { prefixes, mags: mags.len() }))
}

/// The kernel's sockets for signaling in ESP; without IPsec in the kernel the others are served.
fn open_esp_sockets(config: &Config) -> Option<ipsec::Sockets> {
    let opened = ipsec::open(config.node.lma_address.0, config.node.lma_address_ipv4);
    let wanted = config.mags.iter().any(|m| m.peer.ipsec);
    opened
        .inspect_err(|error| {
            if wanted {
                tracing::error!(%error, "no IPsec in this kernel: gateways with ipsec = \
                    \"required\" are not served");
            } else {
                tracing::debug!(%error, "no IPsec in this kernel");
            }
        })
        .ok()
}

/// The way of signaling in ESP, and its thread if the kernel has IPsec.
fn start_ipsec(sockets: Option<ipsec::Sockets>) -> io::Result<(IpsecPath, Option<JoinHandle<()>>)> {
    let started = sockets.map(ipsec::start).transpose()?;
    Ok(match started {
        Some((path, thread)) => (path, Some(thread)),
        None => (IpsecPath::unavailable(), None),
    })
}

/// The TAPs whose routes and neighbours concern us.
fn mirrored(config: &Config, taps: &[exception::Tap]) -> Vec<(u32, TapPort)> {
    let customers = config.ports.iter().map(|p| plan::customer(config, p.customer.as_deref()));
    (taps.iter().zip(customers))
        .map(|(tap, customer)| (tap.ifindex(), TapPort { port: tap.port(), customer }))
        .collect()
}

/// The bindings on disk. The kernel names the time since the machine started.
fn open_store(config: &Config) -> Result<Store, RuntimeError> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_err(|source| RuntimeError::Thread { what: "boot_id", source })?;
    Ok(Store::open(&config.state.dir, boot.trim())?)
}

/// Notes on the disk that a run begins.
fn begin_run(store: &mut Store) -> Result<Restart, RuntimeError> {
    let restart = store.begin_run(wall_clock().to_unix())?;
    tracing::info!(restart_counter = restart.counter, state_lost = restart.state_lost, "run");
    Ok(restart)
}

/// Both clocks. The monotonic one starts at zero when EAL is up.
#[derive(Debug, Clone, Copy)]
struct Clock(TscClock);

impl Clock {
    fn now(self) -> Now {
        Now { mono: self.mono(), wall: wall_clock() }
    }

    fn mono(self) -> Instant {
        Instant(self.0.now_ns())
    }
}

#[allow(clippy::disallowed_methods)] // the one place where the wall clock is read
fn wall_clock() -> MobTimestamp {
    let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    MobTimestamp::from_unix(unix.unwrap_or_default())
}

/// What nobody can foretell.
fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn start_policy(config: &Config) -> Result<Option<PolicyLink>, RuntimeError> {
    let store = config.policy.store.as_ref();
    let start = |store: &config::PolicyStore| policy::start(&store.socket, &config.node.name);
    store.map(start).transpose().map_err(thread("policy"))
}

fn start_admin(
    config: &Config,
    log: LogHandle,
    asker: channel::Asker,
    config_shown: watch::Receiver<Value>,
    reload: ConfigAsker,
) -> Result<Server, RuntimeError> {
    let setup = Setup {
        socket: config.admin.socket.clone(),
        group: config.admin.group.clone(),
        node: config.node.name.clone(),
        config: config_shown,
        reload,
        set_log: Box::new(move |filter| log.set(filter)),
    };
    Server::start(setup, asker).map_err(|source| {
        let path = config.admin.socket.display().to_string();
        RuntimeError::Admin { path, source }
    })
}

/// Sets `stop` on SIGTERM and SIGINT, and reloads the configuration on SIGHUP.
fn heed_signals(stop: &Arc<AtomicBool>, reload: ConfigAsker) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut term, mut int, mut hangup) = {
        let _inside = runtime.enter();
        let signals = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        let [term, int, hangup] = signals.map(signal);
        (term?, int?, hangup?)
    };
    let stop = Arc::clone(stop);
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = term.recv() => break,
                    _ = int.recv() => break,
                    _ = hangup.recv() => {
                        // What became of it the log tells.
                        if let Err(error) = reload.ask(Job::Reload, "SIGHUP".into()) {
                            tracing::warn!(%error, "SIGHUP: the configuration is not read again");
                        }
                    }
                }
            }
        });
        tracing::info!("asked to stop");
        stop.store(true, Ordering::Relaxed);
    })?;
    Ok(())
}

fn thread(what: &'static str) -> impl FnOnce(io::Error) -> RuntimeError {
    move |source| RuntimeError::Thread { what, source }
}

/// Questions of operators that wait at a time.
const QUESTIONS_MAX: usize = 64;
/// How long the start may wait for the kernel's tables and the restored bindings.
const PREPARE_MAX: Duration = Duration::from_secs(60);
/// How long a stop waits for the journal.
const SETTLE_MAX: Duration = Duration::from_millis(500);
