//! Status of a Binding Acknowledgement and its names.

use core::fmt;
use serde::{Deserialize, Serialize};

/// Status of a Binding Acknowledgement. Below 128 the update was accepted (RFC 6275 6.1.8,
/// RFC 5213 8.9). Values without a name survive.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Status(pub u8);

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $value:literal,)*) => {
        impl Status {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// The name in the RFC that defines it; `None` for a value that we do not know.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

// RFC 6275 names its values by sentences only; these are ours. RFC 5213 8.9 has names.
statuses! {
    /// Binding Update accepted.
    ACCEPTED = 0,
    /// Accepted but prefix discovery necessary.
    ACCEPTED_PREFIX_DISCOVERY_NECESSARY = 1,
    /// Accepted, but GRE encapsulation and keys are not needed (RFC 5845 6.4).
    GRE_KEY_OPTION_NOT_REQUIRED = 2,
    /// Accepted with GRE encapsulation, but without the TLV-header (RFC 5845 6.4).
    GRE_TUNNELING_BUT_TLV_HEADER_NOT_SUPPORTED = 3,
    /// Reason unspecified.
    REASON_UNSPECIFIED = 128,
    /// Administratively prohibited.
    ADMINISTRATIVELY_PROHIBITED = 129,
    /// Insufficient resources.
    INSUFFICIENT_RESOURCES = 130,
    /// Home registration not supported.
    HOME_REGISTRATION_NOT_SUPPORTED = 131,
    /// Not home subnet.
    NOT_HOME_SUBNET = 132,
    /// Not home agent for this mobile node.
    NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE = 133,
    /// Duplicate Address Detection failed.
    DUPLICATE_ADDRESS_DETECTION_FAILED = 134,
    /// Sequence number out of window.
    SEQUENCE_NUMBER_OUT_OF_WINDOW = 135,
    /// Expired home nonce index.
    EXPIRED_HOME_NONCE_INDEX = 136,
    /// Expired care-of nonce index.
    EXPIRED_CARE_OF_NONCE_INDEX = 137,
    /// Expired nonces.
    EXPIRED_NONCES = 138,
    /// Registration type change disallowed.
    REGISTRATION_TYPE_CHANGE_DISALLOWED = 139,
    /// The R flag without the H flag (RFC 3963 4.2).
    MOBILE_ROUTER_OPERATION_NOT_PERMITTED = 140,
    /// A Mobile Network Prefix is none, or is not of the home agent (RFC 3963 4.2).
    INVALID_PREFIX = 141,
    /// The mobile router may not have the prefix (RFC 3963 4.2).
    NOT_AUTHORIZED_FOR_PREFIX = 142,
    /// There is nothing that could be forwarded (RFC 3963 4.2).
    FORWARDING_SETUP_FAILED = 143,
    /// The time of the Replay Protection option is not close enough, or not new (RFC 4285 6).
    MIPV6_ID_MISMATCH = 144,
    /// A Replay Protection option is needed (RFC 4285 6).
    MIPV6_MESG_ID_REQD = 145,
    /// The Mobility Message Authentication option does not verify (RFC 4285 5.1.1).
    MIPV6_AUTH_FAIL = 146,
    /// The node may not use the service that it selected (RFC 5149 4.2).
    SERVICE_AUTHORIZATION_FAILED = 151,
    /// Proxy registration not enabled for the mobile node (RFC 5213 8.9).
    PROXY_REG_NOT_ENABLED = 152,
    /// Not local mobility anchor for this mobile node (RFC 5213 8.9).
    NOT_LMA_FOR_THIS_MOBILE_NODE = 153,
    /// The gateway is not authorized to send proxy binding updates (RFC 5213 8.9).
    MAG_NOT_AUTHORIZED_FOR_PROXY_REG = 154,
    /// The node is not authorized for one of the prefixes (RFC 5213 8.9).
    NOT_AUTHORIZED_FOR_HOME_NETWORK_PREFIX = 155,
    /// Clocks out of sync (RFC 5213 8.9).
    TIMESTAMP_MISMATCH = 156,
    /// Timestamp lower than the previously accepted one (RFC 5213 8.9).
    TIMESTAMP_LOWER_THAN_PREV_ACCEPTED = 157,
    /// Missing Home Network Prefix option (RFC 5213 8.9).
    MISSING_HOME_NETWORK_PREFIX_OPTION = 158,
    /// The prefixes of the binding are not those of the update (RFC 5213 8.9).
    BCE_PBU_PREFIX_SET_DO_NOT_MATCH = 159,
    /// Missing Mobile Node Identifier option (RFC 5213 8.9).
    MISSING_MN_IDENTIFIER_OPTION = 160,
    /// Missing Handoff Indicator option (RFC 5213 8.9).
    MISSING_HANDOFF_INDICATOR_OPTION = 161,
    /// Missing Access Technology Type option (RFC 5213 8.9).
    MISSING_ACCESS_TECH_TYPE_OPTION = 162,
    /// GRE encapsulation is needed and was not asked for (RFC 5845 6.4).
    GRE_KEY_OPTION_REQUIRED = 163,
    /// A Binding Identifier option is malformed (RFC 5648 4.5).
    MCOA_MALFORMED = 164,
    /// Several care-of addresses are not served (RFC 5648 4.5).
    MCOA_PROHIBITED = 166,
    /// The node may not use IPv4 (RFC 5844 3.3.5).
    NOT_AUTHORIZED_FOR_IPV4_MOBILITY_SERVICE = 170,
    /// The node may not use this IPv4 home address (RFC 5844 3.3.5).
    NOT_AUTHORIZED_FOR_IPV4_HOME_ADDRESS = 171,
    /// The node may not use IPv6 (RFC 5844 3.3.5).
    NOT_AUTHORIZED_FOR_IPV6_MOBILITY_SERVICE = 172,
    /// One IPv4 home address is all that a node gets (RFC 5844 3.3.5).
    MULTIPLE_IPV4_HOME_ADDRESS_ASSIGNMENT_NOT_SUPPORTED = 173,
    /// Invalid Care-of Address.
    INVALID_CARE_OF_ADDRESS = 174,
}

impl Status {
    /// Whether the update was accepted.
    #[must_use]
    pub const fn is_accepted(self) -> bool {
        self.0 < 128
    }
}

impl fmt::Display for Status {
    /// `153 NOT_LMA_FOR_THIS_MOBILE_NODE`, or the number alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(&format!("{} {name}", self.0)),
            None => f.pad(&self.0.to_string()),
        }
    }
}
