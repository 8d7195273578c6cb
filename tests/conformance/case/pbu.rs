//! The PBU of a step.

use super::{LMA, mn_id, shifted};
use crate::render::{address, bytes_of_hex, mag};
use anchord::addr::{GreKey, HomePrefix, MnId};
use anchord::mobility::message::{OwnedOptions, Transport, UpdateMsg};
use anchord::time::{Duration, Lifetime, Now};
use anchord::wire::mh::{
    AccessNetworkId, AccessTech, BindingUpdate, BuFlags, HandoffIndicator, Ipv4Home, MAX_LEN,
    MessageData, MobilityOption, SeqNo,
};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha1::Sha1;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The anchor's IPv4 address in every case.
pub(crate) const LMA_IPV4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// A Proxy Binding Update.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::struct_excessive_bools)] // flags of a message
pub(super) struct Pbu {
    from: String,
    /// UDP source port, if it comes from a gateway with an IPv4 address.
    port: u16,
    mn_id: Vec<String>,
    hnp: Vec<HomePrefix>,
    /// IPv4 Home Address Requests, with the length of the network's prefix.
    ipv4: Vec<String>,
    handoff: Vec<u8>,
    att: Vec<u8>,
    seq: u16,
    /// Seconds.
    lifetime: u32,
    /// Seconds from the anchor's clock at this step; absent: sequence numbers order the messages.
    timestamp: Option<f64>,
    mn_ll_id: Option<String>,
    link_local: Option<String>,
    alternate_coa: Option<String>,
    alternate_ipv4_coa: Option<String>,
    /// A GRE Key option: the downlink key, or `none`.
    gre: Option<String>,
    /// F, T, or both.
    flags: String,
    service: Vec<String>,
    /// Sub-options of an Access Network Identifier, in hexadecimal.
    access_network: Option<String>,
    user_plane: bool,
    /// Seconds from the anchor's clock, in a Replay Protection option.
    replay: Option<f64>,
    /// SPI of the key that authenticates it.
    spi: Option<u32>,
    /// Its authentication data is made with another key.
    forged: bool,
    /// An option stands behind the one that authenticates it.
    appended: bool,
    /// An authentication option for a AAA server stands before the other.
    aaa: bool,
    /// Type of an option that nobody knows.
    unknown: Option<u8>,
    vendor: bool,
    /// It came in ESP.
    esp: bool,
    without: Vec<String>,
}

impl Default for Pbu {
    fn default() -> Self {
        Self {
            from: "mag1".into(),
            port: 5436,
            mn_id: vec!["mn1@example.org".into()],
            hnp: vec!["::/0".parse().expect("a prefix")],
            ipv4: Vec::new(),
            handoff: vec![1],
            att: vec![4],
            seq: 1,
            lifetime: 60,
            timestamp: None,
            mn_ll_id: None,
            link_local: None,
            alternate_coa: None,
            alternate_ipv4_coa: None,
            gre: None,
            flags: String::new(),
            service: Vec::new(),
            access_network: None,
            user_plane: false,
            replay: None,
            spi: None,
            forged: false,
            appended: false,
            aaa: false,
            unknown: None,
            vendor: false,
            esp: false,
            without: Vec::new(),
        }
    }
}

impl Pbu {
    pub(super) fn message(&self, now: Now) -> UpdateMsg {
        let ids: Vec<MnId> = self.mn_id.iter().map(|m| mn_id(m)).collect();
        let ll_id = self.mn_ll_id.as_deref().map(bytes_of_hex);
        let ani = self.access_network.as_deref().map(bytes_of_hex);
        let mut options = Vec::new();
        if self.with("mn_id") {
            options.extend(ids.iter().map(|m| MobilityOption::MnId(m.subtype(), m.bytes())));
        }
        options.extend(self.service.iter().map(|s| MobilityOption::ServiceSelection(s.as_bytes())));
        self.mandatory(&mut options);
        let timestamp = self.timestamp.map(|skew| shifted(now.wall, skew));
        options.extend(timestamp.map(MobilityOption::Timestamp));
        options.extend(ll_id.as_deref().map(MobilityOption::MnLinkLayerId));
        options.extend(ani.as_deref().map(|a| {
            MobilityOption::AccessNetworkId(AccessNetworkId::parse(a).expect("sub-options"))
        }));
        self.others(now, &mut options);
        let src = mag(&self.from);
        let over_ipv4 = src.to_ipv4_mapped().is_some();
        let transport = if over_ipv4 { Transport::Udp(self.port) } else { Transport::Ipv6 };
        let mut msg = UpdateMsg {
            home: None,
            src,
            dst: if over_ipv4 { LMA_IPV4.to_ipv6_mapped() } else { address(LMA) },
            transport: if self.esp { transport.protected() } else { transport },
            update: BindingUpdate {
                seq: SeqNo(self.seq),
                flags: self.flags(),
                lifetime: Lifetime::at_most(Duration::from_secs(self.lifetime.into())),
            },
            options: OwnedOptions::default(),
            header: Box::default(),
        };
        self.authenticate(&mut msg, options);
        msg
    }

    fn with(&self, name: &str) -> bool {
        !self.without.iter().any(|w| w == name)
    }

    fn flags(&self) -> BuFlags {
        let given = self.flags.chars().map(|f| match f {
            'F' => BuFlags::F,
            'T' => BuFlags::T,
            other => panic!("{other} is no flag of a case"),
        });
        given.fold(BuFlags::A | BuFlags::P, |all, f| all | f)
    }

    fn mandatory(&self, options: &mut Vec<MobilityOption<'_>>) {
        if self.with("hnp") {
            options.extend(self.hnp.iter().map(|p| MobilityOption::HomeNetworkPrefix(*p)));
        }
        if self.with("handoff") {
            let hints = self.handoff.iter();
            options.extend(hints.map(|h| MobilityOption::HandoffIndicator(HandoffIndicator(*h))));
        }
        if self.with("att") {
            options.extend(self.att.iter().map(|a| MobilityOption::AccessTech(AccessTech(*a))));
        }
    }

    fn others(&self, now: Now, options: &mut Vec<MobilityOption<'_>>) {
        options.extend(self.ipv4.iter().map(|text| {
            let (a, len) = text.split_once('/').expect("an address and a length");
            let home = Ipv4Home::new(a.parse().expect("IPv4"), len.parse().expect("a length"));
            MobilityOption::Ipv4HomeAddressRequest(home.expect("at most 32"))
        }));
        options.extend(self.link_local.as_deref().map(|a| MobilityOption::LinkLocal(address(a))));
        let coa = self.alternate_coa.as_deref();
        options.extend(coa.map(|c| MobilityOption::AlternateCoa(mag(c))));
        let coa = self.alternate_ipv4_coa.as_deref().and_then(|c| mag(c).to_ipv4_mapped());
        options.extend(coa.map(MobilityOption::AlternateIpv4Coa));
        options.extend(self.gre.as_deref().map(|key| match key {
            "none" => MobilityOption::GreKey(None),
            key => MobilityOption::GreKey(Some(GreKey(key.parse().expect("a key")))),
        }));
        options.extend(self.user_plane.then_some(MobilityOption::LmaUserPlane(None)));
        options.extend(self.vendor.then_some(MobilityOption::Vendor(9, 1, &[1, 2, 3])));
        options.extend(self.unknown.map(|kind| MobilityOption::Unknown(kind, &[1, 2, 3])));
        let time = self.replay.map(|skew| ntp(now, skew));
        options.extend(time.map(MobilityOption::ReplayProtection));
    }

    /// Puts the options into the message, and behind them the one that authenticates it.
    fn authenticate(&self, msg: &mut UpdateMsg, options: Vec<MobilityOption<'_>>) {
        let data;
        let mut options: Vec<MobilityOption<'_>> = options;
        if self.aaa {
            options.push(MobilityOption::MessageAuth(2, 3, &[0; 12]));
        }
        if let Some(spi) = self.spi {
            let secret = if self.forged { secret(!spi) } else { secret(spi) };
            let care_of = self.alternate_coa.as_deref().map_or(msg.src, mag);
            data = auth_data(&msg.update, &options, spi, secret, care_of, msg.src);
            options.push(MobilityOption::MessageAuth(1, spi, &data));
        }
        if self.appended {
            options.push(MobilityOption::Unknown(201, b"not covered"));
        }
        msg.options = OwnedOptions::from_options(&options).expect("options that fit");
        if self.spi.is_some() || self.aaa {
            let mut header = [0; MAX_LEN];
            let len = msg.update.emit_in_udp(&options, &mut header).expect("a message");
            msg.header = header[..len].into();
        }
    }
}

/// The secret of the key with this SPI in every case.
pub(crate) fn secret(spi: u32) -> [u8; 16] {
    std::array::from_fn(|n| spi.to_be_bytes()[n % 4] ^ 0x5a)
}

/// The Authentication Data of RFC 4285 5.1 that stands behind `options`, made without the anchor's
/// own code.
pub(crate) fn auth_data<M: MessageData>(
    message: &M,
    options: &[MobilityOption<'_>],
    spi: u32,
    secret: [u8; 16],
    care_of: Ipv6Addr,
    home: Ipv6Addr,
) -> [u8; 12] {
    let mark = *b"to be filled";
    let mark_option = MobilityOption::MessageAuth(1, spi, &mark);
    let all: Vec<_> = options.iter().copied().chain([mark_option]).collect();
    let mut header = [0; MAX_LEN];
    let len = message.emit_in_udp(&all, &mut header).expect("a message");
    let at = header[..len].windows(mark.len()).rposition(|w| w == mark).expect("written");
    let mut mac = Hmac::<Sha1>::new_from_slice(&secret).expect("a key");
    mac.update(&care_of.octets());
    mac.update(&home.octets());
    mac.update(&header[..at]);
    mac.finalize().into_bytes()[..12].try_into().expect("96 bits")
}

/// The time of a Replay Protection option.
fn ntp(now: Now, skew: f64) -> u64 {
    let t = shifted(now.wall, skew).0;
    ((t >> 16) + 2_208_988_800) << 32 | (t & 0xffff) << 16
}
