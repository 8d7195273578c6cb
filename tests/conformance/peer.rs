//! What a gateway says besides updates, in a case: each field has a value that is right.

use crate::case::mn_id;
use crate::render::{mag, ours};
use anchord::addr::HomePrefix;
use anchord::mobility::message::{OwnedOptions, PeerBody, PeerMsg, Transport};
use anchord::wire::mh::{
    BindingError, BindingRevocationAck, BindingRevocationIndication, Heartbeat, HeartbeatFlags,
    Ipv4Home, MobilityOption, RevocationFlags, RevocationStatus, RevocationTrigger, SeqNo,
};
use serde::Deserialize;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A Binding Revocation Indication.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Bri {
    from: String,
    trigger: u8,
    /// Letters of the flags.
    flags: String,
    seq: u16,
    /// None if empty.
    mn_id: String,
    hnp: Vec<HomePrefix>,
    ipv4: Option<Ipv4Addr>,
    alternate_coa: Option<String>,
    /// Type of an option that nobody knows.
    unknown: Option<u8>,
    /// Bits of the reserved field.
    reserved: u16,
}

/// A Binding Revocation Acknowledgement.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Bra {
    from: String,
    status: u8,
    seq: u16,
    flags: String,
}

/// A Heartbeat.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Beat {
    from: String,
    response: bool,
    unsolicited: bool,
    seq: u32,
    restart_counter: Option<u32>,
    unknown: Option<u8>,
}

/// A Binding Error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Error {
    from: String,
    status: u8,
}

impl Default for Bri {
    fn default() -> Self {
        Self {
            from: "mag1".into(),
            trigger: 5,
            flags: "P".into(),
            seq: 1,
            mn_id: "mn1@example.org".into(),
            hnp: Vec::new(),
            ipv4: None,
            alternate_coa: None,
            unknown: None,
            reserved: 0,
        }
    }
}

impl Default for Bra {
    fn default() -> Self {
        Self { from: "mag1".into(), status: 0, seq: 1, flags: "P".into() }
    }
}

impl Default for Beat {
    fn default() -> Self {
        Self {
            from: "mag1".into(),
            response: false,
            unsolicited: false,
            seq: 1,
            restart_counter: None,
            unknown: None,
        }
    }
}

impl Default for Error {
    fn default() -> Self {
        Self { from: "mag1".into(), status: BindingError::UNKNOWN_MH_TYPE }
    }
}

impl Bri {
    pub(crate) fn message(&self) -> PeerMsg {
        let id = Some(self.mn_id.as_str()).filter(|id| !id.is_empty()).map(mn_id);
        let mut options = Vec::new();
        options.extend(self.unknown.map(|kind| MobilityOption::Unknown(kind, &[1, 2, 3])));
        options.extend(id.as_ref().map(|m| MobilityOption::MnId(m.subtype(), m.bytes())));
        options.extend(self.hnp.iter().map(|p| MobilityOption::HomeNetworkPrefix(*p)));
        let home = self.ipv4.and_then(|address| Ipv4Home::new(address, 32));
        options.extend(home.map(MobilityOption::Ipv4HomeAddressRequest));
        let coa = self.alternate_coa.as_deref();
        options.extend(coa.map(|c| MobilityOption::AlternateCoa(mag(c))));
        let indication = BindingRevocationIndication {
            trigger: RevocationTrigger(self.trigger),
            seq: SeqNo(self.seq),
            flags: flags(&self.flags) | RevocationFlags(self.reserved),
        };
        message(&self.from, PeerBody::Bri(indication), &options)
    }
}

impl Bra {
    pub(crate) fn message(&self) -> PeerMsg {
        let ack = BindingRevocationAck {
            status: RevocationStatus(self.status),
            seq: SeqNo(self.seq),
            flags: flags(&self.flags),
        };
        message(&self.from, PeerBody::Bra(ack), &[])
    }
}

impl Beat {
    pub(crate) fn message(&self) -> PeerMsg {
        let flag = |set, flag| if set { flag } else { HeartbeatFlags::default() };
        let flags =
            flag(self.response, HeartbeatFlags::R) | flag(self.unsolicited, HeartbeatFlags::U);
        let mut options = Vec::new();
        options.extend(self.unknown.map(|kind| MobilityOption::Unknown(kind, &[1, 2, 3])));
        options.extend(self.restart_counter.map(MobilityOption::RestartCounter));
        message(&self.from, PeerBody::Heartbeat(Heartbeat { flags, seq: self.seq }), &options)
    }
}

impl Error {
    pub(crate) fn message(&self) -> PeerMsg {
        let home_address = Ipv6Addr::UNSPECIFIED;
        let error = BindingError { status: self.status, home_address };
        message(&self.from, PeerBody::BindingError(error), &[])
    }
}

fn flags(letters: &str) -> RevocationFlags {
    letters.chars().fold(RevocationFlags::default(), |flags, letter| {
        flags
            | match letter {
                'P' => RevocationFlags::P,
                'V' => RevocationFlags::V,
                'G' => RevocationFlags::G,
                other => panic!("no flag {other}"),
            }
    })
}

fn message(from: &str, body: PeerBody, options: &[MobilityOption<'_>]) -> PeerMsg {
    let (src, dst) = (mag(from), ours(mag(from)));
    PeerMsg {
        node: None,
        src,
        dst,
        transport: src.to_ipv4_mapped().map_or(Transport::Ipv6, |_| Transport::Udp(5436)),
        body,
        options: OwnedOptions::from_options(options).expect("options that fit"),
    }
}
