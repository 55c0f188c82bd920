//! Every limit of the product, in one place. What is soft is asked about ([`crate::rules::Check`]), what is hard is refused.

use std::ops::RangeInclusive;

use crate::units::Grams;

/// The largest change, in bytes of its raw form (hard).
pub const MAX_CHANGE_BYTES: usize = 48 * 1024;
/// Operations in one change (hard): columns are run-length coded, so few bytes can claim very many.
pub const MAX_OPERATIONS: u64 = 2_000;
/// Bags in one delivery, over all that was ever added (hard).
pub const MAX_DELIVERY_BAGS: usize = 20_000;
/// Bundles in one request (hard); a phone sends eight.
pub const MAX_BUNDLES: usize = 128;
/// Cursors in one request (hard); a phone holds four to twelve scopes.
pub const MAX_CURSORS: usize = 1_000;
/// Pieces of lost logs in one request (hard); a phone offers one.
pub const MAX_OFFERS: usize = 16;
/// Where a bundle is cut, in bytes of raw changes (hard); a larger outbox becomes several bundles.
pub const MAX_BUNDLE_BYTES: usize = 64 * 1024;
/// The largest request or response, in bytes as sent (hard).
pub const MAX_WIRE_BYTES: usize = 256 * 1024;
/// The largest request or response once unpacked (hard).
pub const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;
/// The largest parcel (hard): it holds any one bundle, and goes into one request beside the cursors.
pub const MAX_PARCEL_BYTES: usize = 160 * 1024;
/// How long a challenge is good for on the server that gave it (hard).
pub const CHALLENGE_LIFE_MS: i64 = 48 * 3_600_000;
/// Parcels in one request (hard); a phone sends eight.
pub const MAX_PARCELS: usize = 16;
/// What one phone carries for others, in bytes of parcels (hard).
pub const MAX_CARRIED_BYTES: usize = 16 * 1024 * 1024;
/// Answered bundles that a phone keeps at most, until two verified copies of its server's data contain them, in bytes (the oldest go first).
pub const MAX_KEPT_BYTES: u64 = 64 * 1024 * 1024;
/// Entries of each log that a phone keeps at most, until two verified copies of its server's data contain them (the oldest go first).
pub const MAX_KEPT_ENTRIES: u64 = 200_000;
/// The largest QR frame: fits a code of version 20 with correction level M in byte mode, which takes 666 (ISO/IEC 18004).
pub const QR_FRAME_BYTES: usize = 600;
/// What a server takes back from one phone in one go after a loss, in bytes of entries (hard); a phone keeps less.
pub const MAX_STAGED_BYTES: u64 = 128 * 1024 * 1024;
/// QR frames in a series (hard): at five a second one loop takes under two minutes.
pub const MAX_QR_FRAMES: usize = 512;
/// Where a frame is closed, in bytes of raw entries: 16 to 32 KiB once compressed.
pub const FRAME_BYTES: usize = 64 * 1024;
/// Where a frame is closed even within what one transaction logged (hard), in bytes of raw entries.
pub const MAX_FRAME_BYTES: usize = 192 * 1024;
/// Bags in one value of a delivery (hard).
pub const MAX_BAGS: usize = 2_000;
/// Bags that a delivery commonly has at most (soft).
pub const COMMON_BAGS: usize = 1_000;
/// Deliveries in the manifest of one load (hard): 32 bytes each, within one change.
pub const MAX_MANIFEST: usize = 1_000;
/// What a bag commonly weighs (soft); its hard bounds are those of [`crate::units::BagWeight`].
pub const COMMON_BAG: RangeInclusive<Grams> = Grams(10_000)..=Grams(100_000);
/// Common moisture in hundredths of a percent (soft).
pub const COMMON_MOISTURE: RangeInclusive<i32> = 1_000..=3_000;
/// Business dates that are commonly recorded, in days from today (soft).
pub const COMMON_DAYS: RangeInclusive<i32> = -60..=1;
/// Digits of a telephone number (hard; ITU-T E.164 allows 15).
pub const PHONE_DIGITS: RangeInclusive<usize> = 5..=15;
/// What a lorry carries at most (hard): more than any on a road.
pub const MAX_PAYLOAD: Grams = Grams(200_000_000);
/// The highest number of a rule set (hard).
pub const MAX_RULE_SET: u32 = 1_000_000;
/// Names, villages, reasons and other text, in characters (hard).
pub const MAX_TEXT: usize = 200;
