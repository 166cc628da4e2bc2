//! Memory: wiped when it is freed, and never out within a call.
//!
//! - Wiped, so that no secret outlives its owner in wasm memory, whoever the owner was: a key
//!   schedule, a session, a buffer with plaintext. It does not know what is secret; it wipes
//!   everything. Freeing is rare next to encrypting.
//! - Never out within a call: Rust aborts where memory is out, and with the instance go the
//!   connections of everybody. So a reserve is set aside, which a call may use up; the connection
//!   that it was made for then fails by itself (`ERR_TLS_OUT_OF_MEMORY`), and frees what it had.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::alloc::{GlobalAlloc, Layout, System};

/// What a call must find in reserve before it begins.
#[derive(Clone, Copy)]
pub(crate) struct Needed {
    /// In one piece.
    largest: usize,
    total: usize,
}

/// A new connection: all that there can be.
pub(crate) const FOR_A_CONNECTION: Needed = Needed { largest: 128 * KIB, total: 512 * KIB };
/// A step of a handshake that is under way. The largest message has 64 KiB, in several forms.
pub(crate) const FOR_A_HANDSHAKE: Needed = Needed { largest: 128 * KIB, total: 256 * KIB };
/// A call of an established connection: what it receives or sends has its room already.
pub(crate) const FOR_TRAFFIC: Needed = Needed { largest: 32 * KIB, total: 32 * KIB };

const KIB: usize = 1024;
/// The parts of the reserve, so that some of it can be had again where memory is in pieces.
const SIZES: [usize; 8] =
    [128 * KIB, 128 * KIB, 64 * KIB, 64 * KIB, 32 * KIB, 32 * KIB, 32 * KIB, 32 * KIB];

static RESERVE: [AtomicPtr<u8>; SIZES.len()] = [const { AtomicPtr::new(null_mut()) }; SIZES.len()];
static USED: AtomicBool = AtomicBool::new(false);

const fn layout(size: usize) -> Layout {
    match Layout::from_size_align(size, 16) {
        Ok(layout) => layout,
        Err(_) => panic!("a layout"),
    }
}

/// Sets aside what is missing of the reserve, as far as there is memory. Whether it is enough.
pub(crate) fn has_reserve(needed: Needed) -> bool {
    let (mut largest, mut total) = (0, 0);
    for (block, size) in RESERVE.iter().zip(SIZES) {
        if block.load(Ordering::Relaxed).is_null() {
            // SAFETY: the layout has a size.
            block.store(unsafe { System.alloc(layout(size)) }, Ordering::Relaxed);
        }
        if !block.load(Ordering::Relaxed).is_null() {
            largest = largest.max(size);
            total += size;
        }
    }
    largest >= needed.largest && total >= needed.total
}

/// Whether a call has used some of the reserve since this was asked last.
pub(crate) fn take_used() -> bool {
    USED.swap(false, Ordering::Relaxed)
}

/// Zeros, or `None` where memory is out; the reserve is not touched.
pub(crate) fn zeros(length: usize) -> Option<Vec<u8>> {
    let layout = Layout::array::<u8>(length).ok().filter(|layout| layout.size() > 0)?;
    // SAFETY: the layout has a size.
    let block = unsafe { System.alloc_zeroed(layout) };
    // SAFETY: the block has this layout, is initialized, and is freed by `System` in the end.
    (!block.is_null()).then(|| unsafe { Vec::from_raw_parts(block, length, length) })
}

/// Makes room for more. False: memory is out; the reserve is not touched.
pub(crate) fn make_room(bytes: &mut Vec<u8>, more: usize) -> bool {
    if bytes.capacity() - bytes.len() >= more {
        return true;
    }
    let Some(mut larger) = zeros(bytes.len() + more) else { return false };
    larger.clear();
    larger.extend_from_slice(bytes);
    *bytes = larger;
    true
}

/// Gives the reserve back to `System`, and allocates, zeroed. Null: that was not enough.
#[cold]
#[inline(never)]
fn from_reserve(wanted: Layout) -> *mut u8 {
    for (block, size) in RESERVE.iter().zip(SIZES) {
        let block = block.swap(null_mut(), Ordering::Relaxed);
        if !block.is_null() {
            // SAFETY: it was allocated with this layout, nobody else has it, and nothing was written.
            unsafe { System.dealloc(block, layout(size)) };
        }
    }
    USED.store(true, Ordering::Relaxed);
    // SAFETY: the caller's promise: the layout has a size.
    unsafe { System.alloc_zeroed(wanted) }
}

struct WipingAllocator;

// Each is one function: inlined at every place that allocates they are 10 KB of wasm.

// SAFETY: allocation is left to `System`; only blocks about to be freed are written to.
unsafe impl GlobalAlloc for WipingAllocator {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise on the layout.
        let block = unsafe { System.alloc(layout) };
        if block.is_null() { from_reserve(layout) } else { block }
    }

    #[inline(never)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise on the layout.
        let block = unsafe { System.alloc_zeroed(layout) };
        if block.is_null() { from_reserve(layout) } else { block }
    }

    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller owns the block, of this layout, and gives it up.
        unsafe {
            block.write_bytes(0, layout.size());
            // Keeps the compiler from dropping a write to memory that is about to be freed.
            core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
            core::hint::black_box(block);
            System.dealloc(block, layout);
        }
    }
    // `realloc` is the trait's default: allocate, copy, then `dealloc` above.
}

#[global_allocator]
static ALLOCATOR: WipingAllocator = WipingAllocator;
