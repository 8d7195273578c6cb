//! Handoff Indicator (RFC 5213 section 8.4).

use core::fmt;
use serde::{Deserialize, Serialize};

/// What the gateway knows of the kind of handoff. Values without a name survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HandoffIndicator(pub u8);

impl HandoffIndicator {
    /// Attachment over a new interface.
    pub const NEW_INTERFACE: Self = Self(1);
    /// Handoff between two interfaces of the mobile node.
    pub const BETWEEN_INTERFACES: Self = Self(2);
    /// Handoff between gateways for the same interface.
    pub const SAME_INTERFACE: Self = Self(3);
    /// Handoff state unknown.
    pub const UNKNOWN: Self = Self(4);
    /// Handoff state not changed: a re-registration.
    pub const NOT_CHANGED: Self = Self(5);

    /// A few words for people; `None` for a value that we do not know.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::NEW_INTERFACE => Some("new interface"),
            Self::BETWEEN_INTERFACES => Some("between interfaces"),
            Self::SAME_INTERFACE => Some("same interface"),
            Self::UNKNOWN => Some("unknown"),
            Self::NOT_CHANGED => Some("not changed"),
            _ => None,
        }
    }
}

impl fmt::Display for HandoffIndicator {
    /// The name, or the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad(&self.0.to_string()),
        }
    }
}
