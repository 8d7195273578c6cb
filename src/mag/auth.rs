//! Signs updates and verifies their acknowledgements by a key that we share with the anchor
//! (RFC 4285).

use crate::addr::ProxyCoa;
use crate::mag::clock::Clock;
use crate::mobility::auth::{self, Addresses, AuthKey, Signer};
use crate::mobility::message::{AckMsg, OwnedOptions, UpdateMsg};
use crate::wire::mh::{AuthOption, MobilityOption, Status};
use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicU64, Ordering};

/// The key and what replay protection remembers.
pub(super) struct Authenticator {
    key: AuthKey,
    /// Our end of the tunnels, where it is another address than the updates' source.
    user_plane: Option<ProxyCoa>,
    clock: Clock,
    /// What an anchor's clock is ahead of ours, as it told; in the format of NTP, whole seconds.
    /// Written where acknowledgements arrive, read where updates leave.
    ahead: AtomicU64,
    /// The latest time that was sent; only where updates leave.
    last: AtomicU64,
}

impl Authenticator {
    pub(super) fn new(key: AuthKey, user_plane: Option<ProxyCoa>, clock: Clock) -> Self {
        let (ahead, last) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { key, user_plane, clock, ahead, last }
    }

    /// The options of an update with those that authenticate it behind them (RFC 4285 5.1).
    pub(super) fn signed(&self, msg: &UpdateMsg) -> OwnedOptions {
        let mut options: Vec<_> = msg.options.iter().collect();
        options.extend(self.replay_protection().map(MobilityOption::ReplayProtection));
        let about = Addresses { care_of: self.care_of(msg.src), home: msg.src };
        let signer = Signer { key: &self.key, about };
        let data = signer.authenticate(&msg.update, &options);
        if let Some(data) = &data {
            options.push(MobilityOption::MessageAuth(AuthOption::MN_HA, self.key.spi, data));
        }
        // Cannot fail: what was parsed fits, and so does what is of fixed length.
        OwnedOptions::from_options(&options).unwrap_or_default()
    }

    /// Whether an acknowledgement, whose Mobility Header this is, comes from who has the key
    /// (RFC 4285 5.1.1).
    pub(super) fn admits(&self, msg: &AckMsg, header: &[u8]) -> bool {
        let option = AuthOption::find(header, AuthOption::MN_HA).ok().flatten();
        let option = option.filter(|o| o.is_last && o.spi == self.key.spi);
        let about = Addresses { care_of: self.care_of(msg.dst), home: msg.dst };
        let authentic = option.is_some_and(|o| self.key.verifies(&o, header, &about));
        if authentic && msg.ack.status == Status::MIPV6_ID_MISMATCH {
            self.follow_clock(msg);
        }
        authentic
    }

    fn care_of(&self, coa: Ipv6Addr) -> Ipv6Addr {
        let ipv4 = |a: Ipv6Addr| a.to_ipv4_mapped().is_some();
        self.user_plane.filter(|u| ipv4(u.0) == ipv4(coa)).map_or(coa, |u| u.0)
    }

    /// The time of an update, greater than that of any before (RFC 4285 6).
    fn replay_protection(&self) -> Option<u64> {
        self.key.replay_window?;
        let ahead = self.ahead.load(Ordering::Relaxed);
        let time = auth::ntp(self.clock.now().wall).wrapping_add(ahead);
        let last = self.last.load(Ordering::Relaxed);
        let time =
            if last == 0 || auth::is_after(time, last) { time } else { last.wrapping_add(1) };
        self.last.store(time, Ordering::Relaxed);
        Some(time)
    }

    /// RFC 4285 6: the time in the answer is the one to go on from.
    fn follow_clock(&self, msg: &AckMsg) {
        let told = msg.options.iter().find_map(|o| match o {
            MobilityOption::ReplayProtection(time) => Some(time),
            _ => None,
        });
        if let Some(time) = told {
            let ahead = time.wrapping_sub(auth::ntp(self.clock.now().wall)) >> 32 << 32;
            self.ahead.store(ahead, Ordering::Relaxed);
            self.last.store(0, Ordering::Relaxed);
        }
    }
}

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
        (AckMsg { src: LMA, dst: COA, transport, ack, options }, buf[..len].to_vec())
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

    #[test]
    fn without_replay_protection_there_is_no_time() {
        assert_eq!(replay(&authenticator(false).signed(&update())), None);
    }
}
