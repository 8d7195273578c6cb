//! Numbers for people.

/// Bytes with three digits and a decimal unit: `999 B`, `1.50 kB`, `12.3 GB`.
pub(super) fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if n < 1000 {
        return format!("{n} B");
    }
    let mut unit = 0;
    let mut scale = 1000;
    while n / scale >= 1000 {
        scale *= 1000;
        unit += 1;
    }
    let whole = n / scale;
    // Cut, not rounded: 999.999 kB must not become 1000 kB.
    let thousandths = n % scale / (scale / 1000);
    let number = match whole {
        0..10 => format!("{whole}.{:02}", thousandths / 10),
        10..100 => format!("{whole}.{}", thousandths / 100),
        _ => whole.to_string(),
    };
    format!("{number} {}", UNITS[unit])
}

/// Seconds in the two largest units: `59s`, `1m00s`, `1h02m`, `3d04h`.
pub(super) fn seconds(n: u64) -> String {
    let (minutes, hours, days) = (n / 60, n / 3600, n / 86_400);
    match n {
        0..60 => format!("{n}s"),
        60..3600 => format!("{minutes}m{:02}s", n % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

/// `part` of `whole` with one decimal; nothing of nothing is zero.
pub(super) fn percent(part: u64, whole: u64) -> String {
    let permille = u128::from(part) * 1000 / u128::from(whole).max(1);
    format!("{}.{} %", permille / 10, permille % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_three_digits_and_a_unit() {
        for (n, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (1_509, "1.50 kB"),
            (12_345_678, "12.3 MB"),
            (999_999_999, "999 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(n), text);
        }
    }

    #[test]
    fn seconds_have_two_units_at_most() {
        for (n, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m00s"),
            (3599, "59m59s"),
            (3725, "1h02m"),
            (100_800, "1d04h"),
        ] {
            assert_eq!(seconds(n), text);
        }
    }

    #[test]
    fn percent_of_nothing_is_zero() {
        assert_eq!(percent(0, 0), "0.0 %");
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(percent(u64::MAX, u64::MAX), "100.0 %");
    }
}
