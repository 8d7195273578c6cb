//! Is an update in order (RFC 5213 5.3.1 (9), 5.5)?

use super::Lma;
use crate::mobility::ack::Refusal;
use crate::mobility::auth::{self, AuthKey};
use crate::mobility::freshness;
use crate::mobility::lookup::{Found, Node};
use crate::mobility::message::UpdateMsg;
use crate::mobility::request::Fields;
use crate::time::Now;
use crate::wire::mh::Status;
use std::cmp::Ordering;

impl Lma {
    /// RFC 5213 5.5. Whether the sequence number, if it counts, is greater than the session's;
    /// where the message may be about a new session, that decides nothing yet.
    pub(super) fn check_order(
        &self,
        msg: &UpdateMsg,
        fields: &Fields,
        key: Option<&AuthKey>,
        node: Node<'_>,
        found: Found<'_>,
        now: Now,
    ) -> Result<bool, Refusal> {
        let session = found.session();
        // RFC 4285 6: after authentication only.
        let replay = key.zip(fields.replay);
        if let Some((key, time)) = replay {
            let window = key.replay_window.unwrap_or(AuthKey::DEFAULT_WINDOW);
            let mut last = node.all();
            let new = last.all(|b| b.replay.is_none_or(|last| auth::is_after(time, last)));
            if !new || !auth::is_close(time, now.wall, window) {
                return Err(Status::MIPV6_ID_MISMATCH.into());
            }
        }
        if let Some(timestamp) = fields.timestamp {
            freshness::check_timestamp(timestamp, now.wall, &self.protocol, node, session)?;
            return Ok(true);
        }
        // RFC 4285 7: where that option orders the messages, the sequence number does not.
        if replay.is_some() {
            return Ok(true);
        }
        check_seq(msg, found)
    }
}

/// The same of an update that was in order when it came, and has waited: of the session that it is
/// about, a later one may have been accepted meanwhile.
pub(super) fn check_since(
    msg: &UpdateMsg,
    fields: &Fields,
    found: Found<'_>,
) -> Result<bool, Refusal> {
    let session = found.session();
    if let Some(timestamp) = fields.timestamp {
        return match session.map(|b| timestamp.cmp(&b.timestamp)) {
            // RFC 5213 5.5 (8)
            Some(Ordering::Less) => Err(Status::TIMESTAMP_LOWER_THAN_PREV_ACCEPTED.into()),
            Some(Ordering::Equal) => Err(Status::TIMESTAMP_MISMATCH.into()),
            Some(Ordering::Greater) | None => Ok(true),
        };
    }
    if let Some(time) = fields.replay {
        let last = session.and_then(|b| b.replay);
        let new = last.is_none_or(|last| auth::is_after(time, last));
        return if new { Ok(true) } else { Err(Status::MIPV6_ID_MISMATCH.into()) };
    }
    check_seq(msg, found)
}

/// RFC 6275 9.5.1; without a session any number is accepted.
fn check_seq(msg: &UpdateMsg, found: Found<'_>) -> Result<bool, Refusal> {
    let last = found.session().map(|b| b.seq).filter(|last| !msg.update.seq.is_after(*last));
    match (last, found) {
        (None, _) => Ok(true),
        (Some(_), Found::Unknown(_)) => Ok(false),
        (last_seq, _) => {
            let refusal = Refusal::from(Status::SEQUENCE_NUMBER_OUT_OF_WINDOW);
            Err(Refusal { last_seq, ..refusal })
        }
    }
}
