//! Secrets in files of their own: never in the configuration, never shown.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A key for message authentication; shows nothing of itself.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AuthKey(Box<[u8]>);

impl AuthKey {
    /// Reads a key file: hexadecimal digits, blanks and line ends between them; for nobody's eyes
    /// but its owner's.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let failed = |e: std::io::Error| format!("{shown} cannot be read: {e}");
        let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
        if mode & OTHERS != 0 {
            return Err(format!("{shown} may be used by others: chmod go= {shown}"));
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        Self::parse(&text).ok_or_else(|| {
            format!("{shown} is no key: {LEN_MIN} to {LEN_MAX} bytes in hexadecimal digits")
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let digit = |c: char| c.to_digit(16).and_then(|d| u8::try_from(d).ok());
        let digits = text.chars().filter(|c| !c.is_ascii_whitespace()).map(digit);
        let digits: Vec<u8> = digits.collect::<Option<_>>()?;
        let pair = |d: &[u8]| Some(d[0] << 4 | d.get(1)?);
        let bytes: Vec<u8> = digits.chunks(2).map(pair).collect::<Option<_>>()?;
        (LEN_MIN..=LEN_MAX).contains(&bytes.len()).then(|| Self(bytes.into()))
    }

    /// The key itself.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthKey")
    }
}

/// As long as its digest, HMAC_SHA1's 96 bits, cannot be guessed.
const LEN_MIN: usize = 16;
/// The block of SHA-1: a longer key would be hashed first.
const LEN_MAX: usize = 64;
/// Any permission for group or others.
const OTHERS: u32 = 0o077;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_hexadecimal_of_16_to_64_bytes() {
        let key = AuthKey::parse("00010203 04050607\n08090a0b 0C0D0E0F\n").expect("a key");
        assert_eq!(key.bytes(), (0..16).collect::<Vec<u8>>());
        assert_eq!(format!("{key:?}"), "AuthKey");
        for wrong in ["", "0001", &"0".repeat(33), &"00".repeat(65), &"zz".repeat(16)] {
            assert_eq!(AuthKey::parse(wrong), None, "{wrong}");
        }
    }
}
