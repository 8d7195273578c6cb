//! Registration Replies (RFC 5944 3.8.3).

use super::HomeAgent4;
use crate::mobility::mip4::judge::Party;
use crate::mobility::mip4::nat::Nat;
use crate::mobility::mip4::request::Request;
use crate::mobility::mip4::security::append;
use crate::mobility::mip4::{Mip4Msg, RevocationTerms};
use crate::wire::mip4::{
    AuthKind, Body, Extension, Identification, Ipv6PrefixField, PrefixCode, RegistrationLifetime,
    RegistrationReply, ReplyCode,
};
use std::net::Ipv4Addr;

/// What a reply says.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: ReplyCode,
    pub(super) lifetime: RegistrationLifetime,
    pub(super) home_address: Ipv4Addr,
    pub(super) identification: Identification,
    pub(super) prefixes: Vec<(PrefixCode, Ipv6PrefixField)>,
    pub(super) nat: Option<Nat>,
    /// What was agreed about revocation, and our time.
    pub(super) revocation: Option<(RevocationTerms, u32)>,
}

impl Answer {
    /// One with nothing besides.
    pub(super) const fn plain(
        code: ReplyCode,
        lifetime: RegistrationLifetime,
        home_address: Ipv4Addr,
        identification: Identification,
    ) -> Self {
        let prefixes = Vec::new();
        Self { code, lifetime, home_address, identification, prefixes, nat: None, revocation: None }
    }
}

impl HomeAgent4 {
    /// The reply to a request, to where it came from (3.8.3.1), with its extensions in the order of
    /// 3.8.3.3.
    pub(super) fn reply(
        &self,
        msg: &Mip4Msg,
        request: &Request<'_>,
        party: Party,
        answer: &Answer,
    ) -> Mip4Msg {
        let body = Body::Reply(RegistrationReply {
            code: answer.code,
            lifetime: answer.lifetime,
            home_address: answer.home_address,
            home_agent: self.config.address,
            identification: answer.identification,
        });
        let mut payload = vec![0; body.buffer_len()];
        // As long as the fixed fields are.
        if body.emit(&mut payload).is_err() {
            payload.clear();
        }
        let tunnel = |by_node| {
            let ours = answer.nat.filter(|n| n.by_node == by_node);
            ours.map(|n| Extension::UdpTunnelReply(n.reply))
        };
        let revocation = |with_agent| {
            let ours = answer.revocation.filter(|(terms, _)| terms.with_agent == with_agent);
            ours.map(|(terms, time)| Extension::RevocationSupport(terms.inform, time))
        };
        // (b), what the node uses. RFC 2794: it is known by its NAI if it gave one.
        let prefixes = answer.prefixes.iter();
        let prefixes = prefixes.map(|(code, prefix)| Extension::PrefixReply(*code, *prefix));
        let for_node = request.nai.map(Extension::MnNai).into_iter().chain(prefixes);
        for extension in for_node.chain(tunnel(true)).chain(revocation(false)) {
            append(&extension, &mut payload);
        }
        // (c)
        self.nodes.association(party).append(AuthKind::MobileHome, &mut payload);
        // (d), what the foreign agent alone uses.
        for extension in tunnel(false).into_iter().chain(revocation(true)) {
            append(&extension, &mut payload);
        }
        // (e). 3.5.4: not about a de-registration.
        if let Some(shared) = self.agents.of(msg.src).get(party.agent.unwrap_or_default())
            && !request.ends()
        {
            shared.append(AuthKind::ForeignHome, &mut payload);
        }
        Mip4Msg { src: self.config.address, dst: msg.src, port: msg.port, payload }
    }
}
