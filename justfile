# The front door: `just` lists the recipes. Checks are stages of `tests/run`, so that people and CI run the same commands.

# List the recipes
[private]
default:
    @{{ just_executable() }} --list

# Show a market day on real data
demo *args:
    cargo run --release -p farmtally-demo -- {{ args }}

# Run every check and test, as CI does
test:
    tests/run

# Format the code
fmt:
    cargo fmt --all

# Check the format and the lints
lint:
    tests/run fmt lint

# Build the documentation; a warning fails
docs:
    tests/run docs

# Run the benchmarks
bench *args:
    cargo bench -p farmtally-tests {{ args }}

# Run seeded schedules in which everything fails: `just simulate --seeds 20000`, `just simulate --replay 7`
simulate *args:
    cargo run --release -p farmtally-tests --bin simulate -- {{ args }}

# Put faults in on purpose and see how soon the simulation catches them
mutants *names:
    tests/mutants/run {{ names }}

# Generate, build and test the Kotlin package
kotlin:
    tests/run kotlin

# Generate and test the Python package
python:
    tests/run python

# Accept a change of the foreign interface, once it was read
accept-interface:
    cargo build -p farmtally-ffi -p farmtally-bindgen
    target/debug/farmtally-bindgen interface target/debug/libfarmtally_ffi.so > tests/fixtures/interface.txt

# Generate and test the Dart package; fetches a 32-bit Dart VM if there is no `dart`
dart:
    tests/run dart

# Test the generator of Dart on its fixture
bindgen:
    tests/run bindgen

# Check licences, sources and known faults of the dependencies
deny:
    tests/run deny

# Fuzz one decoder of tests/src/fuzz.rs for some seconds; needs cargo-fuzz
fuzz target seconds="600":
    cargo test -p farmtally-tests --test fuzz -- --ignored seeds_for_a_long_run
    RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz {{ target }} -- -max_total_time={{ seconds }} -timeout=10 -malloc_limit_mb=64 -rss_limit_mb=1024
