//! Any line that a policy store may answer.

use anchord::control::policy::{LINE_MAX, Said, parse_line};

/// Reads the line; what it grants is within what the configuration would allow.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(answer) = parse_line(bytes) else { return };
    assert!(bytes.len() <= LINE_MAX);
    match answer.said {
        Said::Serve(entry) => {
            assert!(entry.prefixes.is_none_or(|n| (1..=16).contains(&n)));
            assert!(entry.refresh_percent.is_none_or(|n| (1..=100).contains(&n)));
            assert!(entry.max_lifetime.is_none_or(|t| t.as_secs() >= 4));
            assert!(entry.own.len() <= 17);
            for (n, own) in entry.own.iter().enumerate() {
                assert!(!entry.own[..n].iter().any(|o| o.covers(*own) || own.covers(*o)));
            }
        }
        Said::Error(why) => assert!(why.chars().count() <= 200),
        Said::Unusable(why) => assert!(!why.is_empty()),
        Said::NotServed => {}
    }
}
