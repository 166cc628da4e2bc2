//! Memory: wiped when it is freed, and never out within a call.
//!
//! - Wiped, so that no secret outlives its owner in wasm memory, whoever the owner was: a key
//!   schedule, a session, a buffer with plaintext. It does not know what is secret; it wipes
//!   everything. Freeing is rare next to encrypting.
//! - Never out within a call: Rust aborts where memory is out, and with the instance go the
//!   connections of everybody. So a reserve is set aside, which a call may use up; the connection
//!   that it was made for then fails by itself (`ERR_TLS_OUT_OF_MEMORY`), and frees what it had.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::alloc::{GlobalAlloc, Layout, System};

/// More than one call takes: the largest handshake message of 64 KiB in its several forms, or the
/// output of 64 KiB of plaintext beside an input buffer that grows.
const RESERVE: Layout = match Layout::from_size_align(512 * 1024, 16) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout"),
};

static RESERVED: AtomicPtr<u8> = AtomicPtr::new(null_mut());

/// Sets the reserve aside, where it is not. False: memory is out, and nothing may be begun.
pub(crate) fn has_reserve() -> bool {
    if RESERVED.load(Ordering::Relaxed).is_null() {
        // SAFETY: the layout has a size.
        let block = unsafe { System.alloc(RESERVE) };
        RESERVED.store(block, Ordering::Relaxed);
    }
    !RESERVED.load(Ordering::Relaxed).is_null()
}

/// Whether a call has used the reserve up.
pub(crate) fn reserve_is_used() -> bool {
    RESERVED.load(Ordering::Relaxed).is_null()
}

/// Gives the reserve back to `System`, and allocates, zeroed. Null: there was none.
#[cold]
#[inline(never)]
fn from_reserve(layout: Layout) -> *mut u8 {
    let block = RESERVED.swap(null_mut(), Ordering::Relaxed);
    if block.is_null() {
        return block;
    }
    // SAFETY: it was allocated with its layout, and nobody else has it. The other layout has a size,
    // as its caller promised.
    unsafe {
        System.dealloc(block, RESERVE);
        System.alloc_zeroed(layout)
    }
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
