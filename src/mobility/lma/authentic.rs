//! Is a message authentic, and with which key is it answered (RFC 4285)?

use super::{Lma, Objection};
use crate::mobility::action::Ignored;
use crate::mobility::auth::{Addresses, AuthKey, Signer};
use crate::mobility::message::UpdateMsg;
use crate::mobility::request::Fields;
use crate::wire::mh::{AuthOption, MobilityOption, Status};

impl Lma {
    /// RFC 4285 5 and 5.1.1, and the first part of 6: the key by which the message is authentic;
    /// `None` if it needs none.
    pub(super) fn authenticate(
        &self,
        msg: &UpdateMsg,
        fields: &Fields,
    ) -> Result<Option<&AuthKey>, Objection> {
        let discard = || Objection::Ignore(Ignored::Unauthenticated);
        if fields.spi.is_none() && self.keys(msg, fields).is_empty() {
            return Ok(None);
        }
        // 5, 5.1.1: without the option, or without the key that it names, in silence.
        let key = self.key(msg, fields).ok_or_else(discard)?;
        let option = AuthOption::find(&msg.header, AuthOption::MN_HA).ok().flatten();
        // 5.1: the last option. One for a AAA server would stand behind it, and we ask none; before
        // it it must not stand (5).
        let aaa = |o| matches!(o, MobilityOption::MessageAuth(AuthOption::MN_AAA, ..));
        let option = option.filter(|o| o.is_last && !msg.options.iter().any(aaa));
        let option = option.ok_or_else(discard)?;
        if !key.verifies(&option, &msg.header, &addresses(msg, fields)) {
            return Err(Status::MIPV6_AUTH_FAIL.into());
        }
        if key.replay_window.is_some() && fields.replay.is_none() {
            return Err(Status::MIPV6_MESG_ID_REQD.into());
        }
        Ok(Some(key))
    }

    /// What an answer to `msg` is authenticated with (5.1.1): as the message was, if we have its
    /// key.
    pub(super) fn signer(&self, msg: &UpdateMsg) -> Option<Signer<'_>> {
        let fields = Fields::read(msg);
        let about = addresses(msg, &fields);
        self.key(msg, &fields).map(|key| Signer { key, about })
    }

    /// The key that a message names.
    fn key(&self, msg: &UpdateMsg, fields: &Fields) -> Option<&AuthKey> {
        let spi = fields.spi?;
        self.keys(msg, fields).iter().find(|key| key.spi == spi)
    }

    /// The keys of a message's sender: its own, else those of the customer whose node it is about.
    fn keys(&self, msg: &UpdateMsg, fields: &Fields) -> &[AuthKey] {
        let own = self.mags.auth(msg.src);
        if !own.is_empty() {
            return own;
        }
        let customer = self.mags.customer(msg.src);
        let home = fields.mn_id.as_ref().map_or(customer, |id| self.customers.home(id, customer));
        self.customers.auth(home)
    }
}

fn addresses(msg: &UpdateMsg, fields: &Fields) -> Addresses {
    Addresses { care_of: fields.proxy_coa(msg).0, home: msg.src }
}
