//! A restart: registrations are taken up from the disk.

use super::HomeAgent4;
use crate::mobility::action::{Action, BindingId};
use crate::mobility::mip4::register::arm;
use crate::mobility::mip4::{Homes, Registration};
use crate::time::Now;

/// Why a registration was not restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Restore4Error {
    /// One with this id, or of this node, is there already.
    #[error("registration {} is there already", .0.0)]
    Id(BindingId),
    /// Its home address or a prefix is somebody else's.
    #[error("registration {} has no home address of its own", .0.0)]
    Taken(BindingId),
}

impl HomeAgent4 {
    /// Takes up a registration that was kept on disk: publishes it again, or forgets it if it ended
    /// meanwhile. Call it before the first message.
    pub fn restore(
        &mut self,
        mut registration: Registration,
        homes: &mut dyn Homes,
        now: Now,
        actions: &mut Vec<Action>,
    ) -> Result<(), Restore4Error> {
        let id = registration.id;
        let (customer, mn_id) = (registration.customer, registration.mn_id.clone());
        if self.table.get(id).is_some() || self.table.of_node(customer, &mn_id).is_some() {
            return Err(Restore4Error::Id(id));
        }
        self.table.skip_id(id);
        registration.bindings.retain_mut(|binding| {
            let Some(ends) = binding.ends else { return true };
            let left = ends.to_unix().saturating_sub(now.wall.to_unix());
            // Never longer than it was: the wall clock may have been set back.
            let whole = binding.lifetime.duration().unwrap_or(left);
            binding.deadline = Some(now.mono + left.min(whole));
            !left.is_zero()
        });
        if registration.bindings.is_empty() {
            actions.push(Action::Persist(id));
            return Ok(());
        }
        hold(&registration, homes)?;
        // What was accepted is not new, whatever replay protection its association has by now.
        let seen = self.seen.entry((customer, mn_id)).or_default();
        seen.timestamp = Some(registration.identification.0);
        for binding in &registration.bindings {
            arm(&mut self.timers, id, binding);
        }
        self.publish(&mut registration, actions);
        self.table.insert(registration);
        Ok(())
    }
}

/// Takes all that a registration has, or nothing.
fn hold(registration: &Registration, homes: &mut dyn Homes) -> Result<(), Restore4Error> {
    let node = registration.node();
    let taken = Restore4Error::Taken(registration.id);
    let home = registration.home_address;
    homes.reserve_address(node, Some(home)).map_err(|_| taken)?;
    for (count, held) in registration.prefixes.iter().enumerate() {
        if homes.reserve_prefix(node, held.prefix).is_err() {
            homes.release(node, registration.home());
            for held in registration.prefixes.iter().take(count) {
                homes.release(node, held.prefix);
            }
            return Err(taken);
        }
    }
    Ok(())
}
