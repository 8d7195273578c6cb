//! A restart: registrations are taken up from the disk.

use super::HomeAgent4;
use crate::mobility::RestoreError;
use crate::mobility::action::Action;
use crate::mobility::mip4::register::arm;
use crate::mobility::mip4::{Homes, Registration, Turn};

impl HomeAgent4 {
    /// Takes up a registration that was kept on disk: publishes it again, or forgets it if it ended
    /// meanwhile. Call it before the first message.
    pub fn restore(
        &mut self,
        mut registration: Registration,
        turn: &mut Turn<'_>,
    ) -> Result<(), RestoreError> {
        let (id, now) = (registration.id, turn.now);
        let (customer, mn_id) = (registration.customer, registration.mn_id.clone());
        if self.table.get(id).is_some() || self.table.of_node(customer, &mn_id).is_some() {
            return Err(RestoreError::Id(id));
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
            turn.push(Action::Persist(id));
            return Ok(());
        }
        hold(&registration, turn.homes)?;
        // What was accepted is not new, whatever replay protection its association has by now.
        let seen = self.seen.entry((customer, mn_id)).or_default();
        seen.timestamp = Some(registration.identification.0);
        for binding in &registration.bindings {
            arm(&mut self.timers, id, binding);
        }
        self.publish(&mut registration, turn.actions);
        self.table.insert(registration);
        Ok(())
    }
}

/// Takes all that a registration has, or nothing.
fn hold(registration: &Registration, homes: &mut dyn Homes) -> Result<(), RestoreError> {
    let node = registration.node();
    let taken = RestoreError::Prefix(registration.id);
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
