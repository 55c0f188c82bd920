#![no_main]

libfuzzer_sys::fuzz_target!(init: farmtally_fuzz::pass_over_caught_panics(), |bytes: &[u8]| {
    farmtally_tests::fuzz::pack(bytes);
});
