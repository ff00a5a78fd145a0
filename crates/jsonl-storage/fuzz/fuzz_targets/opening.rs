//! Opens a log whose bytes anybody may have written, over the simulated disk of the crash suite.
#![no_main]
#![allow(dead_code, reason = "the crash suite uses the rest of these modules")]

#[path = "../../tests/crash/backend.rs"]
mod backend;
#[path = "../../tests/crash/disk.rs"]
mod disk;
#[path = "../../tests/crash/opening.rs"]
mod opening;
#[path = "../../tests/crash/rng.rs"]
mod rng;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Err(failure) = opening::check(input) {
        panic!("{failure}");
    }
});
