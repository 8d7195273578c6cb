//! Reverse tunnels of nodes of Mobile IPv4: what is a security exception, and what the log hears.

use super::*;
use crate::time::Duration;

const NODE: &str = "10.1.0.19"; // node 3: in IPv4 to MAG4, with no header between
const NOBODY: &str = "10.1.0.200";

fn from_tunnel(gateway: &str, inner: &[u8], number: u8) -> Vec<u8> {
    Packet4::new(gateway, LMA4).payload(number, inner).on_access()
}

fn rig() -> Rig {
    let mut rig = Rig::dual(1);
    rig.publish(Change::NodeEndSet(ipv4(MAG4).to_ipv6_mapped()));
    rig.run();
    rig
}

fn exceptions(rig: &mut Rig) -> Vec<(Ipv6Addr, Ipv6Addr)> {
    let exception = |r| if let Report::Exception(at, of) = r { Some((at, of)) } else { None };
    rig.reports().into_iter().filter_map(exception).collect()
}

// proves: DSMIP4-4-1, DSMIP4-4-2, DSMIP4-4-3
#[test]
fn source_that_is_not_the_nodes_is_an_exception_and_so_is_the_nodes_from_elsewhere() {
    use DropReason as D;
    let from = |src: &str| Packet4::new(src, CN4).bytes();
    for (frame, reason) in [
        (from_tunnel(MAG4, &from(NOBODY), 4), D::ReverseTunnel),
        (from_tunnel(MAG4, &Packet::new(MN1, CN).bytes(), 41), D::ReverseTunnel),
        (from_tunnel(CN4, &from(NODE), 4), D::ReverseTunnel),
        (from_tunnel(CN4, &from(NOBODY), 4), D::InnerSource),
        (from_tunnel(CN4, &Packet::new(MN1, CN).bytes(), 41), D::NotServing),
        (from_tunnel(MAG4, &from("127.0.0.1"), 4), D::SourceScope),
    ] {
        let mut rig = rig();
        rig.arrive(ACCESS, &frame);
        assert_eq!((rig.drops(), rig.sent(CORE).len()), (vec![(reason, 1)], 0));
        assert_eq!(exceptions(&mut rig).len(), usize::from(reason == D::ReverseTunnel));
        rig.balance();
    }
    let mut rig = rig();
    rig.arrive(ACCESS, &from_tunnel(MAG4, &from(NODE), 4));
    assert_eq!((rig.drops(), rig.sent(CORE).len()), (vec![], 1), "its own");
    rig.publish(Change::NodeEndDel(ipv4(MAG4).to_ipv6_mapped()));
    rig.arrive(ACCESS, &from_tunnel(MAG4, &from(NOBODY), 4));
    assert_eq!(rig.drops(), [(D::InnerSource, 1)], "the end of a gateway's tunnel");
}

#[test]
fn log_hears_of_an_exception_each_tenth_of_a_second() {
    let mut rig = rig();
    let frame = from_tunnel(MAG4, &Packet4::new(NOBODY, CN4).bytes(), 4);
    for _ in 0..3 {
        rig.arrive(ACCESS, &frame);
    }
    let said = [MAG4, NOBODY].map(|a| ipv4(a).to_ipv6_mapped());
    assert_eq!(exceptions(&mut rig), [(said[0], said[1])]);
    rig.now = rig.now + Duration::from_millis(100);
    rig.arrive(ACCESS, &frame);
    assert_eq!(exceptions(&mut rig).len(), 1);
    assert_eq!(rig.drops(), [(DropReason::ReverseTunnel, 4)]);
}
