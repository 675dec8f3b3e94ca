//! See `tests/fuzz_corpus/targets`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rdtp_fuzz::run("chat_frames", data));
