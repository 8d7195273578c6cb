//! Binding Refresh Request, MH type 0 (RFC 6275 section 6.1.2): two reserved bytes, no fields.

use super::MessageData;
use crate::wire::Result;

/// A Binding Refresh Request without its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BindingRefreshRequest;

impl MessageData for BindingRefreshRequest {
    const MH_TYPE: u8 = 0;
    const LEN: usize = 2;

    fn parse_data(_: &[u8]) -> Result<Self> {
        Ok(Self)
    }

    fn emit_data(&self, _: &mut [u8]) {}
}
