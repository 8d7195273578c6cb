//! A recorded stream replays: the same events at the same times give the same actions, byte for
//! byte, in another instance of the core.

use crate::case;
use crate::model::{CONFIG, Op, ops, play};
use anchord::mobility::Lma;
use anchord::mobility::action::Action;
use anchord::mobility::event::Event;
use anchord::time::Now;
use proptest::prelude::*;

/// A record as a file would hold it.
type Record = Vec<(Option<Event>, Now)>;

/// What the core says to a record, in the encoding of a file.
fn replay(record: &[u8]) -> Vec<u8> {
    let record: Record = serde_json::from_slice(record).expect("a record");
    let mut lma = Lma::new(case::config(CONFIG));
    let mut actions: Vec<Action> = Vec::new();
    for (event, now) in record {
        match event {
            Some(event) => lma.handle(event, now, &mut actions),
            None => lma.handle_timeout(now, &mut actions),
        }
    }
    serde_json::to_vec(&actions).expect("encodes")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn recorded_stream_replays_byte_for_byte(mut ops in ops()) {
        ops.retain(|op| !matches!(op, Op::Restart));
        let world = play(CONFIG, ops)?;
        let record = serde_json::to_vec(&world.events).expect("encodes");
        prop_assert_eq!(replay(&record), serde_json::to_vec(&world.actions).expect("encodes"));
    }
}
