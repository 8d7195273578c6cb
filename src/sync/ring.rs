//! A bounded ring with one producer and one consumer.
//!
//! `crossbeam`'s `ArrayQueue` underneath; this type adds that neither end can be cloned, so that
//! "single" is checked by the compiler. A full ring gives the item back: the caller counts it.

use crossbeam::queue::ArrayQueue;
use std::sync::Arc;

/// The sending end.
#[derive(Debug)]
pub struct Producer<T>(Arc<ArrayQueue<T>>);

/// The receiving end.
#[derive(Debug)]
pub struct Consumer<T>(Arc<ArrayQueue<T>>);

/// A ring of `ring_len` entries (at least one).
#[must_use]
pub fn ring<T>(ring_len: usize) -> (Producer<T>, Consumer<T>) {
    let q = Arc::new(ArrayQueue::new(ring_len.max(1)));
    (Producer(Arc::clone(&q)), Consumer(q))
}

impl<T> Producer<T> {
    /// Appends `item`, or gives it back if the ring is full.
    pub fn push(&mut self, item: T) -> Result<(), T> {
        self.0.push(item)
    }

    /// How many more items fit now. The consumer can only make it more.
    #[must_use]
    pub fn room(&self) -> usize {
        self.0.capacity() - self.0.len()
    }
}

impl<T> Consumer<T> {
    /// The oldest item, if there is one.
    pub fn pop(&mut self) -> Option<T> {
        self.0.pop()
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

    #[test]
    fn full_ring_gives_the_item_back() {
        let (mut tx, mut rx) = ring(2);
        assert_eq!((tx.push(1), tx.push(2), tx.push(3)), (Ok(()), Ok(()), Err(3)));
        assert_eq!((rx.pop(), rx.pop(), rx.pop()), (Some(1), Some(2), None));
        assert!(rx.is_empty() && tx.room() == 2);
    }
}
