//! What the control core counts: `anchorctl stats show`.

use core::ops::{Index, IndexMut};

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $variant:ident => $name:literal),+ $(,)?) => {
        /// One thing that the control core counts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Counter {
            $($(#[doc = $doc])+ $variant),+
        }

        impl Counter {
            /// All of them, in the order of `stats show`.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name in `stats show`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }
        }
    };
}

counters! {
    /// Proxy Binding Updates handed to the pure core.
    PbuReceived => "pbu_received",
    /// Proxy Binding Acknowledgements sent: on a worker's ring, or held for their next hop.
    PbaSent => "pba_sent",
    /// Binding Errors sent.
    BindingErrorSent => "binding_error_sent",
    /// Home registrations that began.
    HomeRegistered => "home_registered",
    /// Home registrations that were extended.
    HomeRefreshed => "home_refreshed",
    /// Home registrations that moved to another care-of address.
    HomeMoved => "home_moved",
    /// Home registrations that nodes ended.
    HomeDeregistered => "home_deregistered",
    /// Home registrations whose lifetime ran out.
    HomeExpired => "home_expired",
    /// Home registrations that operators deleted.
    HomeDeleted => "home_deleted",
    /// Home registrations that a gateway took over.
    HomeProxied => "home_proxied",
    /// Home registrations that ended because another configuration has not their prefix any more.
    HomePrefixGone => "home_prefix_gone",
    /// Mobile Prefix Advertisements that mobile nodes had asked for.
    PrefixAdvertisementSolicited => "prefix_advertisement_solicited",
    /// Mobile Prefix Advertisements that nobody had asked for, retransmissions included.
    PrefixAdvertisementUnsolicited => "prefix_advertisement_unsolicited",
    /// The same sent for the last time, for the node had not answered any before.
    PrefixAdvertisementUnanswered => "prefix_advertisement_unanswered",
    /// Binding updates of mobile nodes refused.
    HomeRefused => "home_refused",
    /// Messages of mobile nodes ignored without an answer.
    HomeIgnored => "home_ignored",
    /// Binding Refresh Requests sent to mobile nodes.
    RefreshRequestSent => "refresh_request_sent",
    /// Home Agent Switch messages sent to mobile nodes.
    HomeAgentSwitchSent => "home_agent_switch_sent",
    /// Binding Errors received.
    BindingErrorReceived => "binding_error_received",
    /// Binding Revocation Indications sent, retransmissions included.
    BriSent => "bri_sent",
    /// Binding Revocation Indications received.
    BriReceived => "bri_received",
    /// Binding Revocation Acknowledgements sent.
    BraSent => "bra_sent",
    /// Binding Revocation Acknowledgements received.
    BraReceived => "bra_received",
    /// Messages of Mobile IPv4 handed to the pure core.
    Mip4Received => "mip4_received",
    /// Messages of Mobile IPv4 sent: on a worker's ring, or held for their next hop.
    Mip4Sent => "mip4_sent",
    /// Registrations of Mobile IPv4 that began.
    Mip4Registered => "mip4_registered",
    /// Bindings of Mobile IPv4 whose lifetime was extended.
    Mip4Refreshed => "mip4_refreshed",
    /// Nodes of Mobile IPv4 with another care-of address, or one more.
    Mip4Moved => "mip4_moved",
    /// Bindings of Mobile IPv4 that nodes ended.
    Mip4Deregistered => "mip4_deregistered",
    /// Bindings of Mobile IPv4 whose lifetime ran out.
    Mip4Expired => "mip4_expired",
    /// Registrations of Mobile IPv4 that were deleted.
    Mip4Deleted => "mip4_deleted",
    /// The same, of which the other end of the tunnel was told.
    Mip4Revoking => "mip4_revoking",
    /// Bindings of Mobile IPv4 ended by revocation, ours or a foreign agent's.
    Mip4Revoked => "mip4_revoked",
    /// Revocations of Mobile IPv4 that nobody acknowledged.
    Mip4RevocationUnanswered => "mip4_revocation_unanswered",
    /// Byte-identical requests of Mobile IPv4 answered again.
    Mip4Duplicate => "mip4_duplicate",
    /// Tunnels of Mobile IPv4 whose end the first keepalive told.
    Mip4Bound => "mip4_bound",
    /// Keepalives of Mobile IPv4 from the end of a tunnel that are of no tunnel: not answered.
    Mip4KeepaliveRefused => "mip4_keepalive_refused",
    /// Requests of Mobile IPv4 denied with a code.
    Mip4Denied => "mip4_denied",
    /// Messages of Mobile IPv4 ignored without an answer: not readable, not authentic, old, or an
    /// answer to nothing.
    Mip4Ignored => "mip4_ignored",
    /// Heartbeats sent, requests and responses.
    HeartbeatSent => "heartbeat_sent",
    /// Heartbeats received, requests and responses.
    HeartbeatReceived => "heartbeat_received",
    /// ICMPv6 Parameter Problems sent.
    ParameterProblemSent => "parameter_problem_sent",
    /// Error answers that the rate limit swallowed.
    ErrorRateLimited => "error_rate_limited",
    /// Signaling frames that are no well-formed IPv6 packet with a Mobility Header.
    SignalingMalformed => "signaling_malformed",
    /// Mobility Headers whose checksum does not verify: discarded in silence.
    SignalingChecksum => "signaling_checksum",
    /// Mobility Headers refused for a length, a value or the payload proto field.
    SignalingRefused => "signaling_refused",
    /// Mobility Headers of an unknown type.
    SignalingUnknownType => "signaling_unknown_type",
    /// Binding Updates of mobile nodes handed to the pure core.
    BuReceived => "bu_received",
    /// Binding Acknowledgements sent to mobile nodes.
    BaSent => "ba_sent",
    /// Discovery requests and prefix solicitations of mobile nodes.
    HomeQuestionReceived => "home_question_received",
    /// Packets to us with a Home Address option that no binding goes with: discarded.
    HomeAddressUnbound => "home_address_unbound",
    /// Home addresses that somebody on the home link has already.
    HomeAddressTaken => "home_address_taken",
    /// Neighbour solicitations of home addresses that were answered in the name of their nodes.
    HomeAddressDefended => "home_address_defended",
    /// Packets to link-local addresses of nodes away from their home links: discarded.
    HomeLinkLocalDiscarded => "home_link_local_discarded",
    /// ICMPv6 Destination Unreachable messages sent about them.
    UnreachableSent => "unreachable_sent",
    /// Mobility Headers without ESP in the name of gateways of which it is required: discarded.
    SignalingUnprotected => "signaling_unprotected",
    /// Messages that an anchor does not expect (BRR, BA).
    SignalingUnexpected => "signaling_unexpected",
    /// Paths to gateways found to carry less than was known.
    PathMtuLearnt => "path_mtu_learnt",
    /// Such findings that expired, ten minutes later.
    PathMtuForgotten => "path_mtu_forgotten",
    /// Such findings that were not kept, for want of room.
    PathMtuIgnored => "path_mtu_ignored",
    /// New mobility sessions.
    BindingCreated => "binding_created",
    /// Lifetimes extended by the same gateway.
    BindingRefreshed => "binding_refreshed",
    /// Sessions moved to another gateway.
    BindingHandedOff => "binding_handed_off",
    /// De-registrations accepted.
    BindingDeregistered => "binding_deregistered",
    /// Sessions that gave back their IPv4 home address alone, or their prefixes alone.
    BindingFamilyReleased => "binding_family_released",
    /// Sessions taken up again within the delete delay.
    BindingRevived => "binding_revived",
    /// Sessions whose lifetime ran out.
    BindingExpired => "binding_expired",
    /// Sessions deleted.
    BindingDeleted => "binding_deleted",
    /// Sessions whose gateway was told that they are revoked.
    BindingRevoking => "binding_revoking",
    /// Sessions ended by revocation.
    BindingRevoked => "binding_revoked",
    /// Sessions deleted because their gateway failed or restarted.
    BindingLost => "binding_lost",
    /// Indications that a gateway refused.
    RevocationRefused => "revocation_refused",
    /// Indications that were given up: not answered, nor were their retransmissions.
    RevocationUnanswered => "revocation_unanswered",
    /// Indications of gateways that were refused.
    RevocationDenied => "revocation_denied",
    /// Gateways that do not know Binding Revocation.
    RevocationUnsupported => "revocation_unsupported",
    /// Gateways that did not answer heartbeats any more.
    PeerFailed => "peer_failed",
    /// Gateways that restarted and lost their sessions.
    PeerRestarted => "peer_restarted",
    /// Gateways that do not know heartbeats.
    HeartbeatUnsupported => "heartbeat_unsupported",
    /// Revocations, heartbeats and errors from strangers, or that answer nothing that was sent.
    PeerIgnored => "peer_ignored",
    /// Byte-identical duplicates answered again.
    PbuDuplicate => "pbu_duplicate",
    /// Updates refused with a status.
    PbuRefused => "pbu_refused",
    /// Updates that the RFC says to ignore.
    PbuIgnored => "pbu_ignored",
    /// Updates that waited for the policy store, those sent again included.
    PbuParked => "pbu_parked",
    /// Questions put to the policy store.
    PolicyAsked => "policy_asked",
    /// Questions that could not be put, as too many waited: refused with status 130 at once.
    PolicyUnasked => "policy_unasked",
    /// Questions that the policy store answered in time.
    PolicyAnswered => "policy_answered",
    /// Questions that it did not answer in time: what waited was refused with status 130.
    PolicyOverdue => "policy_overdue",
    /// Answers of the policy store that nobody asked for, or that came too late.
    PolicyStray => "policy_stray",
    /// Answers of the policy store that are none: what waited was refused with status 130.
    PolicyUnusable => "policy_unusable",
    /// Updates refused with status 130 because too many waited for the policy store.
    PolicyRoomFull => "policy_room_full",
    /// Configurations put in force while we run.
    ConfigReloaded => "config_reloaded",
    /// Configurations that were to be put in force and were refused: nothing changed.
    ConfigRefused => "config_refused",
    /// Frames given to the kernel.
    KernelTx => "kernel_tx",
    /// Frames for the kernel dropped: its queue was full, or the frame had several segments.
    KernelTxDropped => "kernel_tx_dropped",
    /// Frames taken from the kernel.
    KernelRx => "kernel_rx",
    /// Frames of the kernel dropped: no buffer, or longer than a buffer.
    KernelRxDropped => "kernel_rx_dropped",
    /// Mobility Headers of ours that the kernel sent without ESP: dropped, as it was to protect
    /// them.
    KernelUnprotected => "kernel_unprotected",
    /// Mobility Headers that the kernel took out of ESP.
    IpsecRx => "ipsec_rx",
    /// The same, dropped because the queue to the control core was full.
    IpsecRxDropped => "ipsec_rx_dropped",
    /// Messages given to the kernel, which puts them into ESP.
    IpsecTx => "ipsec_tx",
    /// Messages to be protected that were dropped: its queue was full, the kernel refused them, or
    /// it has no IPsec.
    IpsecTxDropped => "ipsec_tx_dropped",
    /// Frames for a worker's transmission dropped because its ring was full.
    InjectDropped => "inject_dropped",
    /// Frames of our own dropped because there was no buffer.
    NoBuffer => "no_buffer",
    /// Messages of our own dropped because they exceed the MTU.
    MessageTooLong => "message_too_long",
    /// Messages of our own dropped because no route leads to their destination.
    NoRoute => "no_route",
    /// Frames held until their next hop is resolved.
    NeighborHeld => "neighbor_held",
    /// Frames dropped while they waited for a next hop: queue full, or it never answered.
    NeighborHeldDropped => "neighbor_held_dropped",
    /// Requests to the kernel to resolve a next hop.
    NeighborAsked => "neighbor_asked",
    /// Updates queued because a worker's ring was full.
    UpdateBacklogged => "update_backlogged",
    /// Messages refused or dropped because too many of their gateway's waited.
    SignalingOverflow => "signaling_overflow",
    /// Frames refused or dropped because their gateway sent more than it may.
    SignalingOverRate => "signaling_over_rate",
    /// Updates refused with status 130 because there was no time for them.
    PbuRefusedBusy => "pbu_refused_busy",
    /// Polls in which signaling waited for workers or the journal to catch up.
    SignalingPaused => "signaling_paused",
    /// Bindings restored at start.
    BindingRestored => "binding_restored",
}

/// The values; only the control core writes them.
#[derive(Debug, Clone)]
pub(super) struct Counters([u64; Counter::ALL.len()]);

impl Default for Counters {
    fn default() -> Self {
        Self([0; Counter::ALL.len()])
    }
}

impl Index<Counter> for Counters {
    type Output = u64;
    fn index(&self, counter: Counter) -> &u64 {
        &self.0[counter as usize]
    }
}

impl IndexMut<Counter> for Counters {
    fn index_mut(&mut self, counter: Counter) -> &mut u64 {
        &mut self.0[counter as usize]
    }
}
