//! What is refused, with which status, and what is met with silence.

use super::*;
use crate::mobility::auth::AuthKey;

fn ignored(w: &mut World, bu: &Bu<'_>) -> Option<Ignored> {
    let actions = w.bu(bu);
    match (reply(&actions), &noted(&actions)[..]) {
        (None, [AuditKind::Home(HomeAudit::Ignored(why))]) => Some(*why),
        _ => None,
    }
}

// proves: MIP6-10.3.1-4, MIP6-10.3.1-5, MIP6-8.1-2
#[test]
fn node_that_is_no_home_agent_says_131() {
    let mut w = World::new(HaConfig { enabled: false, ..config() });
    let actions = w.bu(&Bu::default());
    let ack = reply(&actions).expect("an answer");
    assert_eq!((ack.ack.status.0, ack.home), (131, Some(HOME)));
    assert_eq!(
        ignored(&mut w, &Bu { flags: BuFlags::A, ..Bu::default() }),
        Some(Ignored::NotForHomeAgent)
    );
}

// proves: MIP6-10.3.1-6
#[test]
fn home_address_of_no_home_link_is_refused_132() {
    let mut w = World::new(HaConfig { nodes: vec![node(1, None)], ..config() });
    let id = MobilityOption::MnId(1, b"mn1@example.org");
    let elsewhere = Some("2001:db8:200::1".parse().expect("an address"));
    let bu = Bu { home: elsewhere, options: vec![id], ..Bu::default() };
    let actions = w.bu(&bu);
    let ack = reply(&actions).expect("an answer");
    assert_eq!((ack.ack.status.0, ack.home), (132, elsewhere));
}

// proves: MIP6-10.3.2-2, MIP6-10.3.2-3
#[test]
fn end_of_a_binding_that_is_not_there_is_refused_133() {
    let mut w = World::new(config());
    assert_eq!(w.status(&Bu { lifetime: 0, ..Bu::default() }), Some(133));
}

// proves: MIP6-9.5.1-13, MIP6-9.5.1-14
#[test]
fn other_kind_of_registration_is_refused_139_and_without_a_binding_ignored() {
    let mut w = World::new(config());
    let without = Bu { flags: BuFlags::A, seq: 2, ..Bu::default() };
    assert_eq!(ignored(&mut w, &without), Some(Ignored::NotForHomeAgent));
    w.bu(&Bu::default());
    assert_eq!(w.status(&without), Some(139));
    assert!(w.binding(HOME).expect("there").flags.contains(BuFlags::H));
}

// proves: MIP6-9.5.1-11
#[test]
fn home_registration_with_nonces_is_met_with_silence() {
    let mut w = World::new(config());
    let nonces = MobilityOption::Unknown(4, &[0, 1, 0, 2]);
    let with = Bu { options: vec![nonces], ..Bu::default() };
    assert_eq!(ignored(&mut w, &with), Some(Ignored::NotForHomeAgent));
    assert!(w.anchor.ha().cache().is_empty());
    // What was said before that counts: it is late, or of another kind.
    w.bu(&Bu { seq: 2, ..Bu::default() });
    assert_eq!(w.status(&with), Some(135));
    assert_eq!(w.status(&Bu { flags: BuFlags::A, seq: 3, ..with }), Some(139));
}

// proves: MIP6-9.5.1-2, MIP6-9.5.1-16, MIP6-6.1.7-9, MIP6-6.1.7-11, MIP6-9.5.4-1, MIP6-9.5.4-9
#[test]
fn addresses_that_name_no_reachable_node_are_met_with_silence() {
    let mut w = World::new(config());
    for bad in ["ff02::1", "::", "::1", "fe80::7", "::ffff:198.51.100.7"] {
        let bad: Ipv6Addr = bad.parse().expect("an address");
        let options = vec![MobilityOption::AlternateCoa(bad)];
        let bu = Bu { options, ..Bu::default() };
        assert_eq!(ignored(&mut w, &bu), Some(Ignored::NotRoutable), "{bad}");
        let bu = Bu { home: Some(bad), ..Bu::default() };
        assert_eq!(ignored(&mut w, &bu), Some(Ignored::NotRoutable), "{bad}");
    }
    let bu = Bu { src: "ff02::1".parse().expect("an address"), ..Bu::default() };
    assert_eq!(ignored(&mut w, &bu), Some(Ignored::NotUnicast));
    assert!(w.anchor.ha().cache().is_empty());
}

#[test]
fn care_of_address_that_is_ours_or_inside_of_what_moves_is_refused_174() {
    let mut w = World::new(config());
    assert_eq!(w.status(&Bu { src: HA, ..Bu::default() }), Some(174));
    let id = MobilityOption::MnId(1, b"mn2@example.org");
    let flags = BuFlags::H | BuFlags::R;
    let src = Ipv6Addr::from_bits(POOLED.to_bits() + 1);
    let bu = Bu { src, home: Some(POOLED), flags, options: vec![id], ..Bu::default() };
    assert_eq!(w.status(&bu), Some(174));
    assert!(w.anchor.ha().cache().is_empty());
}

#[test]
fn home_address_that_is_configured_for_another_node_is_refused_133_whether_it_is_used_or_not() {
    let mut w = World::new(config());
    let id = MobilityOption::MnId(1, b"mn2@example.org");
    assert_eq!(w.status(&Bu { options: vec![id], ..Bu::default() }), Some(133));
    assert_eq!(w.status(&Bu::default()), Some(0), "its own node");
    let free = Some("2001:db8:100::77".parse().expect("an address"));
    assert_eq!(w.status(&Bu { home: free, options: vec![id], ..Bu::default() }), Some(0));
}

// proves: MIP6-10.3.1-7, MIP6-9.5.2-6
#[test]
fn full_table_refuses_130_what_is_new() {
    let mut w = World::new(HaConfig { max_bindings: 1, ..config() });
    assert_eq!(w.status(&Bu::default()), Some(0));
    let options = vec![MobilityOption::MnId(1, b"mn2@example.org")];
    let bu = Bu { home: Some(POOLED), options, ..Bu::default() };
    assert_eq!(w.status(&bu), Some(130));
    assert_eq!(w.status(&Bu { seq: 2, ..Bu::default() }), Some(0), "what is there goes on");
}

#[test]
fn home_address_of_another_node_is_refused_133() {
    let mut w = World::new(config());
    let two = MobilityOption::MnId(1, b"mn2@example.org");
    let bu = Bu { home: Some(POOLED), options: vec![two], ..Bu::default() };
    assert_eq!(w.status(&bu), Some(0));
    let one = MobilityOption::MnId(1, b"mn1@example.org");
    let neighbour = Some(Ipv6Addr::from_bits(POOLED.to_bits() + 1));
    for home in [Some(POOLED), neighbour] {
        let bu = Bu { seq: 9, home, options: vec![one], ..Bu::default() };
        assert_eq!(w.status(&bu), Some(133), "its own is another");
    }
    let mut nodes = config().nodes;
    nodes.push(node(3, None));
    let mut w = World::new(HaConfig { nodes, ..config() });
    assert_eq!(w.status(&bu), Some(0));
    let three = MobilityOption::MnId(1, b"mn3@example.org");
    let bu = Bu { home: neighbour, options: vec![three], ..bu };
    assert_eq!(w.status(&bu), Some(133), "the prefix is the other's");
}

#[test]
fn our_own_address_is_nobodys_home_address() {
    let mut w = World::new(config());
    let two = MobilityOption::MnId(1, b"mn2@example.org");
    let bu = Bu { home: Some(HA), options: vec![two], ..Bu::default() };
    assert_eq!(w.status(&bu), Some(133));
    let free = Some(Ipv6Addr::from_bits(HA.to_bits() + 1));
    assert_eq!(w.status(&Bu { home: free, ..bu }), Some(0));
}

// proves: MIP6-10.3.1-2
#[test]
fn what_does_not_prove_whose_it_is_is_met_with_silence() {
    let esp = HomeNode { proof: Proof::Esp(None), ..node(1, Some(HOME)) };
    let mut w = World::new(HaConfig { nodes: vec![esp], ..config() });
    assert_eq!(ignored(&mut w, &Bu::default()), Some(Ignored::Unauthenticated));
    let protected = Bu { transport: Transport::Ipv6Esp, ..Bu::default() };
    let home = Some(Ipv6Addr::from_bits(HOME.to_bits() + 1));
    let id = MobilityOption::MnId(1, b"mn1@example.org");
    let other = Bu { home, options: vec![id], ..protected.clone() };
    assert_eq!(ignored(&mut w, &other), Some(Ignored::Unauthenticated), "not its association");
    assert_eq!(w.status(&Bu { home, ..protected.clone() }), Some(133), "nobody's");
    assert_eq!(w.status(&protected), Some(0));
    let strange = Bu { home, ..Bu::default() };
    assert_eq!(ignored(&mut w, &strange), Some(Ignored::Unauthenticated));
}

pub(super) fn key() -> AuthKey {
    AuthKey { spi: 300, secret: [7; 16].into(), replay_window: Some(Duration::from_secs(7)) }
}

/// The same authenticated by `key`, as a node does it.
pub(super) fn signed(bu: &Bu<'_>, key: &AuthKey) -> UpdateMsg {
    use crate::mobility::auth::{Addresses, Signer};
    use crate::wire::mh::{AuthOption, MessageData};
    let mut msg = bu.message();
    // What the node takes for its address, a NAT or not.
    let ipv4 = bu.options.iter().find_map(|o| match o {
        MobilityOption::Ipv4CareOf(a) => Some(a.to_ipv6_mapped()),
        _ => None,
    });
    let care_of = ipv4.unwrap_or(bu.src);
    let about = Addresses { care_of, home: bu.home.unwrap_or(HOME) };
    let data = Signer { key, about }.authenticate(&msg.update, &bu.options).expect("fits");
    let mut options = bu.options.clone();
    options.push(MobilityOption::MessageAuth(AuthOption::MN_HA, key.spi, &data));
    msg.options = OwnedOptions::from_options(&options).expect("fits");
    let mut header = [0; 512];
    let len = msg.update.emit_in_udp(&options, &mut header).expect("fits");
    msg.header = header[..len].into();
    msg
}

// proves: AUTH-5.1.1-3
#[test]
fn authenticated_update_is_answered_authentically_and_a_forged_one_with_146() {
    let by_key = HomeNode { proof: Proof::Keys(vec![key()]), ..node(1, Some(HOME)) };
    let mut w = World::new(HaConfig { nodes: vec![by_key], ..config() });
    let time = crate::mobility::auth::ntp(w.now.wall);
    let replay = MobilityOption::ReplayProtection(time);
    let bu =
        Bu { options: vec![MobilityOption::MnId(1, b"mn1@example.org"), replay], ..Bu::default() };
    let actions = w.event(Event::Bu(signed(&bu, &key())));
    let ack = reply(&actions).expect("an answer");
    assert_eq!(ack.ack.status.0, 0);
    let options: Vec<_> = ack.options.iter().collect();
    assert_eq!(options[..2], bu.options[..]);
    assert!(matches!(options[2], MobilityOption::MessageAuth(1, 300, [_, _, ..])));
    let status = |actions: &[Action]| reply(actions).map(|a| a.ack.status.0);
    // The same time again; then no time; then another's key; then an unknown one.
    let again = Bu { seq: 2, ..bu.clone() };
    assert_eq!(status(&w.event(Event::Bu(signed(&again, &key())))), Some(144));
    let timeless = Bu { options: vec![bu.options[0]], ..again.clone() };
    assert_eq!(status(&w.event(Event::Bu(signed(&timeless, &key())))), Some(145));
    let forged = AuthKey { secret: [8; 16].into(), ..key() };
    assert_eq!(status(&w.event(Event::Bu(signed(&again, &forged)))), Some(146));
    let unknown = AuthKey { spi: 301, ..key() };
    assert_eq!(status(&w.event(Event::Bu(signed(&again, &unknown)))), None);
    assert_eq!(status(&w.event(Event::Bu(again.message()))), None, "not at all");
    let later = MobilityOption::ReplayProtection(time + 1);
    let bu = Bu { seq: 3, options: vec![bu.options[0], later], ..bu };
    assert_eq!(status(&w.event(Event::Bu(signed(&bu, &key())))), Some(0));
}

// proves: MCOA-4.3-9, MCOA-5.7-1
#[test]
fn several_care_of_addresses_are_refused_166_and_a_malformed_identifier_164() {
    let mut w = World::new(config());
    for (care_of, status) in [(&[][..], 166), (&[0; 4], 166), (&[0; 16], 166), (&[0; 5], 164)] {
        let options = vec![MobilityOption::BindingIdentifier(7, 9, care_of)];
        let actions = w.bu(&Bu { options, ..Bu::default() });
        let ack = reply(&actions).expect("an answer");
        assert_eq!(ack.ack.status.0, status);
        let copied = MobilityOption::BindingIdentifier(7, 0, &[]);
        assert!(ack.options.iter().eq([copied]), "its own status is zero");
    }
    assert!(w.anchor.ha().cache().is_empty());
}
