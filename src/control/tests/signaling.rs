//! Where signaling comes from: the queue that a flow rule fills, the rings of workers that punt.

use super::*;
use crate::control::intake::SIGNALING_BUDGET;
use crate::dataplane::drop::DropReason;

impl Bench {
    /// A frame arrives on the queue that a flow rule fills.
    fn arrive_on_queue(&mut self, frame: &[u8]) {
        let frame = self.pool.frame(ACCESS, frame).expect("a buffer");
        assert!(self.signaling.inject(frame).is_ok(), "room in the queue");
    }

    fn dropped(&self, reason: DropReason) -> u64 {
        self.control.workers.iter().map(|w| w.counters.snapshot().dropped(reason)).sum()
    }
}

/// What a stranger asks of the anchor's kernel.
fn echo_request() -> Vec<u8> {
    packet(MAG1, LMA, 58, &[128, 0, 0, 0, 0, 0, 0, 0])
}

#[test]
fn pbu_on_the_signaling_queue_is_answered() {
    let mut bench = Bench::new(Shape::default());
    let pbu = bench.pbu(MAG1, "mn1@example.org", 1, 600);
    bench.arrive_on_queue(&pbu);
    bench.settle();
    let acks = bench.acks();
    assert!(matches!(acks.as_slice(), [(MAG1, ack)] if ack.status.0 == 0), "{acks:?}");
    assert_eq!(bench.pool.in_use(), 0, "no frame leaks");
}

#[test]
fn esp_on_the_signaling_queue_is_the_kernels() {
    let mut bench = Bench::new(Shape::default());
    let esp = packet(MAG1, LMA, 50, &[0, 0, 1, 0, 0, 0, 0, 1]);
    bench.arrive_on_queue(&esp);
    bench.settle();
    let (port, frame) = bench.to_kernel.try_recv().expect("the kernel gets it");
    assert_eq!((port, frame.to_bytes()), (ACCESS, esp));
    assert_eq!(bench.count(Counter::SignalingMalformed), 0);
}

#[test]
fn full_inbox_leaves_frames_in_the_queue_and_none_is_lost() {
    const NODES: usize = 1500;
    let mut bench = Bench::new(Shape { journal_len: 1, ..Shape::default() });
    for n in 0..NODES {
        let pbu = bench.pbu(MAG1, &format!("mn{n}"), 1, 600);
        bench.arrive_on_queue(&pbu);
    }
    for _ in 0..100 {
        bench.control_turn(); // the journal is stuck: signaling waits
        bench.worker_turn();
    }
    assert!(bench.control.is_paused());
    let waiting = bench.signaling.len() + bench.control.inbox.len();
    let begun = usize::try_from(bench.count(Counter::PbuReceived)).expect("few");
    assert_eq!((waiting + begun, bench.signaling.is_empty()), (NODES, false));
    bench.settle();
    assert_eq!(bench.acks().len(), NODES);
    assert_eq!(bench.pool.in_use(), 0, "no frame leaks");
}

#[test]
fn turn_handles_a_budget_of_signaling_and_no_more() {
    let mut bench = Bench::new(Shape { ring_len: 4096, journal_len: 4096, ..Shape::default() });
    for n in 0..1000 {
        let pbu = bench.pbu(MAG1, &format!("mn{n}"), 1, 600);
        bench.arrive_on_queue(&pbu);
    }
    for turn in 1..=4 {
        bench.control_turn();
        assert_eq!(bench.count(Counter::PbuReceived), turn * SIGNALING_BUDGET as u64);
    }
}

#[test]
fn source_that_floods_does_not_keep_another_out_of_the_inbox() {
    let mut bench = Bench::new(Shape { ring_len: 64, ..Shape::default() });
    let flood = frame(MAG1, &[59, 0, 200, 0, 0, 0, 0, 0]); // malformed
    for n in 0..20 {
        let pbu = bench.pbu(MAG2, &format!("mn{n}"), 1, 600);
        bench.arrive(&pbu);
    }
    for _ in 0..100 {
        while bench.signaling.len() < 1000 {
            bench.arrive_on_queue(&flood);
        }
        bench.worker_turn();
        bench.control_turn();
        bench.confirm();
    }
    assert!(!bench.signaling.is_empty(), "the queue was never empty");
    assert_eq!(bench.acks().len(), 20);
}

#[test]
fn flood_of_exceptions_loses_no_pbu() {
    const ROUNDS: usize = 100;
    let mut bench = Bench::new(Shape { ring_len: 16, ..Shape::default() });
    for n in 0..ROUNDS {
        for _ in 0..50 {
            bench.arrive(&echo_request());
        }
        let pbu = bench.pbu(MAG1, &format!("mn{n}"), 1, 600);
        bench.arrive(&pbu);
        bench.worker_turn();
        bench.control_turn();
        bench.confirm();
    }
    bench.settle();
    assert!(bench.dropped(DropReason::ExceptionPuntFull) > 1000, "it was a flood");
    assert_eq!(bench.dropped(DropReason::SignalingPuntFull), 0);
    assert_eq!(bench.acks().len(), ROUNDS);
}

#[test]
fn flood_of_signaling_loses_no_exception() {
    const ROUNDS: usize = 100;
    let mut bench = Bench::new(Shape { ring_len: 16, ..Shape::default() });
    let malformed = frame(MAG1, &[59, 0, 200, 0, 0, 0, 0, 0]);
    let mut for_the_kernel = 0;
    for _ in 0..ROUNDS {
        for _ in 0..50 {
            bench.arrive(&malformed);
        }
        bench.arrive(&echo_request());
        bench.worker_turn();
        bench.control_turn();
        for_the_kernel += bench.to_kernel.try_iter().count();
    }
    assert!(bench.dropped(DropReason::SignalingPuntFull) > 1000, "it was a flood");
    assert_eq!(bench.dropped(DropReason::ExceptionPuntFull), 0);
    assert_eq!(for_the_kernel, ROUNDS);
}
