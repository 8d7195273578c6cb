//! Bytes to values and back. Nothing here does I/O, allocates, or panics.
//!
//! The contract, stated once: *any* bytes give `Ok` or an [`Error`] that says what is wrong and at
//! which offset. Code points that we do not know survive a round trip. `emit` writes every byte of
//! exactly `buffer_len()` bytes, padding included.

mod checksum;
pub mod ether;
pub mod gre;
pub mod icmpv4;
pub mod icmpv6;
pub mod ipv4;
pub mod ipv6;
pub mod mh;
pub mod mip4;
pub mod tlv;
pub mod udp;

/// Why bytes were refused, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at offset {offset}")]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Offset of the offending field from the start of the header that was parsed, in bytes.
    pub offset: usize,
}

/// What is wrong with bytes that were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ErrorKind {
    /// The bytes end before the header does, or a buffer is too short to emit into.
    #[error("truncated")]
    Truncated,
    /// A length field contradicts its surroundings.
    #[error("bad length")]
    Length,
    /// A checksum does not verify.
    #[error("bad checksum")]
    Checksum,
    /// A version, or a field with one legal value, has another.
    #[error("bad value")]
    Value,
    /// The Payload Proto field is not 59, IPPROTO_NONE (RFC 6275 section 9.2).
    #[error("bad payload proto")]
    PayloadProto,
    /// An MH Type that we do not know (RFC 6275 section 9.2), or a type of a Mobile IPv4 message.
    #[error("unknown type of message")]
    UnknownType,
    /// A Mobile IPv4 extension that we do not know and may not skip (RFC 5944 section 1.8).
    #[error("unknown extension that may not be skipped")]
    Unskippable,
    /// The Header Len field is less than the MH Type needs (RFC 6275 section 9.2).
    #[error("header len too small for the MH type")]
    HeaderLen,
}

/// The result of a parse.
pub type Result<T> = core::result::Result<T, Error>;

impl Error {
    const fn new(kind: ErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// The same fault, seen from a header that starts `base` bytes earlier.
    const fn shifted(self, base: usize) -> Self {
        Self { kind: self.kind, offset: self.offset + base }
    }
}

/// `N` bytes at `offset`.
fn field<const N: usize>(bytes: &[u8], offset: usize) -> Result<[u8; N]> {
    bytes
        .get(offset..)
        .and_then(<[u8]>::first_chunk)
        .copied()
        .ok_or(Error::new(ErrorKind::Truncated, offset))
}

/// One byte at `offset`.
fn octet(bytes: &[u8], offset: usize) -> Result<u8> {
    bytes.get(offset).copied().ok_or(Error::new(ErrorKind::Truncated, offset))
}

/// A big-endian 16-bit field at `offset`.
fn be16(bytes: &[u8], offset: usize) -> Result<u16> {
    field(bytes, offset).map(u16::from_be_bytes)
}

/// Writes front to back; a full buffer is an error, never a panic.
struct Writer<'b> {
    buf: &'b mut [u8],
    at: usize,
}

impl<'b> Writer<'b> {
    const fn new(buf: &'b mut [u8]) -> Self {
        Self { buf, at: 0 }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        let end = self.at + bytes.len();
        self.buf
            .get_mut(self.at..end)
            .ok_or(Error::new(ErrorKind::Truncated, self.at))?
            .copy_from_slice(bytes);
        self.at = end;
        Ok(())
    }
}
