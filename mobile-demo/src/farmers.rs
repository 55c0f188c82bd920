//! Names, villages and phone numbers for the farmers of a played market day.
//!
//! All of it is made up: names and village names are put together from short lists in the manner of rural Karnataka, phone numbers are counted. A
//! number has the form of an Indian mobile number and may belong to somebody by chance, so never dial or message one.
//!
//! Invariants: the same index and seed give the same farmer; two indices of a seed never share a phone number, and not a name below
//! 17 × [`NAMES`] indices.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

const GIVEN_NAMES: [&str; 32] = [
    "Anand",
    "Basavaraj",
    "Bhagyamma",
    "Byregowda",
    "Channamma",
    "Devaraj",
    "Eshwarappa",
    "Gangamma",
    "Girish",
    "Gowramma",
    "Hanumantha",
    "Jayamma",
    "Kempanna",
    "Krishnappa",
    "Lakshmamma",
    "Lokesh",
    "Mahadeva",
    "Manjula",
    "Manjunath",
    "Muniyappa",
    "Nagaraj",
    "Nanjamma",
    "Prakash",
    "Puttamma",
    "Raghavendra",
    "Rathnamma",
    "Sarojamma",
    "Shivanna",
    "Siddaraju",
    "Sunanda",
    "Venkatesh",
    "Yashoda",
];

const FATHERS_NAMES: [&str; 24] = [
    "Anjanappa",
    "Basappa",
    "Bettegowda",
    "Chikkanna",
    "Doddaiah",
    "Erappa",
    "Gopalappa",
    "Hanumappa",
    "Javaregowda",
    "Kalegowda",
    "Lingappa",
    "Mallappa",
    "Marigowda",
    "Narayanappa",
    "Nanjundappa",
    "Papanna",
    "Rangaiah",
    "Ramappa",
    "Siddappa",
    "Subbanna",
    "Thimmaiah",
    "Veerappa",
    "Venkataramappa",
    "Yellappa",
];

const INITIALS: [&str; 16] = ["A", "B", "C", "D", "G", "H", "J", "K", "L", "M", "N", "P", "R", "S", "T", "V"];

const VILLAGE_STARTS: [&str; 12] = [
    "Arali", "Bevina", "Chinna", "Halasina", "Honge", "Kallu", "Kere", "Mavina", "Nellu", "Sampige", "Tenginna", "Ulli",
];

const VILLAGE_ENDS: [&str; 8] = ["halli", "gere", "pura", "kunte", "palya", "koppa", "gudda", "tota"];

/// How many different names there are.
const NAMES: u64 = (GIVEN_NAMES.len() * FATHERS_NAMES.len() * INITIALS.len()) as u64;

/// Ten digits that start with 6, 7, 8 or 9.
const FIRST_PHONE: u64 = 6_000_000_000;
const PHONES: u64 = 4_000_000_000;

/// A prime that divides none of the list lengths: steps of this size visit everything before they repeat.
const STRIDE: u64 = 2_654_435_761;

/// The name of a farmer, such as "M. Lakshmamma Narayanappa": initial, given name, father's name; a second initial once all names are taken.
pub(crate) fn farmer_name(index: usize, seed: u64) -> String {
    let place = place(index, seed, NAMES);
    let (given, rest) = take(&GIVEN_NAMES, place);
    let (father, rest) = take(&FATHERS_NAMES, rest);
    let (initial, _) = take(&INITIALS, rest);
    match (index as u64 / NAMES).checked_sub(1) {
        None => format!("{initial}. {given} {father}"),
        Some(round) => format!("{initial}. {}. {given} {father}", take(&INITIALS, round).0),
    }
}

/// The same name as somebody else would write it: "Lakshmamma N." for "M. Lakshmamma Narayanappa".
pub(crate) fn other_spelling(name: &str) -> String {
    let mut words = name.split(' ').filter(|word| !word.ends_with('.'));
    let given = words.next().unwrap_or(name);
    let initials = words.filter_map(|word| word.chars().next());
    initials.fold(given.to_owned(), |spelled, initial| format!("{spelled} {initial}."))
}

/// The village of a farmer, such as "Mavinahalli"; many farmers share one.
pub(crate) fn farmer_village(index: usize, seed: u64) -> String {
    let place = place(index, seed, (VILLAGE_STARTS.len() * VILLAGE_ENDS.len()) as u64);
    let (start, rest) = take(&VILLAGE_STARTS, place);
    let (end, _) = take(&VILLAGE_ENDS, rest);
    format!("{start}{end}")
}

/// The phone number of a farmer: `+91` and ten digits that start with 6 to 9.
pub(crate) fn farmer_phone(index: usize, seed: u64) -> String {
    format!("+91{}", FIRST_PHONE + place(index, seed, PHONES))
}

/// A place below `places`, different for each of the first `places` indices of a seed.
fn place(index: usize, seed: u64, places: u64) -> u64 {
    let start = ChaCha8Rng::seed_from_u64(seed).next_u64() % places;
    // In 128 bits, because a wrap at 2^64 could bring two indices to one place.
    let walked = u128::from(start) + index as u128 * u128::from(STRIDE);
    u64::try_from(walked % u128::from(places)).unwrap_or(start)
}

/// One of a list by the remainder of `place`, and what is left of `place` for the next list.
fn take<'list>(list: &[&'list str], place: u64) -> (&'list str, u64) {
    let length = list.len() as u64;
    let chosen = usize::try_from(place % length).ok().and_then(|position| list.get(position)).copied();
    (chosen.unwrap_or_default(), place / length)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_different_and_of_the_stated_form() {
        let names: BTreeSet<String> = (0..12_288).map(|index| farmer_name(index, 7)).collect();
        assert_eq!((names.len(), NAMES), (12_288, 12_288));
        for name in &names {
            let parts: Vec<&str> = name.split(' ').collect();
            assert!(
                matches!(parts[..], [initial, given, father]
                if INITIALS.contains(&initial.trim_end_matches('.')) && GIVEN_NAMES.contains(&given) && FATHERS_NAMES.contains(&father)),
                "{name}"
            );
        }
        let more: BTreeSet<String> = (0..40_000).map(|index| farmer_name(index, 7)).collect();
        assert_eq!(more.len(), 40_000);
    }

    #[test]
    fn another_spelling_keeps_the_given_name() {
        assert_eq!(other_spelling("M. Lakshmamma Narayanappa"), "Lakshmamma N.");
        assert_eq!(other_spelling("M. A. Lakshmamma Narayanappa"), "Lakshmamma N.");
        assert_eq!(other_spelling(""), "");
    }

    #[test]
    fn villages_all_occur() {
        let villages: BTreeSet<String> = (0..96).map(|index| farmer_village(index, 7)).collect();
        assert_eq!(villages.len(), 96);
        assert!(villages.contains("Mavinahalli"));
    }

    #[test]
    fn phones_are_different_and_start_with_6_to_9() {
        let phones: BTreeSet<String> = (0..10_000).map(|index| farmer_phone(index, 7)).collect();
        assert_eq!(phones.len(), 10_000);
        for phone in &phones {
            let digits = phone.strip_prefix("+91").unwrap();
            assert!(digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit()), "{phone}");
            assert!(digits.starts_with(['6', '7', '8', '9']), "{phone}");
        }
        assert!(
            ["+916", "+917", "+918", "+919"].iter().all(|start| phones.iter().any(|phone| phone.starts_with(start)))
        );
    }

    #[test]
    fn an_index_and_a_seed_make_the_farmer() {
        assert_eq!(
            (farmer_name(3, 7), farmer_village(3, 7), farmer_phone(3, 7)),
            (farmer_name(3, 7), farmer_village(3, 7), farmer_phone(3, 7))
        );
        assert_ne!(farmer_name(3, 7), farmer_name(3, 8));
        assert_ne!(farmer_phone(3, 7), farmer_phone(3, 8));
        assert!(farmer_phone(usize::MAX, u64::MAX).len() == 13);
    }
}
