//! The process that is measured: `anchord`'s own worker on the generator's device, which counts the
//! cycles, checks what comes out and prints the figure when its port is stopped.

use crate::case::{Case, LMA4};
use crate::cores::Cores;
use crate::peer::GENERATOR;
use crate::rig::{self, Publisher, Sequenced};
use crate::scene::{self, ACCESS, ACCESS_MTU};
use anchord::addr::CustomerId;
use anchord::dataplane::steer::RSS_KEY;
use anchord::dataplane::worker::{Limits, PortConfig as WorkerPortConfig, Worker, WorkerPort};
use anchord::dpdk::port::{Queues, Spread, SpreadBy};
use anchord::dpdk::{Eal, Mempool, Port, PortConfig, RxQueue, TscClock, TxQueue, clock};
use anchord::time::Instant;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// What the process is asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    case: Case,
    /// How long, in milliseconds.
    #[arg(long, default_value_t = 1000)]
    milliseconds: u64,
    /// How many turns of the worker at most.
    #[arg(long, default_value_t = u64::MAX)]
    turns: u64,
    /// Meanwhile, a binding moves to another gateway every so many microseconds; 0: none.
    #[arg(long, default_value_t = 0)]
    update_every_us: u64,
    /// The CPU to run on.
    #[arg(long, default_value_t = 1)]
    cpu: usize,
    /// Without hugepages.
    #[arg(long)]
    no_huge: bool,
}

/// Measures; the figure is the device's to print.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let cores = Cores::new(args.cpu)?;
    let device = args.case.device(true);
    let eal = rig::eal(args.cpu, !args.no_huge, &["-d", GENERATOR, "--vdev", &device])?;
    let pool = Mempool::new(&eal, rig::MBUFS, 2048)?;
    let clock = TscClock::new(&eal);
    let (rings, applied, links) = rig::rings();
    let limits = Limits {
        entries_max: usize::try_from(args.case.bindings)?,
        tunnels_max: usize::try_from(args.case.mags * 2)?,
    };
    let config = rig::worker_config(limits, Some(LMA4));
    let ports = vec![port(&eal, &pool)?];
    let counters = Arc::default();
    let mut worker =
        Worker::new(config, ports, rings, pool.clone(), applied, Arc::clone(&counters));
    let mut publisher = Publisher::new(links.updates, links.applied);
    let tunnels = args.case.tunnels(0).chain(args.case.tunnels(args.case.mags));
    let changes = scene::network().into_iter().chain(tunnels).chain(args.case.entries());
    publisher.apply(changes, || worker.apply_updates())?;
    let mover = Mover::start(args, &cores, &clock, publisher.updates)?;

    let end = clock::tsc() + ticks(args.milliseconds * 1000, &clock);
    let mut turns = 0;
    while clock::tsc() < end && turns < args.turns {
        for _ in 0..TURNS.min(args.turns - turns) {
            worker.poll(Instant(clock.now_ns()));
        }
        turns += TURNS;
    }
    mover.stop()?;
    let dropped = counters.snapshot().dropped_total();
    if dropped > 0 { Err(format!("{dropped} packets were dropped").into()) } else { Ok(()) }
}

/// Turns between two looks at the time.
const TURNS: u64 = 64;

/// The one port, towards gateways and correspondents.
fn port(
    eal: &Eal,
    pool: &Mempool,
) -> Result<WorkerPort<RxQueue, TxQueue>, Box<dyn std::error::Error>> {
    let config = PortConfig {
        id: ACCESS,
        device: "net_pgen0",
        mtu: ACCESS_MTU,
        rx_desc: 1024,
        tx_desc: 1024,
        workers: 1,
        anchors: &[],
        jumbo: false,
        spread: Spread { key: &RSS_KEY, table: &[], by: SpreadBy::Destination },
    };
    let (port, Queues { mut rx, mut tx, .. }) = Port::open(eal, &config, pool)?;
    let (Some(rx), Some(tx)) = (rx.pop(), tx.pop()) else { return Err("no queues".into()) };
    drop(port); // its queues keep it
    let config = WorkerPortConfig {
        access: true,
        mac: scene::ACCESS_MAC,
        mtu: ACCESS_MTU,
        address: None,
        ipv4_address: None,
        customer: CustomerId::default(),
    };
    Ok(WorkerPort { config, rx, tx })
}

/// So many microseconds of the time stamp counter.
fn ticks(us: u64, clock: &TscClock) -> u64 {
    let (from, start) = (clock.now_ns(), clock::tsc());
    while clock.now_ns() - from < 1_000_000 {}
    (clock::tsc() - start) * us / 1000
}

/// A thread that moves bindings from gateway to gateway.
struct Mover {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Mover {
    fn start(
        args: &Args,
        cores: &Cores,
        clock: &TscClock,
        updates: Sequenced,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (case, every, flag) =
            (args.case, ticks(args.update_every_us, clock), Arc::clone(&stop));
        let thread = (every > 0).then(|| {
            cores.elsewhere(move || {
                std::thread::spawn(move || change_over(case, every, updates, &flag))
            })
        });
        Ok(Self { stop, thread: thread.transpose()? })
    }

    fn stop(self) -> Result<(), &'static str> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.map(JoinHandle::join) {
            Some(Err(_)) => Err("the thread that moves bindings panicked"),
            Some(Ok(())) | None => Ok(()),
        }
    }
}

/// Every so many ticks gives a binding the other tunnel to its gateway, of which there are two:
/// what must come out stays the same.
fn change_over(case: Case, every: u64, mut updates: Sequenced, stop: &AtomicBool) {
    let mut due = clock::tsc();
    for turn in 0u32.. {
        for binding in 0..case.bindings {
            while clock::tsc() < due {
                std::hint::spin_loop();
            }
            due += every;
            if stop.load(Ordering::Relaxed) {
                return;
            }
            // Spread over the table; a full ring means that the worker has stopped.
            let binding = binding.wrapping_mul(0x9e37_79b1) % case.bindings;
            let tunnel = binding % case.mags + if turn % 2 == 0 { case.mags } else { 0 };
            if let Some(change) = case.entry(binding, tunnel) {
                let _ = updates.push(change);
            }
        }
    }
}
