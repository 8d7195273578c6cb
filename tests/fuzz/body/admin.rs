//! Any line that a client of the admin socket may send.

use anchord::admin::protocol::{parse_line, refusal_line, result_line};
use serde_json::Value;

/// Reads the line; what is answered is one line of JSON with the id that was asked.
pub(crate) fn run(bytes: &[u8]) {
    let (id, answer) = match parse_line(bytes) {
        Ok(incoming) => {
            assert!(incoming.id.is_string() || incoming.id.is_number());
            let answer = result_line(&incoming.id, &Value::Null);
            (incoming.id, answer)
        }
        Err(refusal) => {
            let answer = refusal_line(&refusal);
            (refusal.id, answer)
        }
    };
    let (newline, json) = answer.split_last().expect("an answer is not empty");
    assert_eq!(*newline, b'\n');
    assert!(!json.contains(&b'\n'), "an answer is one line");
    let answer: Value = serde_json::from_slice(json).expect("an answer is JSON");
    assert_eq!(answer.get("id"), Some(&id));
}
