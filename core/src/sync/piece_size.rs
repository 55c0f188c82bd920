//! Size of the next request and answer, adapted to the network.
//!
//! Pure: the caller measures. A phone on a poor network loses what is under way when the connection breaks, so a piece is small enough to
//! arrive; on a good network it is large, so that few round trips are needed.

use crate::limits::{BUNDLE_BYTES, MAX_BODY_BYTES, MIN_PIECE_BYTES};

/// Largest piece in raw bytes: well below the limit of a body.
const MAX_PIECE_BYTES: usize = MAX_BODY_BYTES / 4;
/// First piece of a process: one bundle.
const FIRST_PIECE_BYTES: usize = BUNDLE_BYTES;
/// Time of a request and its answer under which the next piece is larger.
const SHORT_MS: u64 = 5_000;
/// Time of a request and its answer over which the next piece is smaller.
const LONG_MS: u64 = 20_000;
/// Part of a piece that must have been sent and received, compressed, before the next is larger: a small exchange says nothing about the
/// rate of a network.
const MEASURED_PART: u64 = 8;

/// Raw bytes that the next request may carry in bundles, parcels or offers, and its answer in frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PieceSize {
    bytes: usize,
    /// Largest size of this exchange: below each one that was refused as too large.
    limit: usize,
}

impl Default for PieceSize {
    fn default() -> Self {
        Self { bytes: FIRST_PIECE_BYTES, limit: MAX_PIECE_BYTES }
    }
}

impl PieceSize {
    /// Returns the raw bytes of a piece.
    pub(crate) fn bytes(self) -> usize {
        self.bytes
    }

    /// Returns the raw bytes at which a new bundle ends.
    pub(crate) fn bundle_bytes(self) -> usize {
        self.bytes.min(BUNDLE_BYTES)
    }

    /// Returns this size for a new exchange, in which larger requests may pass than in the last one.
    pub(crate) fn without_limit(self) -> Self {
        Self { limit: MAX_PIECE_BYTES, ..self }
    }

    /// Records an answer of the server: `took_ms` after its request, `bytes` of both as sent.
    pub(crate) fn answered(&mut self, took_ms: u64, bytes: u64) {
        if took_ms > LONG_MS {
            self.bytes = (self.bytes / 2).max(MIN_PIECE_BYTES);
        } else if took_ms < SHORT_MS && bytes >= self.bytes as u64 / MEASURED_PART {
            self.bytes = (self.bytes * 2).min(self.limit);
        }
    }

    /// Records that no answer came, or one that was cut off.
    pub(crate) fn failed(&mut self) {
        self.bytes = (self.bytes / 4).max(MIN_PIECE_BYTES);
    }

    /// Records that the request was too large. Returns whether the next piece is smaller.
    pub(crate) fn was_refused(&mut self) -> bool {
        let before = self.bytes;
        self.limit = (before / 2).max(MIN_PIECE_BYTES);
        self.failed();
        self.bytes < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    #[test]
    fn a_piece_grows_after_quick_answers_and_shrinks_after_slow_ones() {
        let mut size = PieceSize::default();
        for (took_ms, bytes, expected) in [
            (0, 2 * KIB, 32 * KIB),
            (SHORT_MS - 1, 4 * KIB, 64 * KIB),
            (SHORT_MS, 8 * KIB, 64 * KIB),
            (LONG_MS, 8 * KIB, 64 * KIB),
            (LONG_MS + 1, 8 * KIB, 32 * KIB),
            // A small exchange says nothing.
            (0, 4 * KIB - 1, 32 * KIB),
            (LONG_MS + 1, 0, 16 * KIB),
            (LONG_MS + 1, 0, 8 * KIB),
            (LONG_MS + 1, 0, 4 * KIB),
            (LONG_MS + 1, 0, 4 * KIB),
        ] {
            size.answered(took_ms, bytes as u64);
            assert_eq!(size.bytes(), expected, "{took_ms} ms, {bytes} bytes");
        }
        for _ in 0..20 {
            size.answered(0, u64::MAX);
        }
        assert_eq!((size.bytes(), size.bundle_bytes()), (512 * KIB, 16 * KIB));
    }

    #[test]
    fn a_piece_shrinks_to_a_quarter_after_a_failure_and_has_a_floor() {
        let mut size = PieceSize::default();
        for _ in 0..2 {
            size.failed();
            assert_eq!((size.bytes(), size.bundle_bytes()), (4 * KIB, 4 * KIB));
        }
    }

    #[test]
    fn a_piece_stays_below_one_that_was_too_large_until_the_next_exchange() {
        let mut size = PieceSize { bytes: 128 * KIB, ..PieceSize::default() };
        assert_eq!((size.was_refused(), size.bytes()), (true, 32 * KIB));
        let answered = |mut size: PieceSize| {
            (0..20).for_each(|_| size.answered(0, u64::MAX));
            size.bytes()
        };
        assert_eq!((answered(size), answered(size.without_limit())), (64 * KIB, 512 * KIB));
        let refused = [size.was_refused(), size.was_refused(), size.was_refused()];
        assert_eq!((refused, size.bytes()), ([true, true, false], 4 * KIB));
        assert_eq!(answered(size), 4 * KIB);
    }
}
