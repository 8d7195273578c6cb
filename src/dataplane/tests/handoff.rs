//! Several workers.

use super::*;

/// Numbered packets of a flow, downlink.
fn numbered(n: u8) -> Vec<u8> {
    let payload = [&[4, 1, 4, 2, 0, 9, 0, 0][..], &[n]].concat();
    Packet::new(CN, MN1).payload(UDP, &payload).on_core()
}

#[test]
fn order_of_a_flow_is_kept_on_its_way_to_its_owner() {
    let mut rig = Rig::new(2);
    let other = usize::from(1 - rig.steering.owner_of(addr(MN1)).0);
    for n in 0..200 {
        rig.arrive_at(other, CORE, &numbered(n));
    }
    rig.run();
    let order: Vec<_> = rig.sent(ACCESS).iter().map(|f| *f.last().unwrap()).collect();
    assert_eq!(order, (0..200).collect::<Vec<_>>());
    assert_eq!(rig.count(Counter::HandoffSent), 200);
    rig.balance();
}

// What waited at another worker while the node moved is late, and is dropped: it overtakes nothing,
// nor is it overtaken.
#[test]
fn packets_of_the_previous_gateway_that_waited_at_another_worker_are_dropped() {
    let mut rig = Rig::new(2);
    let owner = usize::from(rig.steering.owner_of(addr(MN1)).0);
    for _ in 0..10 {
        rig.arrive_at(1 - owner, ACCESS, &uplink(&Packet::new(MN1, CN)));
    }
    rig.set(HNP1, through(TUNNEL2));
    rig.arrive_at(owner, ACCESS, &Packet::new(MN1, CN).through(MAG2, LMA).on_access());
    let now = rig.now;
    while rig.workers[owner].worker.poll(now) > 0 {}
    assert_eq!(rig.sent(CORE).len(), 1, "the other worker has not run yet");
    rig.run();
    assert_eq!((rig.sent(CORE).len(), rig.drops()), (0, vec![(DropReason::NotServing, 10)]));
    rig.balance();
}

#[test]
fn only_the_owner_sends_and_counts() {
    for workers in [2, 3] {
        let mut rig = Rig::new(workers);
        for at in 0..usize::from(workers) {
            rig.arrive_at(at, CORE, &numbered(1));
            rig.arrive_at(at, ACCESS, &uplink(&Packet::new(MN1, CN)));
        }
        rig.run();
        let owner = usize::from(rig.steering.owner_of(addr(MN1)).0);
        for (i, s) in rig.snapshots().iter().enumerate() {
            let own = if i == owner { u64::from(workers) } else { 0 };
            assert_eq!(s.get(Counter::DownlinkPackets), own);
            assert_eq!(s.get(Counter::UplinkPackets), own);
            assert_eq!(s.get(Counter::HandoffSent), if i == owner { 0 } else { 2 });
        }
        rig.balance();
    }
}

// A frame is handed over at most once a stage: here three workers see it, and no fourth hop is
// made.
#[test]
fn packet_from_node_to_node_is_handed_over_at_most_twice() {
    let mut rig = Rig::new(8);
    let (up, down) = (rig.steering.owner_of(addr(MN1)), rig.steering.owner_of(addr(MN2)));
    assert_ne!(up, down, "the test needs two owners");
    let third = (0..8).find(|w| *w != up.0 && *w != down.0).unwrap();
    rig.arrive_at(usize::from(third), ACCESS, &uplink(&Packet::new(MN1, MN2)));
    rig.run();
    assert_eq!(rig.sent_one().0, ACCESS);
    assert_eq!((rig.count(Counter::HandoffSent), rig.count(Counter::HandoffReceived)), (2, 2));
    rig.balance();
}

/// Even if two workers disagree about the owner, a frame does not circle.
#[test]
fn handed_over_frame_is_never_passed_on_for_the_same_stage() {
    let mut rig = Rig::new(2);
    let owner = usize::from(rig.steering.owner_of(addr(MN1)).0);
    // The owner does not know the prefix any more: the frame ends there.
    rig.publish(Change::EntryDel(prefix(HNP1).into()));
    rig.arrive_at(1 - owner, CORE, &numbered(1));
    rig.run();
    assert_eq!(rig.drops(), [(DropReason::Unassigned, 1)]);
    assert_eq!(rig.count(Counter::HandoffSent), 1);
    rig.balance();
}

#[test]
fn error_to_a_node_of_another_worker_goes_through_its_tunnel() {
    let mut rig = Rig::new(8);
    assert_ne!(rig.steering.owner_of(addr(MN1)), rig.steering.owner_of(addr(NOBODY)));
    rig.arrive(ACCESS, &uplink(&Packet::new(MN1, NOBODY)));
    let (port, frame) = rig.sent_one();
    assert_eq!((port, &frame[38..54]), (ACCESS, &addr(MAG1).octets()[..]));
    assert_eq!((&frame[60..62], &frame[78..94]), (&[58, 64][..], &addr(MN1).octets()[..]));
    rig.balance();
}

#[test]
fn updates_reach_whom_they_concern_and_each_says_how_far_it_is() {
    let mut rig = Rig::new(2);
    let owner = usize::from(rig.steering.owner_of(addr(MN1)).0);
    let before = rig.workers[1 - owner].applied.load();
    rig.set(HNP1, Forward::Held);
    rig.run();
    assert_eq!(rig.workers[owner].applied.load(), Seq(rig.seq));
    assert_eq!(rig.workers[1 - owner].applied.load(), before);
    rig.set("2001:db8:1::/48", Forward::Held); // shorter than /64: everybody's
    rig.run();
    assert!(rig.workers.iter().all(|w| w.applied.load() == Seq(rig.seq)));
    rig.balance();
}

#[test]
fn updates_are_applied_in_order_and_before_the_next_burst() {
    let mut rig = Rig::new(1);
    for forward in [Forward::Held, through(TUNNEL2), through(TUNNEL1)] {
        rig.set(HNP1, forward);
    }
    rig.arrive_at(0, CORE, &numbered(1));
    let now = rig.now;
    rig.workers[0].worker.poll(now);
    assert_eq!(rig.sent_one().1[38..54], addr(MAG1).octets());
    rig.balance();
}
