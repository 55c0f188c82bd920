//! The layers of all languages have the same streams, and each shows a read by the same topics.

use std::collections::{BTreeMap, BTreeSet};

const KOTLIN: &str = include_str!("../../kotlin/src/main/kotlin/org/farmtally/field/Watch.kt");
const DART: &str = include_str!("../../dart/lib/src/watch.dart");
const SWIFT: &str = include_str!("../../swift/Sources/FarmTallyField/Watch.swift");
const PYTHON: &str = include_str!("../../python/farmtally_field/client.py");

/// What each stream of a layer listens to, in small letters and without underscores.
fn streams(source: &str) -> BTreeMap<String, BTreeSet<String>> {
    let is_code = |line: &&str| !["//", "/*", "*", "\"\"\""].iter().any(|mark| line.trim_start().starts_with(mark));
    let code = source.lines().filter(is_code).collect::<Vec<_>>().join("\n").to_lowercase().replace('_', "");
    // Swift leaves the type of a topic out.
    let code = code.replace("[.", "[topic.").replace(", .", ", topic.");
    let mut streams = BTreeMap::<String, BTreeSet<String>>::new();
    let mut current = String::new();
    for piece in code.split("watch").skip(1) {
        let name: String = piece.chars().take_while(char::is_ascii_alphabetic).collect();
        if !name.is_empty() && piece.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('(')) {
            current = name;
        }
        let topics = piece.split("topic.").skip(1);
        let topics = topics.map(|rest| rest.chars().take_while(char::is_ascii_alphabetic).collect());
        // Dart's `Topic.values` is none.
        streams.entry(current.clone()).or_default().extend(topics.filter(|topic: &String| topic != "values"));
    }
    streams.retain(|_, topics| !topics.is_empty());
    streams
}

#[test]
fn each_stream_listens_to_the_same_topics_in_all_languages() {
    let kotlin = streams(KOTLIN);
    assert_eq!(kotlin.len(), 14, "{kotlin:?}");
    assert_eq!(kotlin["today"], ["deliveries", "loads", "sync"].map(String::from).into());
    for (language, source) in [("Dart", DART), ("Swift", SWIFT), ("Python", PYTHON)] {
        assert_eq!(streams(source), kotlin, "{language}");
    }
}
