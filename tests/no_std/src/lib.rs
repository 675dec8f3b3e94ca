//! Links the core of rdtp into a program that has no standard library, as on a microcontroller.
#![no_std]

extern crate alloc;

use alloc::vec;
use core::{
    alloc::{GlobalAlloc, Layout},
    ptr,
};

use rdtp::{batch::Batch, rng::Seed, seq::Modulus, time::Instant};

/// An allocator with nothing to give: this program is linked, never run.
struct Nothing;

// SAFETY: a null pointer is how an allocator says that it has no memory left.
unsafe impl GlobalAlloc for Nothing {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Nothing = Nothing;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Uses the heap, chance, time and a batch, so that all of them are linked.
#[unsafe(no_mangle)]
pub extern "C" fn rdtp_without_std(seed: u64) -> u64 {
    let mut space = vec![0; 64];
    let mut batch = Batch::new(&mut space);
    let word = Seed::new(seed).split("no_std").rng().next_u64();
    batch.put(&word.to_be_bytes());
    let now = Instant::ZERO + core::time::Duration::from_nanos(word);
    Modulus::bits(8).add(now.as_nanos(), batch.len() as u64)
}
