//! What is known by an address: a gateway's place is looked for once, and found again at once.

use hashbrown::HashMap;
use std::cell::Cell;
use std::net::Ipv6Addr;

/// A table by address. A message asks for its gateway a dozen times in a row: the one that was
/// asked for last is not looked for again.
#[derive(Debug)]
pub(crate) struct AddressMap<T> {
    places: HashMap<Ipv6Addr, usize>,
    slots: Vec<Option<(Ipv6Addr, T)>>,
    free: Vec<usize>,
    /// A place to look at first; whose it is is told there.
    last: Cell<usize>,
}

impl<T> Default for AddressMap<T> {
    fn default() -> Self {
        let (places, slots, free, last) = Default::default();
        Self { places, slots, free, last }
    }
}

impl<T> AddressMap<T> {
    pub(crate) fn get(&self, address: Ipv6Addr) -> Option<&T> {
        let (_, value) = self.slots.get(self.place(address)?)?.as_ref()?;
        Some(value)
    }

    pub(crate) fn get_mut(&mut self, address: Ipv6Addr) -> Option<&mut T> {
        let place = self.place(address)?;
        let (_, value) = self.slots.get_mut(place)?.as_mut()?;
        Some(value)
    }

    pub(crate) fn contains(&self, address: Ipv6Addr) -> bool {
        self.place(address).is_some()
    }

    /// Where [`Self::at_mut`] finds what is known by an address until it is removed.
    pub(crate) fn place(&self, address: Ipv6Addr) -> Option<usize> {
        let last = self.last.get();
        if self.slots.get(last).and_then(Option::as_ref).is_some_and(|(a, _)| *a == address) {
            return Some(last);
        }
        let place = *self.places.get(&address)?;
        self.last.set(place);
        Some(place)
    }

    /// What is at a place.
    pub(crate) fn at_mut(&mut self, place: usize) -> Option<&mut T> {
        self.slots.get_mut(place)?.as_mut().map(|(_, value)| value)
    }

    /// What is known by an address; what `make` gives if that is nothing.
    pub(crate) fn get_or_insert_with(
        &mut self,
        address: Ipv6Addr,
        make: impl FnOnce() -> T,
    ) -> &mut T {
        let place = self.place(address).unwrap_or_else(|| {
            let place = self.free.pop().unwrap_or_else(|| {
                self.slots.push(None);
                self.slots.len() - 1
            });
            self.places.insert(address, place);
            place
        });
        &mut self.slots[place].get_or_insert_with(|| (address, make())).1
    }

    pub(crate) fn remove(&mut self, address: Ipv6Addr) -> Option<T> {
        let place = self.places.remove(&address)?;
        self.free.push(place);
        self.slots.get_mut(place)?.take().map(|(_, value)| value)
    }

    /// All, in no order that means anything.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Ipv6Addr, &T)> {
        self.slots.iter().flatten().map(|(address, value)| (*address, value))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Ipv6Addr, &mut T)> {
        self.slots.iter_mut().flatten().map(|(address, value)| (*address, value))
    }
}

impl<T> FromIterator<(Ipv6Addr, T)> for AddressMap<T> {
    /// Of two with the same address the later one stays.
    fn from_iter<I: IntoIterator<Item = (Ipv6Addr, T)>>(all: I) -> Self {
        let mut this = Self::default();
        for (address, value) in all {
            this.remove(address);
            this.get_or_insert_with(address, || value);
        }
        this
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn it_agrees_with_a_tree(ops in prop::collection::vec((0..3_u8, 0..8_u128), 1..100)) {
            let (mut map, mut model) = (AddressMap::default(), BTreeMap::new());
            for (n, (op, address)) in ops.into_iter().enumerate() {
                let address = Ipv6Addr::from_bits(address);
                match op {
                    0 => {
                        let value = *map.get_or_insert_with(address, || n);
                        prop_assert_eq!(value, *model.entry(address).or_insert(n));
                    }
                    1 => prop_assert_eq!(map.remove(address), model.remove(&address)),
                    _ => {
                        prop_assert_eq!(map.get(address), model.get(&address));
                        let place = map.place(address).and_then(|p| map.at_mut(p).copied());
                        prop_assert_eq!(place.as_ref(), model.get(&address));
                    }
                }
                prop_assert_eq!(map.iter().collect::<BTreeMap<_, _>>().len(), model.len());
            }
        }
    }
}
