//! A gateway that floods (MAG1) while another one (MAG2) works. Counted is in turns of the control
//! core, of which each does a bounded piece of work, not in time.

use super::*;
use crate::control::admission::Counts;
use crate::control::intake::SIGNALING_BUDGET;
use crate::dataplane::drop::DropReason;

/// Frames of the flood a turn. A turn stands for a millisecond here, so this is what floods 300,000
/// frames a second.
const FLOOD: usize = 300;
/// Turns that a run takes: 100,000 frames and more of the flood.
const TURNS: usize = 340;
/// Registrations of the other gateway a turn: three quarters of what a gateway may send.
const REGISTRATIONS: usize = 15;
/// Data packets a turn.
const PACKETS: usize = 10;

/// What became of a run.
#[derive(Debug)]
struct Run {
    /// Registrations of MAG2 that were accepted, and the most turns that one of them took.
    accepted: usize,
    slowest: usize,
    /// Data packets that left.
    forwarded: usize,
    /// Messages served in the fullest turn.
    busiest: u64,
    /// Answers to MAG1 with status 130.
    told: u64,
}

/// A frame of the flood: the how-manieth.
type Flood = fn(&Bench, usize) -> Vec<u8>;

fn run(flood: Option<Flood>) -> (Run, Bench) {
    let shape =
        Shape { ring_len: 4096, journal_len: 8192, bindings_max: 30_000, ..Shape::default() };
    let mut bench = Bench::new(shape);
    let data = data_packet(&mut bench);
    let mut run = Run { accepted: 0, slowest: 0, forwarded: 0, busiest: 0, told: 0 };
    let mut sent_in = Vec::new();
    for turn in 0..TURNS + 20 {
        let draining = turn >= TURNS;
        for n in 0..FLOOD {
            if let Some(flood) = flood.filter(|_| !draining) {
                let frame = flood(&bench, turn * FLOOD + n);
                bench.arrive(&frame);
            }
            if !draining && n % (FLOOD / PACKETS) == 0 {
                bench.arrive(&data);
            }
        }
        for n in 0..if draining { 0 } else { REGISTRATIONS } {
            let pbu = bench.pbu(MAG2, &format!("mn{}", turn * REGISTRATIONS + n), 1, 600);
            bench.arrive(&pbu);
            sent_in.push(turn);
        }
        while bench.worker_turn() > 0 {}
        let before = bench.count(Counter::PbuReceived);
        bench.confirm();
        bench.control_turn();
        run.busiest = run.busiest.max(bench.count(Counter::PbuReceived) - before);
        while bench.worker_turn() > 0 {}
        for frame in bench.tx.take_all() {
            let bytes = frame.to_bytes();
            match ack_in(&bytes) {
                // A gateway's messages are answered in their order.
                Some((to, ack)) if to == MAG2 => {
                    assert_eq!(ack.status.0, 0);
                    run.slowest = run.slowest.max(turn - sent_in[run.accepted]);
                    run.accepted += 1;
                }
                Some((_, ack)) => run.told += u64::from(ack.status.0 == 130),
                None => {
                    let ip = Ipv6Header::parse(&bytes[ether::HEADER_LEN..]).expect("IPv6");
                    run.forwarded += usize::from(ip.next_header == 41);
                }
            }
        }
        let step = Duration::from_millis(1);
        bench.now.mono = bench.now.mono + step;
        bench.now.wall = MobTimestamp::from_unix(bench.now.wall.to_unix() + step);
    }
    (run, bench)
}

/// A packet of a node at MAG2 to a node at MAG1, in its tunnel.
fn data_packet(bench: &mut Bench) -> Vec<u8> {
    let mut prefix = |mag, node: &str| {
        bench.register(mag, node);
        let mn_id = MnId::nai(node).expect("short");
        let bce = bench.control.anchor.lma().cache().of_node(&mn_id).next().expect("registered");
        Ipv6Addr::from_bits(bce.hnp[0].bits() | 1)
    };
    let (to, from) = (prefix(MAG1, "here"), prefix(MAG2, "there"));
    let inner = packet(from, to, 59, &[]);
    packet(MAG2, LMA, 41, &inner[ether::HEADER_LEN..])
}

/// That the flood slowed nobody by more than a factor of two, and cost no packet.
fn withstood(flood: Flood) -> (Run, Bench) {
    let (calm, _) = run(None);
    let (run, bench) = run(Some(flood));
    assert_eq!((calm.accepted, calm.forwarded), (TURNS * REGISTRATIONS, TURNS * PACKETS));
    assert_eq!((run.accepted, run.forwarded), (calm.accepted, calm.forwarded), "{run:?}");
    assert!(run.slowest <= 2 * calm.slowest.max(1), "{run:?}, without flood {calm:?}");
    assert!(run.busiest <= SIGNALING_BUDGET as u64, "{run:?}");
    let dropped: u64 = (bench.control.workers.iter())
        .map(|w| w.counters.snapshot().dropped(DropReason::SignalingPuntFull))
        .sum();
    assert_eq!(dropped, 0, "what is too much is dropped where its gateway is known");
    assert_eq!(bench.pool.in_use(), 0, "no frame leaks");
    (run, bench)
}

#[test]
fn flood_of_updates_for_one_node_slows_nobody() {
    let (_, bench) = withstood(|bench, n| {
        let seq = u16::try_from(n % 60_000).expect("small");
        bench.pbu(MAG1, "victim", seq, 600)
    });
    let counts = bench.control.inbox.counts(MAG1);
    assert!(counts.dropped > 90_000 && counts.malformed == 0, "{counts:?}");
    assert_eq!(bench.control.inbox.counts(MAG2), Counts::default());
}

#[test]
fn flood_of_new_nodes_slows_nobody_and_is_told_130() {
    let (run, bench) = withstood(|bench, n| bench.pbu(MAG1, &format!("flood{n}"), 1, 600));
    let counts = bench.control.inbox.counts(MAG1);
    assert!(counts.dropped > 80_000, "{counts:?}");
    // 20 at once and 100 a second, for each of two limits: over the rate, and no room.
    assert!((20..=120).contains(&counts.refused), "{counts:?}");
    assert_eq!(bench.count(Counter::PbuRefusedBusy), counts.refused);
    assert_eq!(run.told, counts.refused, "it is told that there is no time");
}

#[test]
fn flood_of_malformed_frames_slows_nobody() {
    let (_, bench) = withstood(|_, n| {
        let kind = u8::try_from(n % 200).expect("small");
        frame(MAG1, &[59, 0, kind, 0, 0, 0, 0, 0]) // a checksum that does not verify
    });
    let counts = bench.control.inbox.counts(MAG1);
    assert!(counts.malformed > 5000 && counts.malformed < 15_000, "{counts:?}");
    assert!(counts.dropped > 80_000, "not even looked at: {counts:?}");
}

#[test]
fn gateway_that_waits_for_new_nodes_has_its_refreshes_and_handoffs_served_first() {
    let shape = Shape { ring_len: 4096, journal_len: 8192, ..Shape::default() };
    let mut bench = Bench::new(shape);
    bench.register(MAG1, "old");
    for n in 0..400 {
        let pbu = bench.pbu(MAG2, &format!("mn{n}"), 1, 600);
        bench.arrive(&pbu);
    }
    let mn_id = MnId::nai("old").expect("short");
    let hnp = bench.control.anchor.lma().cache().of_node(&mn_id).next().expect("registered").hnp[0];
    let handoff = bench.pbu_with(MAG2, "old", hnp, 2, 600);
    bench.arrive(&handoff);
    while bench.worker_turn() > 0 {}
    bench.control_turn();
    let at = bench.control.anchor.lma().cache().of_node(&mn_id).next().expect("there").proxy_coa;
    assert_eq!(at.0, MAG2, "in the first turn, though four hundred stand before it");
    assert!(bench.control.inbox.len() > 300);
}

#[test]
fn sessions_of_a_gateway_that_restarted_end_a_few_a_turn() {
    const SESSIONS: usize = 20_000;
    let shape =
        Shape { ring_len: 4096, journal_len: 8192, bindings_max: 30_000, ..Shape::default() };
    let mut bench = Bench::new(shape);
    for n in 0..SESSIONS {
        let pbu = bench.pbu(MAG1, &format!("mn{n}"), 1, 600);
        bench.arrive(&pbu);
        if n % 500 == 499 {
            bench.pass(Duration::from_millis(100));
            let _ = bench.tx.take_all();
        }
    }
    bench.register(MAG2, "other");
    assert_eq!(bench.control.anchor.lma().cache().len(), SESSIONS + 1);
    bench.pass(Duration::from_secs(1));
    for counter in [1, 2] {
        bench.arrive(&heartbeat(MAG1, counter));
    }
    let mut turns = 0;
    while bench.control.anchor.lma().cache().len() > 1 {
        let before = bench.control.anchor.lma().cache().len();
        bench.confirm();
        bench.control_turn();
        while bench.worker_turn() > 0 {}
        assert!(before - bench.control.anchor.lma().cache().len() <= 64, "a turn is bounded");
        turns += 1;
        assert!(turns < 1000, "it comes to its end");
    }
    assert_eq!(bench.count(Counter::BindingLost), SESSIONS as u64);
    bench.settle();
    assert_eq!(bench.count(Counter::PeerRestarted), 1);
}

/// An unsolicited response with this Restart Counter.
fn heartbeat(mag: Ipv6Addr, counter: u32) -> Vec<u8> {
    let heartbeat = mh::Heartbeat { flags: mh::HeartbeatFlags::R | mh::HeartbeatFlags::U, seq: 0 };
    let mut message = [0; 64];
    let options = [MobilityOption::RestartCounter(counter)];
    let len = heartbeat.emit(&options, mag, LMA, &mut message).expect("fits");
    frame(mag, &message[..len])
}
