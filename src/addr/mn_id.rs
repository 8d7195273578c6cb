//! A mobile node's identifier (RFC 4283) and its text.
//!
//! | subtype | text |
//! |---|---|
//! | 1 NAI | as it is: `mn1@example.org` |
//! | 2 IPv6 address | `ipv6:2001:db8::1` |
//! | 3 IMSI | `imsi:123456123456789` |
//! | 4 P-TMSI, 7 GUTI, 8 DUID | `p-tmsi:hex`, `guti:hex`, `duid:hex` |
//! | 5 EUI-48, 6 EUI-64 | `eui-48:02:00:00:00:00:01`, `eui-64:02:00:00:ff:fe:00:00:01` |
//! | any other, and what has not the form of its subtype | `subtype:hex` |
//!
//! A NAI has no unquoted colon (RFC 4282 section 2.1), so what is written in another form is never
//! taken for one; a NAI that does look like one is shown as `1:hex`.

use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::net::Ipv6Addr;
use std::sync::Arc;

/// A mobile node's identifier with its subtype (RFC 4283, RFC 8371). Serialised as its text for
/// people (JSON, TOML), as its fields in binary formats. Its bytes are shared by all copies: a
/// session, its timers and what is noted of it name the same node.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MnId {
    subtype: u8,
    bytes: Arc<[u8]>,
}

/// Subtypes of RFC 8371 section 6 and the names that introduce their text.
const NAMED: [(u8, &str); 7] = [
    (MnId::IPV6, "ipv6"),
    (MnId::IMSI, "imsi"),
    (MnId::P_TMSI, "p-tmsi"),
    (MnId::EUI_48, "eui-48"),
    (MnId::EUI_64, "eui-64"),
    (MnId::GUTI, "guti"),
    (MnId::DUID, "duid"),
];

/// Most digits of an IMSI (RFC 8371 4.2).
const IMSI_DIGITS_MAX: usize = 15;

/// The nibble that fills the last byte of an IMSI with an odd number of digits (RFC 8371 4.2).
const IMSI_FILLER: u8 = 0xf;

impl MnId {
    /// Subtype 1, a Network Access Identifier.
    pub const NAI: u8 = 1;
    /// Subtype 2, an IPv6 address.
    pub const IPV6: u8 = 2;
    /// Subtype 3, an International Mobile Subscriber Identity, a digit in each nibble.
    pub const IMSI: u8 = 3;
    /// Subtype 4, a Packet Temporary Mobile Subscriber Identity.
    pub const P_TMSI: u8 = 4;
    /// Subtype 5, an EUI-48.
    pub const EUI_48: u8 = 5;
    /// Subtype 6, an EUI-64.
    pub const EUI_64: u8 = 6;
    /// Subtype 7, a Globally Unique Temporary UE Identity.
    pub const GUTI: u8 = 7;
    /// Subtype 8, a DHCPv6 Unique Identifier.
    pub const DUID: u8 = 8;

    /// The longest identifier that the option's length field can carry.
    pub const MAX_LEN: usize = 254;

    /// From an option's fields; `None` if longer than [`Self::MAX_LEN`].
    #[must_use]
    pub fn new(subtype: u8, bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= Self::MAX_LEN).then(|| Self { subtype, bytes: bytes.into() })
    }

    /// A Network Access Identifier; `None` if longer than [`Self::MAX_LEN`].
    #[must_use]
    pub fn nai(s: &str) -> Option<Self> {
        Self::new(Self::NAI, s.as_bytes())
    }

    /// The inverse of `Display`.
    fn from_text(s: &str) -> Option<Self> {
        let coded = s.split_once(':').and_then(|(name, text)| {
            if let Ok(subtype) = name.parse() {
                return Some((subtype, from_hex(text)?));
            }
            let (subtype, _) = NAMED.into_iter().find(|(_, n)| *n == name)?;
            Some((subtype, from_form(subtype, text)?))
        });
        match coded {
            Some((subtype, bytes)) => Self::new(subtype, &bytes),
            None => Self::nai(s),
        }
    }

    /// The identifier in the form of its subtype, if it has that form.
    fn to_form(&self) -> Option<String> {
        let name = || NAMED.into_iter().find(|(subtype, _)| *subtype == self.subtype);
        match self.subtype {
            Self::NAI => {
                let text = core::str::from_utf8(&self.bytes).ok()?;
                let printable = text.chars().all(|c| !c.is_control());
                // A NAI that reads as something else would not be parsed back.
                (printable && Self::from_text(text).as_ref() == Some(self)).then(|| text.into())
            }
            subtype => {
                let text = to_form(subtype, &self.bytes)?;
                name().map(|(_, name)| format!("{name}:{text}"))
            }
        }
    }

    /// The subtype of RFC 4283 and its registry.
    #[must_use]
    pub const fn subtype(&self) -> u8 {
        self.subtype
    }

    /// The identifier, as it stands on the wire.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The realm of a NAI: what stands behind the last `@`. Realms are compared without regard to
    /// the case of letters (RFC 7542 2.4).
    #[must_use]
    pub fn realm(&self) -> Option<&[u8]> {
        let at = self.bytes.iter().rposition(|b| *b == b'@')?;
        let realm = self.bytes.get(at + 1..)?;
        (self.subtype == Self::NAI && !realm.is_empty()).then_some(realm)
    }
}

/// The text of an identifier of a named subtype, the name left out; `None` if the bytes have not
/// its form.
fn to_form(subtype: u8, bytes: &[u8]) -> Option<String> {
    match subtype {
        MnId::IPV6 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_string()),
        MnId::IMSI => {
            let mut nibbles: Vec<u8> = bytes.iter().flat_map(|b| [b >> 4, b & 0xf]).collect();
            nibbles.pop_if(|last| *last == IMSI_FILLER);
            let digits: String =
                nibbles.iter().map(|n| char::from_digit((*n).into(), 10)).collect::<Option<_>>()?;
            (1..=IMSI_DIGITS_MAX).contains(&digits.len()).then_some(digits)
        }
        MnId::EUI_48 | MnId::EUI_64 => {
            let len = if subtype == MnId::EUI_48 { 6 } else { 8 };
            let hex: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
            (bytes.len() == len).then(|| hex.join(":"))
        }
        MnId::P_TMSI | MnId::GUTI | MnId::DUID => (!bytes.is_empty()).then(|| to_hex(bytes)),
        _ => None,
    }
}

/// The inverse of [`to_form`].
fn from_form(subtype: u8, text: &str) -> Option<Vec<u8>> {
    let bytes = match subtype {
        MnId::IPV6 => text.parse::<Ipv6Addr>().ok()?.octets().into(),
        MnId::IMSI => {
            let digit = |c: char| c.to_digit(10).and_then(|d| u8::try_from(d).ok());
            let digits: Vec<u8> = text.chars().map(digit).collect::<Option<_>>()?;
            let pair = |d: &[u8]| d[0] << 4 | d.get(1).copied().unwrap_or(IMSI_FILLER);
            digits.chunks(2).map(pair).collect()
        }
        MnId::EUI_48 | MnId::EUI_64 => {
            let octet = |o: &str| from_hex(o).filter(|o| o.len() == 1);
            text.split(':').map(octet).collect::<Option<Vec<_>>>()?.concat()
        }
        _ => from_hex(text)?,
    };
    // Only what is rendered the same way: the lengths are verified there.
    to_form(subtype, &bytes).map(|_| bytes)
}

fn to_hex(bytes: &[u8]) -> String {
    let hex: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
    hex.concat()
}

fn from_hex(hex: &str) -> Option<Vec<u8>> {
    let digit = |c: char| c.to_digit(16).and_then(|d| u8::try_from(d).ok());
    let digits: Vec<u8> = hex.chars().map(digit).collect::<Option<_>>()?;
    digits.chunks(2).map(|d| Some(d[0] << 4 | d.get(1)?)).collect()
}

impl fmt::Display for MnId {
    /// The text of the table in the module's description.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_form() {
            Some(text) => f.pad(&text),
            None => f.pad(&format!("{}:{}", self.subtype, to_hex(&self.bytes))),
        }
    }
}

/// Text that is no identifier: empty, or longer than [`MnId::MAX_LEN`] octets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no node identifier (a NAI, imsi:digits, or subtype:hex, of 1 to 254 octets)")]
pub struct MnIdError(String);

impl FromStr for MnId {
    type Err = MnIdError;
    /// The inverse of `Display`, for what people write: an empty identifier is refused.
    fn from_str(s: &str) -> Result<Self, MnIdError> {
        Self::from_text(s).filter(|id| !id.bytes.is_empty()).ok_or_else(|| MnIdError(s.into()))
    }
}

impl fmt::Debug for MnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for MnId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            s.collect_str(self)
        } else {
            (self.subtype, &*self.bytes).serialize(s)
        }
    }
}

impl<'de> Deserialize<'de> for MnId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            let text = String::deserialize(d)?;
            let long = || de::Error::invalid_length(text.len(), &"at most 254 octets");
            return Self::from_text(&text).ok_or_else(long);
        }
        let (subtype, bytes) = <(u8, Box<[u8]>)>::deserialize(d)?;
        Self::new(subtype, &bytes)
            .ok_or_else(|| de::Error::invalid_length(bytes.len(), &"at most 254 octets"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn unprintable_identifier_is_rendered_as_hex() {
        assert_eq!(
            MnId::nai("mn1@example.org").map(|m| m.to_string()),
            Some("mn1@example.org".into())
        );
        assert_eq!(MnId::new(1, b"a\0b").map(|m| m.to_string()), Some("1:610062".into()));
    }

    #[test]
    fn identifiers_are_text_in_json_and_fields_in_postcard() {
        let id = MnId::new(1, b"a\0b").expect("short");
        assert_eq!(serde_json::to_string(&id).expect("text"), "\"1:610062\"");
        let bytes = postcard::to_allocvec(&id).expect("bytes");
        assert_eq!(bytes, [1, 3, b'a', 0, b'b']);
        assert_eq!(postcard::from_bytes(&bytes), Ok(id));
        // The length of 255 is refused as on the wire.
        assert!(
            postcard::from_bytes::<MnId>(&[[1, 255, 1].as_slice(), &[0; 255]].concat()).is_err()
        );
    }

    #[test]
    fn each_subtype_has_its_text() {
        let texts: [(u8, &[u8], &str); 13] = [
            (2, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "ipv6:2001:db8::1"),
            (2, &[0xfe; 9], "2:fefefefefefefefefe"),
            // The example of RFC 8371 section 4.2.
            (3, &[0x12, 0x34, 0x56, 0x12, 0x34, 0x56, 0x78, 0x9f], "imsi:123456123456789"),
            (3, &[0x12, 0x34], "imsi:1234"),
            (3, &[0x12, 0xf4], "3:12f4"),
            (3, &[0x12; 8], "3:1212121212121212"),
            (4, &[0xc0, 1, 2, 3], "p-tmsi:c0010203"),
            (5, &[2, 0, 0, 0, 0, 0xa], "eui-48:02:00:00:00:00:0a"),
            (5, &[2, 0, 0], "5:020000"),
            (6, &[2, 0, 0, 0xff, 0xfe, 0, 0, 1], "eui-64:02:00:00:ff:fe:00:00:01"),
            (7, &[1], "guti:01"),
            (8, &[0, 3, 0, 1, 2, 0, 0, 0, 0, 1], "duid:00030001020000000001"),
            (9, &[1, 2], "9:0102"),
        ];
        for (subtype, bytes, text) in texts {
            let id = MnId::new(subtype, bytes).expect("short");
            assert_eq!(id.to_string(), text);
            assert_eq!(text.parse(), Ok(id), "{text}");
        }
    }

    #[test]
    fn identifier_that_looks_like_another_is_not_taken_for_it() {
        for text in ["2:abcd", "imsi:123", "duid:00"] {
            let nai = MnId::nai(text).expect("short");
            let parsed: MnId = text.parse().expect("another subtype");
            assert_ne!(parsed.subtype(), MnId::NAI, "{text}");
            assert_eq!(nai.to_string().parse(), Ok(nai), "{text}");
        }
        for text in ["", "2:", "imsi"] {
            assert_eq!(text.parse::<MnId>().ok(), MnId::nai(text).filter(|_| text == "imsi"));
        }
        assert!("a".repeat(255).parse::<MnId>().is_err());
    }

    proptest! {
        #[test]
        fn identifier_is_parsed_back_from_its_rendering(
            subtype in 0..12_u8,
            bytes in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let id = MnId::new(subtype, &bytes).expect("short");
            let json = serde_json::to_string(&id).expect("text");
            prop_assert_eq!(serde_json::from_str::<MnId>(&json).ok(), Some(id));
        }

        #[test]
        fn any_text_is_parsed_back_from_its_rendering(text in "[ -~]{1,30}|[a-z0-9-]{1,6}:[0-9a-f:]{0,12}") {
            if let Ok(id) = text.parse::<MnId>() {
                prop_assert_eq!(id.to_string().parse(), Ok(id));
            }
        }
    }
}
