//! The workers: their rings, their lcores, their lives.

use super::pace::Pace;
use super::ports::Ports;
use super::{Clock, RuntimeError, plan};
use crate::addr::WorkerId;
use crate::config::Config;
use crate::control::WorkerLink;
use crate::dataplane::counters::WorkerCounters;
use crate::dataplane::handoff::Handoff;
use crate::dataplane::steer::Steering;
use crate::dataplane::worker::{Limits, Worker, WorkerConfig, WorkerRings};
use crate::dpdk::{Eal, Job, LcoreId, Mbuf, Mempool};
use crate::nic::RxQueue;
use crate::sync::ring::{Consumer, Producer, ring};
use crate::sync::seq::applied;
use crate::time::Instant;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Makes the workers with all rings between them and the control core, and puts each on its lcore.
#[allow(clippy::too_many_arguments)] // what workers are made of
pub(super) fn start(
    eal: &Eal,
    config: &Config,
    limits: Limits,
    steering: &Steering,
    ports: &mut Ports,
    pool: &Mempool,
    clock: Clock,
    gate: &Arc<Gate>,
) -> Result<(Vec<WorkerLink<Mbuf>>, Vec<Job>), RuntimeError> {
    let len = config.cores.ring_len;
    let count = usize::from(steering.workers());
    let (mut outs, mut ins) = handoff_rings(count, len);
    let local = plan::local_addresses(config);
    let (mut links, mut jobs) = (Vec::new(), Vec::new());
    for (id, cpu) in (0..steering.workers()).zip(&config.cores.worker_cpus) {
        let (updates, updates_rx) = ring(len);
        let (injects, injects_rx) = ring(len);
        let (signaling_tx, signaling) = ring(len);
        let (reports_tx, reports) = ring(len);
        let (applied_writer, applied_reader) = applied();
        let counters = Arc::new(WorkerCounters::default());
        let worker_config = WorkerConfig {
            id: WorkerId(id),
            steering: steering.clone(),
            lma: config.node.lma_address,
            lma_ipv4: config.node.lma_address_ipv4,
            local: local.clone(),
            vlans: ports.vlans.clone(),
            limits,
            policy: plan::tunnel_policy(config),
        };
        let rings = WorkerRings {
            updates: updates_rx,
            injects: injects_rx,
            signaling: signaling_tx,
            reports: reports_tx,
            handoff_in: std::mem::take(&mut ins[usize::from(id)]),
            handoff_out: std::mem::take(&mut outs[usize::from(id)]),
        };
        let queues = std::mem::take(&mut ports.queues[usize::from(id)]);
        let worker = Worker::new(
            worker_config,
            queues,
            rings,
            pool.clone(),
            applied_writer,
            counters.clone(),
        );
        let (gate, pace) = (Arc::clone(gate), Pace::new(config.cores.polling));
        let job = eal
            .launch(LcoreId(u32::from(id) + 1), move || {
                run_worker(worker, || clock.mono(), pace, &gate);
            })
            .map_err(|e| RuntimeError::Launch(id, e))?;
        jobs.push(job);
        let applied = applied_reader;
        let cpu = *cpu;
        links.push(WorkerLink { updates, injects, signaling, reports, applied, counters, cpu });
    }
    Ok((links, jobs))
}

type Outs = Vec<Option<Producer<Handoff<Mbuf>>>>;
type Ins = Vec<Consumer<Handoff<Mbuf>>>;

/// A ring from each worker to each other one.
fn handoff_rings(count: usize, len: usize) -> (Vec<Outs>, Vec<Ins>) {
    let mut outs: Vec<Outs> = (0..count).map(|_| Vec::new()).collect();
    let mut ins: Vec<Ins> = (0..count).map(|_| Vec::new()).collect();
    for (from, outs) in outs.iter_mut().enumerate() {
        for (to, ins) in ins.iter_mut().enumerate() {
            outs.push((from != to).then(|| {
                let (tx, rx) = ring(len);
                ins.push(rx);
                tx
            }));
        }
    }
    (outs, ins)
}

/// A worker's life: tables first, packets when the gate is open, until it is told to stop.
fn run_worker<R: RxQueue>(
    mut worker: Worker<R>,
    now: impl Fn() -> Instant,
    mut pace: Pace,
    gate: &Gate,
) {
    while gate.is_closed() {
        pace.after(worker.apply_updates());
    }
    while !gate.is_stopped() {
        pace.after(worker.poll(now()));
    }
    // What the control core has decided to send leaves: replies that were held.
    while worker.inject() > 0 {}
}

/// What the workers are allowed to do; written by the control core.
#[derive(Debug, Default)]
pub(super) struct Gate {
    open: AtomicBool,
    stopped: AtomicBool,
}

impl Gate {
    pub(super) fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    fn is_closed(&self) -> bool {
        !self.open.load(Ordering::Acquire) && !self.is_stopped()
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::{AnchorAddr, CustomerId, MacAddr, PortId};
    use crate::config::Polling;
    use crate::dataplane::update::Inject;
    use crate::dataplane::worker::{PortConfig, TunnelPolicy, WorkerPort};
    use crate::nic::mem::{MemPool, MemRx, MemTx, MemWire};
    use std::net::Ipv6Addr;

    #[test]
    fn frames_that_were_injected_before_the_stop_leave() {
        let (pool, rx, tx) = (MemPool::new(256), MemWire::new(256), MemWire::new(256));
        let (_updates, updates) = ring(1);
        let (mut injects, injects_rx) = ring(256);
        let ((signaling, _signaling), (reports, _reports)) = (ring(1), ring(8));
        let config = WorkerConfig {
            id: WorkerId(0),
            steering: Steering::new(1),
            lma: AnchorAddr(Ipv6Addr::LOCALHOST),
            lma_ipv4: None,
            vlans: Vec::new(),
            local: Vec::new(),
            limits: Limits { entries_max: 1, tunnels_max: 1 },
            policy: TunnelPolicy::default(),
        };
        let port = PortConfig {
            access: true,
            mac: MacAddr([2; 6]),
            mtu: 1500,
            address: None,
            ipv4_address: None,
            customer: CustomerId::default(),
        };
        let ports = vec![WorkerPort { config: port, rx: MemRx::new(&rx), tx: MemTx::new(&tx) }];
        let rings = WorkerRings {
            updates,
            injects: injects_rx,
            signaling,
            reports,
            handoff_in: Vec::new(),
            handoff_out: vec![None],
        };
        let worker = Worker::new(config, ports, rings, pool.clone(), applied().0, Arc::default());
        for n in 0..200u8 {
            let frame = pool.frame(PortId(0), &[n; 60]).expect("a buffer");
            assert!(injects.push(Inject::Frame(PortId(0), frame)).is_ok());
        }
        let gate = Gate::default();
        gate.open();
        gate.stop();
        run_worker(worker, || Instant(0), Pace::new(Polling::Busy), &gate);
        let sent: Vec<_> = tx.take_all().iter().map(|f| f.to_bytes()[0]).collect();
        assert_eq!(sent, (0..200).collect::<Vec<_>>());
    }
}
