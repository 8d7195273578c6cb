//! Signs updates and verifies their acknowledgements by a key that we share with the anchor
//! (RFC 4285).

use crate::addr::ProxyCoa;
use crate::mag::clock::Clock;
use crate::mobility::auth::{self, Addresses, AuthKey, Signer};
use crate::mobility::message::{AckMsg, OwnedOptions, UpdateMsg};
use crate::wire::mh::{AuthOption, MobilityOption, SeqNo, Status};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicU64, Ordering};

/// The key and what replay protection remembers.
pub(crate) struct Authenticator {
    key: AuthKey,
    /// Our end of the tunnels, where it is another address than the updates' source.
    user_plane: Option<ProxyCoa>,
    clock: Clock,
    /// What an anchor's clock is ahead of ours, as it told; in the format of NTP, whole seconds.
    /// Written where acknowledgements arrive, read where updates leave.
    ahead: AtomicU64,
    /// The latest time that was sent; only where updates leave.
    last: AtomicU64,
    sent: Mutex<Sent>,
    /// What stands below the clock's resolution in a time (RFC 4285 6).
    noise: RandomState,
}

/// The latest updates.
#[derive(Default)]
struct Sent {
    /// Their numbers, by their times.
    numbers: HashMap<u64, SeqNo>,
    /// Their times, oldest first.
    times: VecDeque<u64>,
}

impl Sent {
    fn remember(&mut self, time: u64, seq: SeqNo) {
        if self.numbers.insert(time, seq).is_none() {
            self.times.push_back(time);
        }
        if self.times.len() > SENT_MAX
            && let Some(oldest) = self.times.pop_front()
        {
            self.numbers.remove(&oldest);
        }
    }
}

impl Authenticator {
    pub(crate) fn new(key: AuthKey, user_plane: Option<ProxyCoa>, clock: Clock) -> Self {
        let (ahead, last) = (AtomicU64::new(0), AtomicU64::new(0));
        let (sent, noise) = (Mutex::default(), RandomState::new());
        Self { key, user_plane, clock, ahead, last, sent, noise }
    }

    /// The options of an update with those that authenticate it behind them (RFC 4285 5.1).
    pub(crate) fn signed(&self, msg: &UpdateMsg) -> OwnedOptions {
        let mut options: Vec<_> = msg.options.iter().collect();
        let time = self.replay_protection(msg.update.seq);
        options.extend(time.map(MobilityOption::ReplayProtection));
        let about = Addresses { care_of: self.care_of(msg.src), home: msg.home.unwrap_or(msg.src) };
        let signer = Signer { key: &self.key, about };
        let data = signer.authenticate(&msg.update, &options);
        if let Some(data) = &data {
            options.push(MobilityOption::MessageAuth(AuthOption::MN_HA, self.key.spi, data));
        }
        // Cannot fail: what was parsed fits, and so does what is of fixed length.
        OwnedOptions::from_options(&options).unwrap_or_default()
    }

    /// Whether an acknowledgement, whose Mobility Header this is, comes from who has the key
    /// (RFC 4285 5.1.1), and repeats the time of an update with its number (6).
    pub(crate) fn admits(&self, msg: &AckMsg, header: &[u8]) -> bool {
        let option = AuthOption::find(header, AuthOption::MN_HA).ok().flatten();
        let option = option.filter(|o| o.is_last && o.spi == self.key.spi);
        let about = Addresses { care_of: self.care_of(msg.dst), home: msg.home.unwrap_or(msg.dst) };
        if !option.is_some_and(|o| self.key.verifies(&o, header, &about)) {
            return false;
        }
        if msg.ack.status == Status::MIPV6_ID_MISMATCH {
            self.follow_clock(msg);
            return true;
        }
        self.key.replay_window.is_none() || self.repeats_time(msg)
    }

    fn repeats_time(&self, msg: &AckMsg) -> bool {
        let number = time_in(msg).and_then(|t| self.sent.lock().numbers.get(&t).copied());
        // An answer about the order of messages has the anchor's number (RFC 6275 9.5.1).
        let other_number = msg.ack.status == Status::SEQUENCE_NUMBER_OUT_OF_WINDOW;
        number.is_some_and(|seq| seq == msg.ack.seq || other_number)
    }

    fn care_of(&self, coa: Ipv6Addr) -> Ipv6Addr {
        let ipv4 = |a: Ipv6Addr| a.to_ipv4_mapped().is_some();
        self.user_plane.filter(|u| ipv4(u.0) == ipv4(coa)).map_or(coa, |u| u.0)
    }

    /// The time of an update, greater than that of any before (RFC 4285 6).
    fn replay_protection(&self, seq: SeqNo) -> Option<u64> {
        self.key.replay_window?;
        let ahead = self.ahead.load(Ordering::Relaxed);
        let clock = auth::ntp(self.clock.now().wall).wrapping_add(ahead);
        // Keyed by the kernel's randomness: nobody knows it before.
        let time = clock | (self.noise.hash_one((clock, seq.0)) & BELOW_CLOCK);
        let last = self.last.load(Ordering::Relaxed);
        let time =
            if last == 0 || auth::is_after(time, last) { time } else { last.wrapping_add(1) };
        self.last.store(time, Ordering::Relaxed);
        self.sent.lock().remember(time, seq);
        Some(time)
    }

    /// RFC 4285 6: the time in the answer is the one to go on from.
    fn follow_clock(&self, msg: &AckMsg) {
        if let Some(time) = time_in(msg) {
            let ahead = time.wrapping_sub(auth::ntp(self.clock.now().wall)) >> 32 << 32;
            self.ahead.store(ahead, Ordering::Relaxed);
            self.last.store(0, Ordering::Relaxed);
        }
    }
}

/// The time in an acknowledgement.
fn time_in(msg: &AckMsg) -> Option<u64> {
    msg.options.iter().find_map(|o| match o {
        MobilityOption::ReplayProtection(time) => Some(time),
        _ => None,
    })
}

/// Bits of a time that the clock does not tell: it counts in 1/65536 s.
const BELOW_CLOCK: u64 = 0xffff;
/// Updates whose answers are known by their times: the oldest is sent again if need be.
const SENT_MAX: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mobility::message::Transport;
    use crate::time::{Duration, Lifetime};
    use crate::wire::mh::{
        BaFlags, BindingAck, BindingUpdate, BuFlags, MAX_LEN, MessageData, SeqNo,
    };

    const COA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x11);
    const LMA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1);
    const MN: MobilityOption<'static> = MobilityOption::MnId(1, b"mn1@example.org");

    fn key(replay: bool) -> AuthKey {
        let replay_window = replay.then_some(AuthKey::DEFAULT_WINDOW);
        AuthKey { spi: 256, secret: [0x5e; 16].into(), replay_window }
    }

    fn authenticator(replay: bool) -> Authenticator {
        Authenticator::new(key(replay), None, Clock::start())
    }

    fn update() -> UpdateMsg {
        UpdateMsg {
            home: None,
            src: COA,
            dst: LMA,
            transport: Transport::Ipv6,
            update: BindingUpdate {
                seq: SeqNo(1),
                flags: BuFlags::A | BuFlags::P,
                lifetime: Lifetime(900),
            },
            options: OwnedOptions::from_options([MN]).expect("short"),
            header: Box::default(),
        }
    }

    /// An acknowledgement as an anchor with this key sends it, and its bytes.
    fn acknowledgement(
        by: &AuthKey,
        more: &[MobilityOption<'_>],
        status: Status,
    ) -> (AckMsg, Vec<u8>) {
        let ack = BindingAck { status, flags: BaFlags::P, seq: SeqNo(1), lifetime: Lifetime(900) };
        let mut options = vec![MN];
        options.extend(more);
        let signer = Signer { key: by, about: Addresses { care_of: COA, home: COA } };
        let data = signer.authenticate(&ack, &options).expect("short");
        options.push(MobilityOption::MessageAuth(AuthOption::MN_HA, by.spi, &data));
        let mut buf = [0; MAX_LEN];
        let len = ack.emit(&options, LMA, COA, &mut buf).expect("fits");
        let options = OwnedOptions::from_options(&options).expect("short");
        let transport = Transport::Ipv6;
        (AckMsg { home: None, src: LMA, dst: COA, transport, ack, options }, buf[..len].to_vec())
    }

    /// The time in the Replay Protection option.
    fn replay(options: &OwnedOptions) -> Option<u64> {
        options.iter().find_map(|o| match o {
            MobilityOption::ReplayProtection(time) => Some(time),
            _ => None,
        })
    }

    // proves: AUTH-4-1, AUTH-5.1-3, AUTH-5.1-4, AUTH-5.1.1-1, MNID-1-1, MNID-3.2-1, SERVICESEL-3-2
    #[test]
    fn update_ends_with_the_option_over_all_before_it_and_the_two_addresses() {
        let mut msg = update();
        let service = MobilityOption::ServiceSelection(b"ims");
        msg.options = OwnedOptions::from_options([MN, service]).expect("short");
        let options = authenticator(false).signed(&msg);
        let all: Vec<_> = options.iter().collect();
        assert!(
            matches!(all[..], [MN, s, MobilityOption::MessageAuth(1, 256, data)]
                if s == service && data.len() == 12),
            "{all:?}"
        );
        let mut buf = [0; MAX_LEN];
        let len = msg.update.emit(options.options(), COA, LMA, &mut buf).expect("fits");
        let verifies = |header: &[u8], care_of| {
            let option = AuthOption::find(header, AuthOption::MN_HA).expect("parses");
            let about = Addresses { care_of, home: COA };
            key(false).verifies(&option.expect("is there"), header, &about)
        };
        assert!(verifies(&buf[..len], COA));
        assert!(!verifies(&buf[..len], LMA), "another care-of address");
        buf[8] ^= 1;
        assert!(!verifies(&buf[..len], COA), "another flag");
    }

    // proves: AUTH-5.1.1-3
    #[test]
    fn acknowledgement_is_taken_only_if_the_key_is_right_and_nothing_was_changed() {
        let ours = authenticator(false);
        let (msg, header) = acknowledgement(&key(false), &[], Status::ACCEPTED);
        assert!(ours.admits(&msg, &header));
        for at in [6, 8, 10, 20] {
            let mut changed = header.clone();
            changed[at] ^= 1;
            assert!(!ours.admits(&msg, &changed), "{at}");
        }
        let other = AuthKey { secret: [0x5f; 16].into(), ..key(false) };
        let (msg, header) = acknowledgement(&other, &[], Status::ACCEPTED);
        assert!(!ours.admits(&msg, &header));
        let other = AuthKey { spi: 257, ..key(false) };
        let (msg, header) = acknowledgement(&other, &[], Status::ACCEPTED);
        assert!(!ours.admits(&msg, &header));
        let mut buf = [0; MAX_LEN];
        let len = msg.ack.emit([MN], LMA, COA, &mut buf).expect("fits");
        assert!(!ours.admits(&msg, &buf[..len]), "without the option");
    }

    // proves: AUTH-6-6, AUTH-6-8, AUTH-6-12, AUTH-6-13
    #[test]
    fn time_in_updates_grows_and_follows_the_anchors_if_it_is_authentic() {
        let ours = authenticator(true);
        let times = [(); 3].map(|()| replay(&ours.signed(&update())).expect("is there"));
        assert!(auth::is_after(times[1], times[0]) && auth::is_after(times[2], times[1]));
        assert!(auth::is_close(times[0], Clock::start().now().wall, Duration::from_secs(2)));

        let there = times[2].wrapping_add(3600 << 32);
        let told = [MobilityOption::ReplayProtection(there)];
        let mismatch = Status::MIPV6_ID_MISMATCH;
        let forged = AuthKey { secret: [0x5f; 16].into(), ..key(true) };
        let (msg, header) = acknowledgement(&forged, &told, mismatch);
        assert!(!ours.admits(&msg, &header));
        let time = replay(&ours.signed(&update())).expect("is there");
        assert!(time.wrapping_sub(times[2]) < 10 << 32, "ours still");
        let (msg, header) = acknowledgement(&key(true), &told, mismatch);
        assert!(ours.admits(&msg, &header));
        let time = replay(&ours.signed(&update())).expect("is there");
        assert!(time.wrapping_sub(there) >> 32 < 10 || there.wrapping_sub(time) >> 32 < 2);
    }

    // proves: AUTH-6-14
    #[test]
    fn acknowledgement_that_does_not_repeat_the_time_of_its_update_is_discarded() {
        let ours = authenticator(true);
        let time = replay(&ours.signed(&update())).expect("is there");
        let told = |time| {
            let options = [MobilityOption::ReplayProtection(time)];
            let (msg, header) = acknowledgement(&key(true), &options, Status::ACCEPTED);
            ours.admits(&msg, &header)
        };
        assert!(told(time));
        assert!(!told(time.wrapping_add(1)) && !told(0));
        let (msg, header) = acknowledgement(&key(true), &[], Status::ACCEPTED);
        assert!(!ours.admits(&msg, &header), "without a time");
        // The time of another update.
        let mut other = update();
        other.update.seq = SeqNo(2);
        assert!(!told(replay(&ours.signed(&other)).expect("is there")));
        let (msg, header) = acknowledgement(&key(false), &[], Status::ACCEPTED);
        assert!(authenticator(false).admits(&msg, &header), "where there are no times");
    }

    // proves: AUTH-6-7
    #[test]
    fn bits_that_the_clock_does_not_tell_are_random() {
        let low = || {
            let ours = authenticator(true);
            let times = (0..8).map(|_| replay(&ours.signed(&update())).expect("is there"));
            times.map(|time| time & BELOW_CLOCK).collect::<Vec<_>>()
        };
        let (one, other) = (low(), low());
        assert!(one != other && one.iter().any(|bits| *bits != one[0]));
    }

    #[test]
    fn times_of_updates_without_an_answer_are_bounded() {
        let ours = authenticator(true);
        let first = ours.replay_protection(SeqNo(0));
        for seq in 0..SENT_MAX {
            ours.replay_protection(SeqNo(u16::try_from(seq & 0xffff).expect("masked")));
        }
        let sent = ours.sent.lock();
        assert_eq!((sent.times.len(), sent.numbers.len()), (SENT_MAX, SENT_MAX));
        assert!(!sent.numbers.contains_key(&first.expect("is there")));
    }

    #[test]
    fn without_replay_protection_there_is_no_time() {
        assert_eq!(replay(&authenticator(false).signed(&update())), None);
    }
}
