//! One frame in a DPDK buffer.
//!
//! ```text
//!   buf_addr            + data_off            + data_len          + buf_len
//!   |      headroom      |  first segment      |     tailroom      |
//!                        ^ Ethernet header        (further segments hang on `next`)
//! ```
//!
//! Fields are read and written at the offsets that the C compiler gave (`dpdk_sys::MBUF_*`): no
//! call per packet. Freeing is a call; forwarded frames are not freed by us, the driver frees them.

use crate::addr::PortId;
use crate::nic::Frame;
use core::ptr::NonNull;
use core::{fmt, hint, slice};
use dpdk_sys::{
    MBUF_BUF_ADDR, MBUF_BUF_LEN, MBUF_DATA_LEN, MBUF_DATA_OFF, MBUF_NB_SEGS, MBUF_PKT_LEN,
    MBUF_PORT, MBUF_VLAN_TCI, rte_mbuf,
};

/// An owned buffer chain that nobody else refers to. Dropping it frees it.
///
/// Invariant, kept by DPDK's drivers and by every method here: the first segment's
/// `data_off + data_len` is at most its `buf_len`, and its bytes are initialised memory of a pool.
#[repr(transparent)]
pub struct Mbuf(NonNull<rte_mbuf>);

// A burst of frames is handed to DPDK as an array of pointers.
const _: () = assert!(size_of::<Mbuf>() == size_of::<*mut rte_mbuf>());

// SAFETY: an mbuf belongs to no thread; pools take buffers back from any.
unsafe impl Send for Mbuf {}

impl Mbuf {
    /// Takes ownership of what DPDK handed out; `None` for a null pointer.
    ///
    /// # Safety
    /// `mbuf` is null or a chain that nobody else frees or writes.
    pub(super) unsafe fn from_raw(mbuf: *mut rte_mbuf) -> Option<Self> {
        NonNull::new(mbuf).map(Self)
    }

    pub(super) fn set_port(&mut self, port: PortId) {
        self.write::<{ MBUF_PORT as usize }, u16>(port.0);
    }

    /// Bytes before the first segment's data.
    fn data_off(&self) -> u16 {
        self.read::<{ MBUF_DATA_OFF as usize }, _>()
    }

    /// Bytes of the first segment.
    fn data_len(&self) -> u16 {
        self.read::<{ MBUF_DATA_LEN as usize }, _>()
    }

    /// Bytes over all segments.
    fn pkt_len(&self) -> u32 {
        self.read::<{ MBUF_PKT_LEN as usize }, _>()
    }

    fn single(&self) -> bool {
        self.read::<{ MBUF_NB_SEGS as usize }, u16>() == 1
    }

    /// Makes it one segment. `false`, and no change, if the first has no room for the others.
    #[inline]
    pub(super) fn linearize(&mut self) -> bool {
        // SAFETY: the chain is ours.
        self.single() || unsafe { dpdk_sys::shim_mbuf_linearize(self.0.as_ptr()) } == 0
    }

    fn start(&self) -> *mut u8 {
        let buf: *mut u8 = self.read::<{ MBUF_BUF_ADDR as usize }, _>();
        // SAFETY: data_off is inside the buffer (invariant), which is somewhere.
        unsafe {
            hint::assert_unchecked(!buf.is_null());
            buf.add(usize::from(self.data_off()))
        }
    }

    /// Moves the front of the data, which is at `data_off`, by `n` bytes, backwards if that is
    /// negative. Callers have checked it against the buffer.
    #[inline(always)]
    #[allow(clippy::inline_always)] // two stores
    #[allow(clippy::cast_possible_truncation)] // inside of the buffer, so all of them fit
    fn move_front(&mut self, data_off: u16, n: usize) {
        self.write::<{ MBUF_DATA_OFF as usize }, _>(data_off.wrapping_add(n as u16));
        // Both lengths in one number: the data have so many bytes, so neither reaches beyond its
        // own.
        let lens = self.read::<{ MBUF_PKT_LEN as usize }, Unaligned>().0;
        let lens = lens.wrapping_sub((n as u64).wrapping_mul(BOTH_LENS));
        self.write::<{ MBUF_PKT_LEN as usize }, _>(Unaligned(lens));
    }

    /// Moves the end of the data. Callers have checked it against the buffer.
    fn set_data_len(&mut self, data_len: u16) {
        let rest = self.pkt_len() - u32::from(self.data_len()); // of other segments
        self.write::<{ MBUF_DATA_LEN as usize }, _>(data_len);
        self.write::<{ MBUF_PKT_LEN as usize }, _>(rest + u32::from(data_len));
    }

    #[inline(always)]
    #[allow(clippy::inline_always)] // a load
    fn read<const OFFSET: usize, T: Copy>(&self) -> T {
        // SAFETY: private, and every use names a field's offset with that field's type; the mbuf is
        // ours, so nobody writes it now.
        unsafe { self.0.as_ptr().byte_add(OFFSET).cast::<T>().read() }
    }

    #[inline(always)]
    #[allow(clippy::inline_always)] // a store
    fn write<const OFFSET: usize, T: Copy>(&mut self, value: T) {
        // SAFETY: as in `read`; `&mut self` is the only access.
        unsafe { self.0.as_ptr().byte_add(OFFSET).cast::<T>().write(value) }
    }
}

impl Frame for Mbuf {
    #[inline]
    fn data(&self) -> &[u8] {
        // SAFETY: the invariant; the borrow of self keeps the buffer.
        unsafe { slice::from_raw_parts(self.start(), usize::from(self.data_len())) }
    }

    #[inline]
    fn data_mut(&mut self) -> &mut [u8] {
        // SAFETY: the invariant; the borrow of self is exclusive, and the buffer is not shared.
        unsafe { slice::from_raw_parts_mut(self.start(), usize::from(self.data_len())) }
    }

    #[inline]
    fn frame_len(&self) -> usize {
        self.pkt_len() as usize
    }

    #[inline]
    fn prepend(&mut self, n: usize) -> bool {
        let off = self.data_off();
        if n > usize::from(off) {
            return false;
        }
        self.move_front(off, n.wrapping_neg());
        true
    }

    #[inline]
    fn prepend_chunk<const N: usize>(&mut self, n: usize) -> Option<&mut [u8; N]> {
        let off = self.data_off();
        if n > usize::from(off) || N > usize::from(self.data_len()) + n {
            return None;
        }
        self.move_front(off, n.wrapping_neg());
        // SAFETY: the invariant; there are as many bytes as that, and the borrow is exclusive.
        Some(unsafe { &mut *self.start().cast() })
    }

    #[inline]
    fn trim_front_chunk<const N: usize>(&mut self, n: usize) -> Option<&mut [u8; N]> {
        if N + n > usize::from(self.data_len()) {
            return None;
        }
        self.move_front(self.data_off(), n);
        // SAFETY: as in `prepend_chunk`.
        Some(unsafe { &mut *self.start().cast() })
    }

    #[inline]
    fn trim_front(&mut self, n: usize) -> bool {
        if n > usize::from(self.data_len()) {
            return false;
        }
        self.move_front(self.data_off(), n);
        true
    }

    fn truncate(&mut self, len: usize) -> bool {
        let Ok(len) = u16::try_from(len) else { return false };
        if !self.single() || len > self.data_len() {
            return false;
        }
        self.set_data_len(len);
        true
    }

    fn append(&mut self, n: usize) -> bool {
        let room =
            self.read::<{ MBUF_BUF_LEN as usize }, u16>() - self.data_off() - self.data_len();
        let Ok(n) = u16::try_from(n) else { return false };
        if !self.single() || n > room {
            return false;
        }
        self.set_data_len(self.data_len() + n);
        true
    }

    fn copy_to(&self, at: usize, to: &mut [u8]) -> bool {
        let (Ok(at), Ok(len)) = (u32::try_from(at), u32::try_from(to.len())) else { return false };
        // SAFETY: the chain is ours, `to` has room for `len` bytes and is none of its buffers.
        unsafe { dpdk_sys::shim_mbuf_copy(self.0.as_ptr(), at, len, to.as_mut_ptr().cast()) == 0 }
    }

    #[inline]
    fn port(&self) -> PortId {
        PortId(self.read::<{ MBUF_PORT as usize }, _>())
    }

    // Where drivers put the tag that they strip; none is asked to, nor to write one.
    #[inline]
    fn priority(&self) -> u16 {
        self.read::<{ MBUF_VLAN_TCI as usize }, u16>() & PRIORITY
    }

    #[inline]
    fn set_priority(&mut self, bits: u16) {
        self.write::<{ MBUF_VLAN_TCI as usize }, u16>(bits & PRIORITY);
    }

    #[inline]
    fn prefetch<T>(of: &[T], at: usize) {
        prefetch(of.as_ptr().wrapping_add(at).cast());
    }

    #[inline]
    fn prefetch_headers(&self) {
        let start = self.start().cast_const();
        prefetch(start);
        // An inner header is in the second line.
        prefetch(start.wrapping_add(CACHE_LINE));
    }
}

/// Both lengths, and the VLAN's tag, of which no bit is changed.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
struct Unaligned(u64);

/// One more of both.
const BOTH_LENS: u64 = 1 | 1 << 32;

const _: () = assert!(cfg!(target_endian = "little"), "the whole length is the lower one");
const _: () = assert!(MBUF_DATA_LEN == MBUF_PKT_LEN + 4 && MBUF_PKT_LEN.is_multiple_of(4));

const CACHE_LINE: usize = 64;

/// What is not the VLAN's identifier in a tag.
const PRIORITY: u16 = 0xf000;

/// As `rte_prefetch0`.
#[inline(always)]
#[allow(clippy::inline_always)] // one instruction
fn prefetch(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch accesses nothing, and faults nowhere.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

impl Drop for Mbuf {
    fn drop(&mut self) {
        // SAFETY: ours, and gone after this.
        unsafe { dpdk_sys::shim_mbuf_free(self.0.as_ptr()) }
    }
}

impl fmt::Debug for Mbuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mbuf({:?}, {} bytes)", self.port(), self.frame_len())
    }
}
