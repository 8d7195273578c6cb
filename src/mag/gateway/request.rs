//! What is asked on the control socket.

use super::Gateway;
use crate::mag::access::Seen;
use crate::mag::control::{Reply, Request, Shown, ShownBinding};
use crate::mobility::mag::event::Event;

impl Gateway {
    pub(super) fn answer(&mut self, request: Request) -> Reply {
        let link_of = |name: &str| {
            let found = self.links.values().find(|l| l.interface.name == name);
            found.map(|l| l.interface.id).ok_or(Reply::Error(format!(
                "{name} is not an access link; there are: {}",
                self.links
                    .values()
                    .map(|l| l.interface.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            )))
        };
        let event = match request {
            Request::Attach { interface, mn_id, handoff } => {
                let link = match link_of(&interface) {
                    Ok(link) => link,
                    Err(e) => return e,
                };
                let mn_id = mn_id.as_deref();
                let seen = Seen { interface: &interface, mn_id, handoff, ..Seen::default() };
                return if self.attach(link, seen) {
                    Reply::Done
                } else {
                    Reply::Error("no [[mobile_node]] of the configuration fits".into())
                };
            }
            Request::Detach { interface, terminate } => {
                link_of(&interface).map(|link| Event::Detach { link, terminate })
            }
            Request::Retry { interface } => link_of(&interface).map(Event::Retry),
            Request::Release { interface, family } => {
                link_of(&interface).map(|link| Event::Release { link, family })
            }
            Request::Revoke { lma_address } => Ok(Event::RevokeAll(lma_address)),
            Request::Show => return Reply::Shown(self.show()),
        };
        match event {
            Ok(event) => {
                self.handle(event);
                Reply::Done
            }
            Err(e) => e,
        }
    }

    fn show(&self) -> Shown {
        let name = |link| self.links.get(&link).map(|l| l.interface.name.clone());
        let bindings = self.core.bindings(self.clock.now()).map(|binding| ShownBinding {
            interface: name(binding.link).unwrap_or_default(),
            binding,
        });
        let counters = self.counters.rows().map(|(name, value)| (name.to_owned(), value));
        Shown {
            name: self.config.name.clone(),
            bindings: bindings.collect(),
            counters: counters.chain(self.audits.clone()).collect(),
        }
    }
}
