//! Durations as people write them: a whole number and a unit, `"300ms"`.

use crate::time::Duration;

/// Units from the largest down, with their length in nanoseconds.
const UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// The duration, or a sentence that says what would be one.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit_ns = UNITS.iter().find(|(name, _)| *name == unit.trim_start()).map(|(_, ns)| *ns);
    let number: Option<u64> = number.parse().ok();
    match number.zip(unit_ns).and_then(|(n, ns)| n.checked_mul(ns)) {
        Some(ns) => Ok(Duration::from_nanos(ns)),
        None => Err(format!(
            "{text:?} is not a duration: a whole number with a unit (d, h, min, s, ms, us, ns), \
             for instance \"1500ms\""
        )),
    }
}

/// In the largest unit that holds it in a whole number.
pub(super) fn render(d: Duration) -> String {
    let ns = u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
    if ns == 0 {
        return "0s".into();
    }
    let fitting = UNITS.iter().find(|(_, unit)| ns % unit == 0);
    fitting.map_or_else(|| format!("{ns}ns"), |(name, unit)| format!("{}{name}", ns / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_rendered_back() {
        for text in ["0s", "10s", "1500ms", "300ms", "500us", "1h", "90min", "7d", "3ns"] {
            assert_eq!(parse(text).map(render), Ok(text.into()));
        }
        assert_eq!(parse("120s").map(render), Ok("2min".into()));
        assert_eq!(parse("10 s"), Ok(Duration::from_secs(10)));
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        for text in ["", "10", "s", "-1s", "1.5s", "10 parsecs", "99999999999999d", "1 0s"] {
            let refusal = parse(text).expect_err(text);
            assert!(refusal.contains("is not a duration"), "{refusal}");
        }
    }
}
