//! Wipes memory when it is freed, so that no secret outlives its owner in wasm memory, whoever
//! the owner was: a key schedule, a session, a buffer with plaintext.
//!
//! It does not know what is secret; it wipes everything. Freeing is rare next to encrypting.

use std::alloc::{GlobalAlloc, Layout, System};

struct WipingAllocator;

// SAFETY: allocation is left to `System`; only blocks about to be freed are written to.
unsafe impl GlobalAlloc for WipingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
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
