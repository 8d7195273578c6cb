//! A bounded ring with one producer and one consumer.
//!
//! `rtrb` underneath: neither end can be cloned, so that "single" is checked by the compiler, each
//! keeps what it last saw of the other's position, and a burst is one step of its own. A full ring
//! gives back what does not fit: the caller counts it.

use arrayvec::ArrayVec;
use rtrb::{PushError, RingBuffer};

/// The sending end.
#[derive(Debug)]
pub struct Producer<T>(rtrb::Producer<T>);

/// The receiving end.
#[derive(Debug)]
pub struct Consumer<T>(rtrb::Consumer<T>);

/// A ring of `ring_len` entries (at least one).
#[must_use]
pub fn ring<T>(ring_len: usize) -> (Producer<T>, Consumer<T>) {
    let (producer, consumer) = RingBuffer::new(ring_len.max(1));
    (Producer(producer), Consumer(consumer))
}

impl<T> Producer<T> {
    /// Appends `item`, or gives it back if the ring is full.
    pub fn push(&mut self, item: T) -> Result<(), T> {
        self.0.push(item).map_err(|PushError::Full(item)| item)
    }

    /// Appends as many of `items`, from the first on, as there is room for; the consumer sees them
    /// at once. The others stay. Returns how many went.
    pub fn push_burst<const N: usize>(&mut self, items: &mut ArrayVec<T, N>) -> usize {
        let n = items.len().min(self.0.slots());
        if n == 0 {
            return 0;
        }
        // There is that much room: the consumer can only make it more.
        self.0.write_chunk_uninit(n).map_or(0, |room| room.fill_from_iter(items.drain(..n)))
    }

    /// How many more items fit now. The consumer can only make it more.
    #[must_use]
    pub fn room(&self) -> usize {
        self.0.slots()
    }
}

impl<T> Consumer<T> {
    /// The oldest item, if there is one.
    pub fn pop(&mut self) -> Option<T> {
        self.0.pop().ok()
    }

    /// Appends the oldest items to `items`, as many as there are and as it has room for; the
    /// producer sees their places free at once. Returns how many came.
    pub fn pop_burst<const N: usize>(&mut self, items: &mut ArrayVec<T, N>) -> usize {
        let n = items.remaining_capacity().min(self.0.slots());
        if n == 0 {
            return 0;
        }
        // There are that many: the producer can only make it more.
        let Ok(chunk) = self.0.read_chunk(n) else { return 0 };
        items.extend(chunk);
        n
    }

    /// Whether there is nothing to pop now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn full_ring_gives_the_item_back() {
        let (mut tx, mut rx) = ring(2);
        assert_eq!((tx.push(1), tx.push(2), tx.push(3)), (Ok(()), Ok(()), Err(3)));
        assert_eq!((rx.pop(), rx.pop(), rx.pop()), (Some(1), Some(2), None));
        assert!(rx.is_empty() && tx.room() == 2);
    }

    #[test]
    fn of_a_burst_goes_what_there_is_room_for_in_order_over_the_end_of_the_ring() {
        let (mut tx, mut rx) = ring(5);
        let (mut sent, mut next) = (0, 0);
        for len in [1, 4, 0, 7, 3, 5, 2, 6] {
            let mut burst: ArrayVec<u32, 8> = (sent..sent + len).collect();
            let room = tx.room();
            let went = tx.push_burst(&mut burst);
            assert_eq!(went, room.min(len as usize));
            sent += u32::try_from(went).unwrap();
            assert_eq!(burst.first().copied(), (went < len as usize).then_some(sent));
            let mut came: ArrayVec<u32, 3> = ArrayVec::new();
            assert_eq!(rx.pop_burst(&mut came), 3.min(usize::try_from(sent - next).unwrap()));
            for item in came {
                assert_eq!(item, next);
                next += 1;
            }
        }
        assert_eq!(rx.pop_burst(&mut ArrayVec::<u32, 0>::new()), 0);
    }

    #[test]
    fn what_nobody_took_is_dropped_with_the_ring() {
        let (mut tx, mut rx) = ring(4);
        let shared = Arc::new(());
        let mut burst: ArrayVec<_, 6> = (0..6).map(|_| Arc::clone(&shared)).collect();
        assert_eq!((tx.push_burst(&mut burst), burst.len()), (4, 2));
        assert!(rx.pop().is_some());
        drop((tx, rx, burst));
        assert_eq!(Arc::strong_count(&shared), 1);
    }
}
