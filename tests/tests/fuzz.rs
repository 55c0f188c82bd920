//! Checks that no bytes make a decoder panic, or take more memory than its limits allow.
//!
//! Runs some seconds on mutated real bytes; `just fuzz TARGET` runs until it is stopped. Inputs that once crashed are in `fixtures/fuzz`.

#![expect(unsafe_code, reason = "an allocator that counts has to be one")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use farmtally_core::codec::decode;
use farmtally_core::limits::MAX_BODY_BYTES;
use farmtally_core::protocol::message::{Attestation, Certificate, SyncRequest, SyncUpdates};
use farmtally_tests::fuzz::{self, TARGETS};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Most heap that one input may take: a body unpacked, read, written and compared, with room for small numbers that expand to large
/// structures.
const MAX_HEAP_BYTES: isize = 24 * MAX_BODY_BYTES.cast_signed();

/// An allocator that counts the bytes of the current thread.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // Fails only in a thread that is ending, whose counter is gone.
    let _ended = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ended = MOST.try_with(|most| most.set(most.get().max(held.get())));
    });
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Returns the most heap that `f` used beyond what was in use before.
fn heap_of(f: impl FnOnce()) -> isize {
    let before = HELD.get();
    MOST.set(before);
    f();
    MOST.get() - before
}

static SEEDS: LazyLock<BTreeMap<&'static str, Vec<Vec<u8>>>> = LazyLock::new(fuzz::seeds);

/// One mutation of bytes.
#[derive(Clone, Debug)]
enum Bend {
    Cut(Index),
    Flip(Index, u8),
    Set(Index, u8),
    Remove(Index, u8),
    Double(Index, u8),
    /// A part of another seed.
    Splice(Index, Index, Index, u8),
    /// A length in eight bytes, as in CBOR, zstd or LEB128.
    Length(Index, usize),
}

const LENGTHS: [&[u8]; 10] = [
    &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0xbb, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x5b, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff],
    &[0x7a, 0x7f, 0xff, 0xff, 0xff],
    &[0x9a, 0x00, 0xff, 0xff, 0xff],
    &[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40],
    &[0x9f, 0xbf, 0x5f, 0x7f, 0xff],
];

fn bend() -> impl Strategy<Value = Bend> {
    let at = any::<Index>;
    prop_oneof![
        1 => at().prop_map(Bend::Cut),
        4 => (at(), any::<u8>()).prop_map(|(at, by)| Bend::Flip(at, by)),
        4 => (at(), any::<u8>()).prop_map(|(at, to)| Bend::Set(at, to)),
        2 => (at(), any::<u8>()).prop_map(|(at, length)| Bend::Remove(at, length)),
        2 => (at(), any::<u8>()).prop_map(|(at, length)| Bend::Double(at, length)),
        2 => (at(), at(), at(), any::<u8>()).prop_map(|(at, seed, from, length)| Bend::Splice(at, seed, from, length)),
        3 => (at(), 0..LENGTHS.len()).prop_map(|(at, which)| Bend::Length(at, which)),
    ]
}

impl Bend {
    fn apply(&self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        if bytes.is_empty() {
            return;
        }
        let end = |from: usize, length: u8, all: usize| (from + usize::from(length)).min(all);
        match self {
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Flip(at, by) => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << (by % 8);
            }
            Self::Set(at, to) => {
                let at = at.index(bytes.len());
                bytes[at] = *to;
            }
            Self::Remove(at, length) => {
                let at = at.index(bytes.len());
                bytes.drain(at..end(at, *length, bytes.len()));
            }
            Self::Double(at, length) => {
                let at = at.index(bytes.len());
                let stretch = bytes[at..end(at, *length, bytes.len())].to_vec();
                bytes.splice(at..at, stretch);
            }
            Self::Splice(at, seed, from, length) => {
                let (at, other) = (at.index(bytes.len()), &seeds[seed.index(seeds.len())]);
                if !other.is_empty() {
                    let from = from.index(other.len());
                    bytes.splice(at..at, other[from..end(from, *length, other.len())].iter().copied());
                }
            }
            Self::Length(at, which) => {
                let at = at.index(bytes.len());
                bytes.splice(at..=at, LENGTHS[*which].iter().copied());
            }
        }
    }
}

/// Runs a target on mutated seeds.
fn bends(name: &str) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    let seeds = &SEEDS[name];
    let mut most = 0;
    for seed in seeds {
        most = most.max(heap_of(|| target(seed)));
    }
    // A failing input is printed in hex; put it into a file of `fixtures/fuzz`.
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) };
    let most = Cell::new(most);
    proptest!(config, |(seed in any::<Index>(), bends in vec(bend(), 1..6))| {
        let mut bytes = seeds[seed.index(seeds.len())].clone();
        for bend in &bends {
            bend.apply(&mut bytes, seeds);
        }
        let hex = || data_encoding::HEXLOWER.encode(&bytes);
        let work = std::panic::AssertUnwindSafe(|| heap_of(|| target(&bytes)));
        let Ok(heap) = std::panic::catch_unwind(work) else {
            return Err(TestCaseError::fail(format!("{name} panics on {}", hex())));
        };
        prop_assert!(heap <= MAX_HEAP_BYTES, "{name} takes {heap} bytes for {}", hex());
        most.set(most.get().max(heap));
    });
    println!("{name}: {} seeds, {} KiB at most", seeds.len(), most.get() / 1024);
}

/// Number of cases: 400, or `PROPTEST_CASES`.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400)
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            bends(stringify!($name));
        })*

        #[test]
        fn every_target_is_run() {
            let run = [$(stringify!($name)),*];
            assert_eq!(run.as_slice(), TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        }
    };
}

targets! {
    answer authorization bundle change decision document draft frame live parcel parcel_content qr_frame request value wire
}

#[test]
fn seeds_hold_what_is_seldom_said() {
    let requests = || SEEDS["request"].iter().filter_map(|seed| decode::<SyncRequest>(seed).ok());
    assert!(requests().any(|it| !it.offers.is_empty()) && requests().any(|it| !it.checkpoints.is_empty()));
    assert!(SEEDS["request"].iter().any(|seed| decode::<Certificate>(seed).is_ok()));
    assert!(
        SEEDS["answer"].iter().filter_map(|seed| decode::<SyncUpdates>(seed).ok()).any(|it| !it.diverged.is_empty())
    );
    assert!(SEEDS["answer"].iter().filter_map(|seed| decode::<Attestation>(seed).ok()).any(|it| it.safe.is_some()));
}

#[test]
fn what_once_crashed_does_not_any_more() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fuzz");
    for (name, target) in TARGETS {
        let Ok(files) = std::fs::read_dir(folder.join(name)) else { continue };
        for file in files {
            let path = file.expect("a file").path();
            let bytes = std::fs::read(&path).expect("bytes");
            let heap = heap_of(|| target(&bytes));
            assert!(heap <= MAX_HEAP_BYTES, "{} takes {heap} bytes", path.display());
        }
    }
}

/// Writes the start corpus of `just fuzz`.
#[test]
#[ignore = "writes the seeds of a long run into tests/fuzz/corpus"]
fn seeds_for_a_long_run() {
    for (name, seeds) in SEEDS.iter() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        for (number, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed).expect("written");
        }
    }
}
