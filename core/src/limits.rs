//! Limits of input and of messages. A person must confirm input beyond a soft limit ([`crate::rules::Check`]); beyond a hard limit it is
//! refused. Sizes at which something is cut or dropped are neither. The times of access are in `client/access.rs` and `permission`.

use std::ops::RangeInclusive;

use crate::units::Grams;

/// Largest change, in bytes of its raw form (hard).
pub const MAX_CHANGE_BYTES: usize = 48 * 1024;
/// Operations in one change (hard). Columns are run-length coded, so few bytes can claim very many operations.
pub const MAX_OPERATIONS: u64 = 2_000;
/// Bags of one delivery after merging what several phones added at the same time, including voided ones (hard).
pub const MAX_MERGED_BAGS: usize = 20_000;
/// Bundles in one request or parcel (hard); a phone sends at most 32 in a request.
pub const MAX_BUNDLES: usize = 128;
/// Cursors in one request, and checkpoints in one request (hard); a phone has four to twelve scopes.
pub const MAX_CURSORS: usize = 1_000;
/// Offers in one request (hard); a phone sends one.
pub const MAX_OFFERS: usize = 16;
/// Size at which a phone ends a bundle, in bytes of stripped changes, but never within an action; less on a poor network. Once sealed, a
/// bundle cannot be divided, so one that a poor network or a proxy does not let through would block all later ones: these are 5 to 9 KB as
/// sent.
pub const BUNDLE_BYTES: usize = 16 * 1024;
/// Largest bundle, in bytes of stripped changes, unless one action is larger. One above twice this size, encoded, is refused.
pub const MAX_BUNDLE_BYTES: usize = 64 * 1024;
/// Largest request or response, in bytes as sent (hard).
pub const MAX_WIRE_BYTES: usize = 256 * 1024;
/// Largest request or response after decompression, in bytes (hard).
pub const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;
/// Smallest size at which a phone lets a request or an answer be cut, in raw bytes of bundles or frames: two to three seconds at 1,000 bytes
/// per second once compressed. A server cuts no smaller answer.
pub const MIN_PIECE_BYTES: usize = 4 * 1024;
/// Largest parcel, in bytes (hard). It can contain any one bundle, and fits into one request beside the cursors.
pub const MAX_PARCEL_BYTES: usize = 160 * 1024;
/// Time for which a server accepts a challenge that it issued, in milliseconds (hard).
pub const CHALLENGE_LIFE_MS: i64 = 48 * 3_600_000;
/// Parcels in one request (hard); a phone sends at most eight.
pub const MAX_PARCELS: usize = 16;
/// Parcels that one phone carries for others, in bytes of all together (hard).
pub const MAX_CARRIED_BYTES: usize = 16 * 1024 * 1024;
/// Answered bundles that a phone keeps until two verified copies of its server's data contain them, in bytes. The oldest are dropped first.
pub const MAX_KEPT_BYTES: u64 = 64 * 1024 * 1024;
/// Entries of each log that a phone keeps until two verified copies of its server's data contain them. The oldest are dropped first.
pub const MAX_KEPT_ENTRIES: u64 = 200_000;
/// Largest QR frame, in bytes. A code of version 20 with correction level M in byte mode takes 666 (ISO/IEC 18004).
pub const QR_FRAME_BYTES: usize = 600;
/// Content of a QR code on paper, in bytes (hard): the most that version 40 with correction level M holds (ISO/IEC 18004).
pub const MAX_PRINTED_CODE: usize = 2_331;
/// Entries that a server stages from one phone to restore lost logs, in bytes (hard); a phone keeps less.
pub const MAX_STAGED_BYTES: u64 = 128 * 1024 * 1024;
/// QR frames in a series (hard); at five a second, one loop takes under two minutes.
pub const MAX_QR_FRAMES: usize = 512;
/// Size at which a frame is closed, in bytes of raw entries, or earlier at the phone's budget; 16 to 32 KiB after compression.
pub const FRAME_BYTES: usize = 64 * 1024;
/// Size at which a frame is closed even between entries with one commit id, in bytes of raw entries, or earlier at the phone's budget.
pub const MAX_FRAME_BYTES: usize = 192 * 1024;
/// Bags of one delivery up to which a phone adds more, counting voided ones, and bags in one value of it (hard).
pub const MAX_BAGS: usize = 2_000;
/// Lots of one delivery, counting voided ones (hard).
pub const MAX_LOTS: usize = 200;
/// Moves of parts of one delivery to which a phone adds more (hard).
pub const MAX_MOVES: usize = 200;
/// Bags and lots that all moves of one delivery name after merging, each counted as often as it is named (hard).
pub const MAX_MERGED_MOVED: usize = 1_000_000;
/// Bags that a farmer declares, and those of one type and grade that are counted in lots and vehicles (hard).
pub const MAX_BAG_COUNT: u32 = 100_000;
/// Readings of one delivery, counting voided ones, to which a phone adds more (hard).
pub const MAX_READINGS: usize = 200;
/// Bytes of a signature's strokes, packed (hard).
pub const MAX_SIGNATURE_BYTES: usize = 2_048;
/// Steps of a signature's field in width and in height.
pub const SIGNATURE_SIZE: u32 = 1_024;
/// Bags that a delivery usually has at most (soft).
pub const COMMON_BAGS: usize = 1_000;
/// Deliveries in the manifest of one load (hard); at 32 bytes each, a manifest fits into one change.
pub const MAX_MANIFEST: usize = 1_000;
/// Usual weight of a bag (soft); its hard bounds are those of [`crate::units::BagWeight`].
pub const COMMON_BAG: RangeInclusive<Grams> = Grams(10_000)..=Grams(100_000);
/// Usual moisture in hundredths of a percent (soft).
pub const COMMON_MOISTURE: RangeInclusive<i32> = 1_000..=3_000;
/// Newest checks of instruments of a centre among which a warning looks for the last of each.
pub const MAX_CHECKS_READ: u32 = 200;
/// Usual business dates, in days after today, negative for earlier days (soft).
pub const COMMON_DAYS: RangeInclusive<i32> = -60..=1;
/// Reading of an odometer in kilometres (hard).
pub const MAX_ODOMETER_KM: u32 = 9_999_999;
/// Plots in the view of a farmer (soft): later ones are in the list of plots only.
pub const MAX_PLOTS_SHOWN: u32 = 200;
/// Points of a track in one call (hard), before they are thinned: more than a day with one each half minute.
pub const MAX_TRACK_POINTS: usize = 5_000;
/// Pieces of the track of one load, to which a phone adds more (hard): with one each quarter of an hour, 50 hours.
pub const MAX_TRACK_PIECES: usize = 200;
/// Points of the track of one load, in bytes as stored, to which a phone adds more (hard).
pub const MAX_TRACK_BYTES: usize = 32 * 1024;
/// Positions of a route with which a track is compared (hard).
pub const MAX_ROUTE: usize = 200;
/// Digits of a telephone number (hard; ITU-T E.164 allows 15).
pub const PHONE_DIGITS: RangeInclusive<usize> = 5..=15;
/// Other farmers of a centre who may have a farmer's telephone number before it says no longer that they look alike (neither soft nor hard).
pub const MAX_SHARED_PHONE: usize = 5;
/// Telephone numbers of one farmer (hard).
pub const MAX_PHONES: usize = 10;
/// Tags of one farmer (hard).
pub const MAX_TAGS: usize = 20;
/// Characters of a national id (hard).
pub const NATIONAL_ID: RangeInclusive<usize> = 4..=32;
/// Characters of a bank account's number (hard); an IBAN has at most 34.
pub const BANK_ACCOUNT: RangeInclusive<usize> = 4..=34;
/// Length of a tag of a language, in characters (hard; RFC 5646 recommends room for 35).
pub const MAX_LANGUAGE: usize = 35;
/// Largest weight of the produce of one lorry request (hard).
pub const MAX_REQUESTED: Grams = Grams(100_000_000);
/// Largest number of bags, containers or people that are counted or estimated in a simple record (hard).
pub const MAX_COUNTED: u32 = 100_000;
/// Largest value of a check of an instrument (hard): grams, or hundredths of a percent.
pub const MAX_SHOWN_VALUE: u32 = 200_000_000;
/// Lines of goods of one advance (hard).
pub const MAX_ADVANCE_ITEMS: usize = 50;
/// Reason codes of one feedback (hard).
pub const MAX_REASONS: usize = 10;
/// Largest payload of a lorry (hard); more than any lorry on a road.
pub const MAX_PAYLOAD: Grams = Grams(200_000_000);
/// Highest number of a rule set, which begin at 1 (hard).
pub const MAX_RULE_SET: u32 = 1_000_000;
/// Length of a name, village, reason or other text, in characters (hard).
pub const MAX_TEXT: usize = 200;
/// Rows on a page of a list (hard).
pub const MAX_PAGE: u32 = 200;
/// Rows of a report that is not exported (hard).
pub const MAX_REPORT_ROWS: usize = 10_000;
/// Farmers in the report of those with the greatest weight (hard).
pub const MAX_TOP: u32 = 1_000;
/// Length of a text as it is typed or pasted, in bytes (hard): beyond it, nothing is looked at.
pub const MAX_TYPED_BYTES: usize = 64 * 1024;
/// Largest file of farmers to import, in bytes (hard).
pub const MAX_IMPORT_BYTES: usize = 16 * 1024 * 1024;
/// Lines of an import of which the reasons are returned why they were not imported. More are only counted.
pub const MAX_IMPORT_ISSUES: usize = 1_000;
/// Grades of a rule set (hard).
pub const MAX_GRADES: usize = 50;
/// Quality factors of a rule set (hard).
pub const MAX_FACTORS: usize = 50;
/// Brackets of moisture in a rule set (hard).
pub const MAX_BRACKETS: usize = 200;
/// Longest window of a rule set, in minutes (hard): a year of 366 days.
pub const MAX_WINDOW_MINUTES: u32 = 366 * 24 * 60;
/// Most days for which a check of an instrument may be good.
pub const MAX_CHECK_DAYS: u32 = 366;
/// Most bags that a threshold of a pattern may have.
pub const MAX_PATTERN_BAGS: u32 = 1_000;
/// Most seconds that a rule set may expect for a bag.
pub const MAX_BAG_SECONDS: u32 = 600;
/// Largest limit of a load, in hundredths of a percent of the lorry's payload (hard): twice the payload.
pub const MAX_CAPACITY_HUNDREDTHS: u32 = 20_000;
/// Most days of grace before an advance bears interest (hard): ten years.
pub const MAX_GRACE_DAYS: u32 = 3_660;
/// Largest unit of cash to which a payment is rounded, in minor units (hard).
pub const MAX_CASH_UNIT: i64 = 1_000_000;
/// Largest number of a form of a paper book (hard).
pub const MAX_SERIAL: u32 = 99_999_999;
/// Forms of a paper book (hard), so that a report can look at each number.
pub const MAX_SERIALS: u32 = 10_000;
/// Points of a plot's border (hard).
pub const PLOT_POINTS: RangeInclusive<usize> = 3..=200;
/// Largest extent of a plot's border from north to south and from east to west, in degrees × 10⁷ (hard): half a degree.
pub const MAX_PLOT_EXTENT_E7: i64 = 5_000_000;
/// Area of a plot, as computed or declared, in square metres (hard): up to 10,000 hectares.
pub const PLOT_AREA_M2: RangeInclusive<u32> = 10..=100_000_000;
