//! Large allocations on two-megabyte pages: a random access to a table of many megabytes then costs
//! one miss, and not another one for the page's entry.
//!
//! The kernel is asked for transparent huge pages (`madvise`), which needs no reservation; where it
//! has none, ordinary pages do. It is the programs' global allocator, so that the tables of the
//! control core profit as those of the workers do.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr;
use std::alloc::System;

/// The global allocator of programs with large tables.
#[derive(Debug)]
pub struct HugePages;

const PAGE: usize = 2 << 20;

/// What is smaller is the system allocator's.
const LARGE: usize = 2 * PAGE;

fn is_large(layout: Layout) -> bool {
    layout.size() >= LARGE && layout.align() <= PAGE
}

// SAFETY: what `map` gives is as large and as aligned as was asked for, and is unmapped once, by
// `dealloc` with the same layout; the rest is `System`'s, told apart by the layout alone.
unsafe impl GlobalAlloc for HugePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_large(layout) {
            return map(layout.size());
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_large(layout) {
            return map(layout.size()); // fresh memory is zero
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if is_large(layout) {
            // SAFETY: `map` made a mapping of this length there.
            unsafe { libc::munmap(at.cast(), layout.size().next_multiple_of(PAGE)) };
        } else {
            // SAFETY: the caller's promise.
            unsafe { System.dealloc(at, layout) };
        }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise: `size` is not zero and does not overflow.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        if !is_large(layout) && !is_large(new) {
            // SAFETY: the caller's promise.
            return unsafe { System.realloc(at, layout, size) };
        }
        // SAFETY: the layout is a valid one.
        let to = unsafe { self.alloc(new) };
        if !to.is_null() {
            // SAFETY: both have so many bytes, and one of them is new; the old one is the caller's.
            unsafe {
                ptr::copy_nonoverlapping(at, to, layout.size().min(size));
                self.dealloc(at, layout);
            }
        }
        to
    }
}

/// Maps so many bytes, rounded up to whole huge pages and aligned to them; null without memory.
fn map(size: usize) -> *mut u8 {
    let Some(len) = size.checked_next_multiple_of(PAGE) else { return ptr::null_mut() };
    let Some(room) = len.checked_add(PAGE) else { return ptr::null_mut() };
    let (prot, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping, wherever the kernel likes; what is cut off before and behind is ours,
    // and nobody knows of it yet.
    unsafe {
        let start = libc::mmap(ptr::null_mut(), room, prot, flags, -1, 0);
        if start == libc::MAP_FAILED {
            return ptr::null_mut();
        }
        let before = start.align_offset(PAGE);
        let at = start.byte_add(before);
        if before > 0 {
            libc::munmap(start, before);
        }
        if PAGE > before {
            libc::munmap(at.byte_add(len), PAGE - before);
        }
        // Refused, it is memory all the same.
        libc::madvise(at, len, libc::MADV_HUGEPAGE);
        at.cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_blocks_are_aligned_zero_and_keep_their_bytes_when_they_grow() {
        let layout = Layout::from_size_align(LARGE + 5, 64).unwrap();
        // SAFETY: each block is freed once with the layout that it has then.
        unsafe {
            let at = HugePages.alloc_zeroed(layout);
            assert!(!at.is_null() && at.addr().is_multiple_of(PAGE));
            assert!((0..layout.size()).step_by(4093).all(|i| *at.add(i) == 0));
            at.add(LARGE + 4).write(7);
            let at = HugePages.realloc(at, layout, 3 * LARGE);
            assert_eq!(*at.add(LARGE + 4), 7);
            let grown = Layout::from_size_align(3 * LARGE, 64).unwrap();
            let small = HugePages.realloc(at, grown, 100);
            assert_eq!(*small, 0);
            HugePages.dealloc(small, Layout::from_size_align(100, 64).unwrap());
        }
    }
}
