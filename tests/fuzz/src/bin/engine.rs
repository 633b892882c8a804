//! The fuzzer: libFuzzer over the target that the variable `FUZZ_TARGET` names. `cargo fuzz-decoders` builds and runs it.
#![no_main]
#![forbid(unsafe_code)]

use std::sync::OnceLock;

use blockhaul_fuzz::Target;
use libfuzzer_sys::fuzz_target;

/// Looked up once: the fuzzer runs one target in its life.
static TARGET: OnceLock<&'static Target> = OnceLock::new();

/// The fuzzer ends at any panic; one that the product makes an error of is none.
fn forgive_guarded() {
    let end = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !drivers_cards::is_guarded() {
            end(panic);
        }
    }));
}

fuzz_target!(init: forgive_guarded(), |input: &[u8]| {
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        blockhaul_fuzz::target(&name).unwrap_or_else(|why| panic!("{why}"))
    });
    (target.check)(input);
});
