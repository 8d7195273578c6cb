//! Bytes to values and back. Nothing here does I/O, allocates, or panics.
//!
//! The contract, stated once: *any* bytes give `Ok` or an [`Error`] that says what is wrong and at
//! which offset. Code points that we do not know survive a round trip. `emit` writes every byte of
//! exactly `buffer_len()` bytes, padding included.

pub mod mh;

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
    /// The bytes end before the header does.
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
    /// An MH Type that we do not know (RFC 6275 section 9.2).
    #[error("unknown MH type")]
    UnknownType,
}

/// The result of a parse.
pub type Result<T> = core::result::Result<T, Error>;
