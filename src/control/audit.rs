//! What the pure core says of bindings, counted and logged.

use super::Control;
use super::counters::Counter;
use crate::mobility::action::{Audit, AuditKind, HomeAudit, Ignored, Mip4Audit};
use crate::nic::FramePool;
use crate::time::Now;

impl<P: FramePool> Control<P> {
    pub(super) fn note(&mut self, audit: &Audit, now: Now) {
        self.counters[counter(audit.kind)] += 1;
        // What a peer can trigger is limited: `stats show` has the whole count.
        if self.log_limit.admit(now.mono) {
            let mn_id = audit.mn_id.as_ref().map(tracing::field::display);
            let mag = audit.proxy_coa.map(tracing::field::display);
            match audit.kind {
                AuditKind::Mip4(kind) if is_security_exception(kind) => {
                    tracing::warn!(mn_id, mag, ?kind, "security exception");
                }
                kind => tracing::info!(mn_id, mag, ?kind, "binding"),
            }
        }
    }
}

const fn counter(kind: AuditKind) -> Counter {
    match kind {
        AuditKind::Created => Counter::BindingCreated,
        AuditKind::Refreshed => Counter::BindingRefreshed,
        AuditKind::HandedOff => Counter::BindingHandedOff,
        AuditKind::Deregistered => Counter::BindingDeregistered,
        AuditKind::Ipv4Released | AuditKind::Ipv6Released => Counter::BindingFamilyReleased,
        AuditKind::Revived => Counter::BindingRevived,
        AuditKind::Expired => Counter::BindingExpired,
        AuditKind::Deleted => Counter::BindingDeleted,
        AuditKind::Revoking => Counter::BindingRevoking,
        AuditKind::Revoked => Counter::BindingRevoked,
        AuditKind::Lost => Counter::BindingLost,
        AuditKind::RevocationRefused(_) => Counter::RevocationRefused,
        AuditKind::RevocationUnanswered => Counter::RevocationUnanswered,
        AuditKind::RevocationDenied(_) => Counter::RevocationDenied,
        AuditKind::RevocationUnsupported => Counter::RevocationUnsupported,
        AuditKind::Home(kind) => of_home(kind),
        AuditKind::Mip4(kind) => of_mip4(kind),
        AuditKind::PeerFailed => Counter::PeerFailed,
        AuditKind::PeerRestarted => Counter::PeerRestarted,
        AuditKind::HeartbeatUnsupported => Counter::HeartbeatUnsupported,
        AuditKind::Ignored(Ignored::Stranger | Ignored::Stray) => Counter::PeerIgnored,
        AuditKind::PolicyOverdue => Counter::PolicyOverdue,
        AuditKind::PolicyRoomFull => Counter::PolicyRoomFull,
        AuditKind::PolicyStray => Counter::PolicyStray,
        AuditKind::Ignored(Ignored::Parked) => Counter::PbuParked,
        AuditKind::Duplicate => Counter::PbuDuplicate,
        AuditKind::Refused(_) => Counter::PbuRefused,
        AuditKind::Ignored(_) => Counter::PbuIgnored,
    }
}

const fn of_home(kind: HomeAudit) -> Counter {
    match kind {
        HomeAudit::Registered => Counter::HomeRegistered,
        HomeAudit::Refreshed => Counter::HomeRefreshed,
        HomeAudit::Moved => Counter::HomeMoved,
        HomeAudit::Deregistered => Counter::HomeDeregistered,
        HomeAudit::Expired => Counter::HomeExpired,
        HomeAudit::Deleted => Counter::HomeDeleted,
        HomeAudit::Proxied => Counter::HomeProxied,
        HomeAudit::PrefixGone => Counter::HomePrefixGone,
        HomeAudit::Unheard => Counter::PrefixAdvertisementUnanswered,
        HomeAudit::Refused(_) => Counter::HomeRefused,
        HomeAudit::Ignored(_) => Counter::HomeIgnored,
    }
}

const fn of_mip4(kind: Mip4Audit) -> Counter {
    match kind {
        Mip4Audit::Registered => Counter::Mip4Registered,
        Mip4Audit::Refreshed => Counter::Mip4Refreshed,
        Mip4Audit::Moved => Counter::Mip4Moved,
        Mip4Audit::Deregistered => Counter::Mip4Deregistered,
        Mip4Audit::Expired => Counter::Mip4Expired,
        Mip4Audit::Deleted => Counter::Mip4Deleted,
        Mip4Audit::Revoking => Counter::Mip4Revoking,
        Mip4Audit::Revoked => Counter::Mip4Revoked,
        Mip4Audit::RevocationUnanswered => Counter::Mip4RevocationUnanswered,
        Mip4Audit::Duplicate => Counter::Mip4Duplicate,
        Mip4Audit::Bound => Counter::Mip4Bound,
        Mip4Audit::KeepaliveRefused => Counter::Mip4KeepaliveRefused,
        Mip4Audit::Denied(_) => Counter::Mip4Denied,
        Mip4Audit::Ignored(_) => Counter::Mip4Ignored,
    }
}

/// RFC 5944 3.8.2.1: what should be logged as one. So should what may be a bogus keepalive (RFC
/// 3519 6.1.2), and what comes out of a reverse tunnel in another's name (RFC 5454 4).
const fn is_security_exception(kind: Mip4Audit) -> bool {
    use Mip4Audit::{Denied, Ignored as Silent, KeepaliveRefused};
    matches!(kind, Denied(131..=133) | Silent(Ignored::Unauthenticated) | KeepaliveRefused)
}
