//! Places of sessions, by number. They grow by pieces, so that none is ever moved: a single block
//! would have to be copied whole, hundreds of megabytes at once.

use super::Slot;

/// Places, some of them empty.
#[derive(Debug, Default)]
pub(super) struct Slots {
    pieces: Vec<Vec<Option<Slot>>>,
    /// Places that were used and are empty.
    free: Vec<u32>,
}

impl Slots {
    /// How many places were ever used.
    pub(super) fn len(&self) -> usize {
        self.pieces.last().map_or(0, |last| (self.pieces.len() - 1) * PIECE_LEN + last.len())
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Slot> {
        self.pieces.get(slot as usize / PIECE_LEN)?.get(slot as usize % PIECE_LEN)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Slot> {
        self.pieces.get_mut(slot as usize / PIECE_LEN)?.get_mut(slot as usize % PIECE_LEN)?.as_mut()
    }

    /// Those from `start` to before `end`, with their numbers.
    pub(super) fn range(&self, start: usize, end: usize) -> impl Iterator<Item = (u64, &Slot)> {
        (start..end).filter_map(|n| Some((n as u64, self.get(u32::try_from(n).ok()?)?)))
    }

    /// Puts it where one was taken last, else behind all; returns where.
    pub(super) fn insert(&mut self, slot: Slot) -> u32 {
        if let Some(place) = self.free.pop() {
            let piece = self.pieces.get_mut(place as usize / PIECE_LEN);
            if let Some(empty) = piece.and_then(|p| p.get_mut(place as usize % PIECE_LEN)) {
                *empty = Some(slot);
            }
            return place;
        }
        let place = u32::try_from(self.len()).unwrap_or(u32::MAX);
        if let Some(last) = self.pieces.last_mut().filter(|last| last.len() < PIECE_LEN) {
            last.push(Some(slot));
        } else {
            let mut piece = Vec::with_capacity(PIECE_LEN);
            piece.push(Some(slot));
            self.pieces.push(piece);
        }
        place
    }

    pub(super) fn take(&mut self, slot: u32) -> Option<Slot> {
        let piece = self.pieces.get_mut(slot as usize / PIECE_LEN)?;
        let taken = piece.get_mut(slot as usize % PIECE_LEN)?.take()?;
        self.free.push(slot);
        Some(taken)
    }
}

/// Places of a piece: half a megabyte.
const PIECE_LEN: usize = 1024;
