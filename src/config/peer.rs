//! The keys about revocation (RFC 5846), heartbeats (RFC 5847) and what protects them, in `[timer]`
//! and `[[mag]]`: read, shown, and what is to be said of values that the RFCs advise against.

use super::reader::{Section, boolean, string};
use super::value::span;
use super::{Config, duration};
use crate::addr::MnId;
use crate::time::Duration;
use toml::de::DeValue;
use toml::{Table, Value};

/// The protocols' variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerTimers {
    /// `BRIMaxRetriesNumber`, 1 (RFC 5846 11).
    pub bri_max_retries: u8,
    /// `InitMINDelayBRIs`, 1 s, at least 0.5 s (RFC 5846 11).
    pub init_min_delay_bris: Duration,
    /// `MAX_BRACK_TIMEOUT`, 2 s (RFC 5846 11).
    pub max_brack_timeout: Duration,
    /// Whether the previous gateway is told of every handoff.
    pub revoke_at_handoff: bool,
    /// `HEARTBEAT_INTERVAL`, 60 s (RFC 5847 5).
    pub heartbeat_interval: Duration,
    /// `MISSING_HEARTBEATS_ALLOWED`, 3 (RFC 5847 5).
    pub missing_heartbeats_allowed: u32,
}

/// What a gateway takes part in besides registrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MagPeer {
    /// Whether it is asked by heartbeats whether it lives.
    pub heartbeat: bool,
    /// Whether sessions are revoked at it.
    pub revocation: bool,
    /// The identity by which it may revoke all its sessions at once; it may not if `None`.
    pub revocation_identity: Option<MnId>,
    /// Messages a second that it may send.
    pub signaling_rate: u32,
    /// Whether signaling without ESP is neither accepted nor sent.
    pub ipsec: bool,
}

/// What a gateway may send where nothing else is said: a fifth of what a core handles.
pub const SIGNALING_RATE: u32 = 20_000;

/// From `[timer]`.
pub(super) fn timers(s: &Section<'_, '_>) -> PeerTimers {
    let seconds = Duration::from_secs;
    let time =
        |key, default, from, to| s.or(key, seconds(default), &move |v| span(v, from..=seconds(to)));
    let init_min_delay_bris = time("init_min_delay_bris", 1, Duration::from_millis(500), 10);
    let max_brack_timeout = time("max_brack_timeout", 2, Duration::from_millis(500), 60);
    if max_brack_timeout < init_min_delay_bris {
        s.fault("max_brack_timeout", "is shorter than init_min_delay_bris, which grows up to it");
    }
    PeerTimers {
        bri_max_retries: s.integer("bri_max_retries", 1, 0..=10),
        init_min_delay_bris,
        max_brack_timeout,
        revoke_at_handoff: s.or("revoke_at_handoff", false, &boolean),
        heartbeat_interval: time("heartbeat_interval", 60, seconds(1), 3600),
        missing_heartbeats_allowed: s.integer("missing_heartbeats_allowed", 3, 1..=100),
    }
}

/// From a `[[mag]]`.
pub(super) fn mag(s: &Section<'_, '_>) -> MagPeer {
    let identity = |v: &DeValue<'_>| {
        let text = string(v)?;
        MnId::nai(&text).ok_or_else(|| format!("{text:?} is longer than an option holds"))
    };
    MagPeer {
        heartbeat: s.or("heartbeat", true, &boolean),
        revocation: s.or("revocation", true, &boolean),
        revocation_identity: s.get("revocation_identity", &identity),
        signaling_rate: s.integer("signaling_rate", SIGNALING_RATE, 1..=10_000_000),
        ipsec: s.or("ipsec", false, &ipsec),
    }
}

fn ipsec(v: &DeValue<'_>) -> Result<bool, String> {
    match string(v)?.as_str() {
        "none" => Ok(false),
        "required" => Ok(true),
        other => Err(format!("{other:?} is neither \"none\" nor \"required\"")),
    }
}

/// What `[timer]` shows.
pub(super) fn render_timers(timers: &PeerTimers, table: &mut Table) {
    let time = |d| Value::from(duration::render(d));
    table.extend(
        [
            ("bri_max_retries", i64::from(timers.bri_max_retries).into()),
            ("init_min_delay_bris", time(timers.init_min_delay_bris)),
            ("max_brack_timeout", time(timers.max_brack_timeout)),
            ("revoke_at_handoff", timers.revoke_at_handoff.into()),
            ("heartbeat_interval", time(timers.heartbeat_interval)),
            ("missing_heartbeats_allowed", i64::from(timers.missing_heartbeats_allowed).into()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
}

/// What a `[[mag]]` shows.
pub(super) fn render_mag(peer: &MagPeer, table: &mut Table) {
    table.insert("heartbeat".into(), peer.heartbeat.into());
    table.insert("revocation".into(), peer.revocation.into());
    table.insert("signaling_rate".into(), i64::from(peer.signaling_rate).into());
    table.insert("ipsec".into(), if peer.ipsec { "required" } else { "none" }.into());
    if let Some(identity) = &peer.revocation_identity {
        table.insert("revocation_identity".into(), identity.to_string().into());
    }
}

/// What the RFCs advise against in a configuration that is otherwise valid, a sentence each.
#[must_use]
pub fn advice(config: &Config) -> Vec<String> {
    let interval = config.timers.peers.heartbeat_interval;
    // RFC 5847 3 and 5
    let short = interval < Duration::from_secs(30);
    let short = short.then(|| {
        format!(
            "timer.heartbeat_interval: {} is under the 30 s of RFC 5847: the path to the gateways \
             carries that many more messages",
            duration::render(interval)
        )
    });
    short.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn sample(timer: &str) -> Result<Config, String> {
        let text = include_str!("../../dpdk-config/lab.toml");
        let text = format!("{text}\n[timer]\n{timer}\n");
        super::super::parse(&text, Path::new("lab.toml")).map_err(|faults| faults.to_string())
    }

    // proves: REVOKE-11-1
    #[test]
    fn variables_have_the_defaults_and_limits_of_their_rfcs() {
        let peers = sample("").expect("valid").timers.peers;
        let expected = PeerTimers {
            bri_max_retries: 1,
            init_min_delay_bris: Duration::from_secs(1),
            max_brack_timeout: Duration::from_secs(2),
            revoke_at_handoff: false,
            heartbeat_interval: Duration::from_secs(60),
            missing_heartbeats_allowed: 3,
        };
        assert_eq!(peers, expected);
        let peers = sample(
            "bri_max_retries = 4\ninit_min_delay_bris = \"500ms\"\nmax_brack_timeout = \"8s\"",
        );
        let peers = peers.expect("valid").timers.peers;
        assert_eq!((peers.bri_max_retries, peers.max_brack_timeout.as_secs()), (4, 8));
        for refused in [
            "init_min_delay_bris = \"499ms\"",
            "max_brack_timeout = \"600ms\"",
            "heartbeat_interval = \"3601s\"",
            "missing_heartbeats_allowed = 0",
        ] {
            let faults = sample(refused).expect_err(refused);
            let key = refused.split(' ').next().unwrap_or_default();
            assert!(faults.contains(key), "{faults}");
        }
    }

    // proves: HEARTBEAT-3-3, HEARTBEAT-5-1
    #[test]
    fn heartbeats_more_often_than_every_30_s_are_advised_against_and_none_rarer_than_an_hour() {
        assert_eq!(advice(&sample("").expect("valid")), [""; 0]);
        assert_eq!(advice(&sample("heartbeat_interval = \"30s\"").expect("valid")), [""; 0]);
        let said = advice(&sample("heartbeat_interval = \"29s\"").expect("valid"));
        assert!(matches!(said.as_slice(), [one] if one.contains("29s")), "{said:?}");
        assert!(sample("heartbeat_interval = \"2h\"").is_err());
    }
}
