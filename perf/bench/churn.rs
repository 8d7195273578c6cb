//! What changes in a worker's table while it forwards: a thread in the control core's place.

use crate::case::Case;
use crate::cores::Cores;
use crate::rig::Sequenced;
use anchord::dataplane::update::Change;
use anchord::dpdk::clock;
use anchord::sync::seq::Seq;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

/// Which changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Changes {
    /// None.
    None,
    /// Bindings all over the table get the other one of two tunnels to their gateway, without end:
    /// what must come out stays the same.
    Move,
    /// The table, but for what traffic needs, fills up.
    Grow,
    /// The full table's bindings get the other tunnel; then some come that have no room.
    Full,
    /// What traffic does not need is removed.
    Shrink,
}

impl Changes {
    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Move => "move",
            Self::Grow => "grow",
            Self::Full => "full",
            Self::Shrink => "shrink",
        }
    }

    /// Whether bindings get another tunnel.
    pub(crate) fn moves(self) -> bool {
        matches!(self, Self::Move | Self::Full)
    }

    /// How many bindings of all there are when it begins, if `count` change.
    pub(crate) fn bindings_before(self, all: u32, count: u32) -> u32 {
        if self == Self::Grow { all - count } else { all }
    }

    /// How many of all traffic is for.
    pub(crate) fn flows(self, all: u32, count: u32) -> u32 {
        if matches!(self, Self::Grow | Self::Shrink) { all - count } else { all }
    }

    fn of(self, case: Case, count: u32) -> Box<dyn Iterator<Item = Change> + Send> {
        let Case { bindings, mags, .. } = case;
        let first = bindings - count.min(bindings);
        // Spread over the table.
        let scattered = move |i: u32| i.wrapping_mul(0x9e37_79b1) % bindings;
        let other = move |i: u32, turn: u32| {
            case.entry(i, i % mags + if turn.is_multiple_of(2) { mags } else { 0 })
        };
        match self {
            Self::None => Box::new(std::iter::empty()),
            Self::Move => Box::new((0u32..).flat_map(move |turn| {
                (0..bindings).filter_map(move |i| other(scattered(i), turn))
            })),
            Self::Grow => Box::new((first..bindings).filter_map(move |i| case.entry(i, i % mags))),
            Self::Full => {
                let moved = (0..count).filter_map(move |i| other(scattered(i), 0));
                let more = bindings..bindings + REFUSED;
                Box::new(moved.chain(more.filter_map(move |i| case.entry(i, i % mags))))
            }
            Self::Shrink => Box::new((first..bindings).filter_map(move |i| case.removal(i))),
        }
    }

    /// How many changes a worker refuses.
    pub(crate) fn refused(self) -> u64 {
        if self == Self::Full { u64::from(REFUSED) } else { 0 }
    }
}

/// Bindings that have no room.
const REFUSED: u32 = 1000;

/// The thread.
pub(crate) struct Churn {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// The last change's number, when there are no more to come.
    last: AtomicU64,
}

impl Churn {
    /// A change every so many ticks, or with zero as fast as they are taken.
    pub(crate) fn start(
        changes: Changes,
        case: Case,
        count: u32,
        every: u64,
        updates: Sequenced,
        cores: &Cores,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = cores.elsewhere(move || {
            std::thread::spawn(move || {
                let last = publish(changes.of(case, count), every, updates, &theirs.stop);
                theirs.last.store(last.0, Ordering::Release);
            })
        })?;
        Ok(Self { shared, thread })
    }

    /// Whether all that there was to change has been applied.
    pub(crate) fn is_over(&self, applied: Seq) -> bool {
        let last = self.shared.last.load(Ordering::Acquire);
        last > 0 && applied.0 >= last
    }

    pub(crate) fn stop(self) -> Result<(), &'static str> {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the thread that changes bindings panicked")
    }
}

fn publish(
    changes: impl Iterator<Item = Change>,
    every: u64,
    mut updates: Sequenced,
    stop: &AtomicBool,
) -> Seq {
    let mut due = clock::tsc();
    for change in changes {
        while clock::tsc() < due || !updates.push(change) {
            if stop.load(Ordering::Relaxed) {
                return updates.last();
            }
            std::hint::spin_loop();
        }
        due += every;
    }
    updates.last()
}
