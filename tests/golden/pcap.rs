//! Captures in the classic pcap format: Ethernet, little-endian, microseconds.

use std::path::Path;
use std::{fs, io};

const MAGIC: u32 = 0xa1b2_c3d4;
const ETHERNET: u32 = 1;
const FILE_HEADER_LEN: usize = 24;
const RECORD_HEADER_LEN: usize = 16;

/// The frames of a capture.
pub(crate) fn read(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).expect("a capture");
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
    assert_eq!((word(0), word(20)), (MAGIC, ETHERNET), "{}", path.display());
    let mut frames = Vec::new();
    let mut at = FILE_HEADER_LEN;
    while at < bytes.len() {
        let len = word(at + 8) as usize;
        at += RECORD_HEADER_LEN;
        frames.push(bytes[at..at + len].to_vec());
        at += len;
    }
    frames
}

/// Writes frames as a capture.
pub(crate) fn write(path: &Path, frames: &[Vec<u8>]) -> io::Result<()> {
    let mut bytes = Vec::new();
    let mut words = |words: &[u32]| bytes.extend(words.iter().flat_map(|w| w.to_le_bytes()));
    words(&[MAGIC, 4 << 16 | 2, 0, 0, 65535, ETHERNET]);
    for frame in frames {
        let len = u32::try_from(frame.len()).expect("a frame");
        bytes.extend([0, 0, len, len].iter().flat_map(|w: &u32| w.to_le_bytes()));
        bytes.extend(frame);
    }
    fs::write(path, bytes)
}
