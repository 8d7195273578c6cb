//! Access Technology Type (RFC 5213 section 8.5 and the IANA registry that it made).

use core::fmt;
use serde::{Deserialize, Serialize};

/// The access technology over which a node is attached. Values without a name survive.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct AccessTech(pub u8);

impl AccessTech {
    /// A few words for people; `None` for a value that we do not know.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self.0 {
            0 => Some("reserved"),
            1 => Some("virtual"),
            2 => Some("PPP"),
            3 => Some("Ethernet"),
            4 => Some("WLAN"),
            5 => Some("WiMAX"),
            6 => Some("3GPP GERAN"),
            7 => Some("3GPP UTRAN"),
            8 => Some("3GPP E-UTRAN"),
            9 => Some("3GPP2 eHRPD"),
            10 => Some("3GPP2 HRPD"),
            11 => Some("3GPP2 1xRTT"),
            12 => Some("3GPP2 UMB"),
            13 => Some("3GPP NB-IoT"),
            _ => None,
        }
    }
}

impl fmt::Display for AccessTech {
    /// The name, or the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad(&self.0.to_string()),
        }
    }
}
