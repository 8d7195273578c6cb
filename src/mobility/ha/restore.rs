//! A restart: home registrations are taken up from the disk.

use super::{HomeAgent, HomeBinding, HomeState};
use crate::mobility::Lma;
use crate::mobility::RestoreError;
use crate::mobility::action::Action;
use crate::time::Now;

impl HomeAgent {
    /// Takes up a registration that was kept on disk: publishes it again, or forgets it if it ended
    /// meanwhile.
    pub(crate) fn restore(
        &mut self,
        mut binding: HomeBinding,
        lma: &mut Lma,
        now: Now,
        actions: &mut Vec<Action>,
    ) -> Result<(), RestoreError> {
        self.links.begin(now.mono);
        let id = binding.id;
        if self.cache.get(id).is_some() {
            return Err(RestoreError::Id(id));
        }
        if self.cache.by_home(binding.customer, binding.home).is_some() {
            return Err(RestoreError::Prefix(id));
        }
        let ends = binding.ends.to_unix().saturating_sub(now.wall.to_unix());
        if ends.is_zero() {
            self.cache.skip_id(id);
            actions.push(Action::Persist(id));
            return Ok(());
        }
        if !lma.share(binding.customer, &binding.mn_id, binding.held) {
            return Err(RestoreError::Prefix(id));
        }
        if let Some(ipv4) = binding.ipv4
            && !lma.share(binding.customer, &binding.mn_id, ipv4)
        {
            lma.unshare(binding.customer, binding.held);
            return Err(RestoreError::Prefix(id));
        }
        // Never longer than it was: the wall clock may have been set back.
        let whole = match binding.state {
            HomeState::Invalid => self.config.delete_delay,
            HomeState::Probing | HomeState::Active | HomeState::Proxied => {
                binding.lifetime.duration()
            }
        };
        binding.deadline = now.mono + ends.min(whole);
        binding.protection = self.nodes.protection(&binding.mn_id);
        // Ports may have other numbers than in the run before, and links may be gone.
        let link = self.links.find(binding.customer, binding.home).and_then(|(link, _)| link.id);
        if link != binding.link {
            binding.link = link;
            actions.push(Action::Persist(id));
        }
        self.publish_change(None, Some(&binding), actions);
        self.expect_news(&binding, now);
        self.put(binding);
        self.review_restored();
        Ok(())
    }
}
