//! Text that people type: the form in which it is stored, and the forms in which it is compared.
//!
//! A text is stored and printed as its author typed it, in one form ([`normalize`]). Search, the comparison of names, and codes use folded
//! forms that are never shown: [`words`], [`folded_text`], [`code_text`], [`e164`]. `script.rs` lists what each script needs.
//!
//! Invariant: phone and server fold alike on every engine and platform, so they find the same records. [`FOLD_VERSION`] changes with the
//! result of folding; a store then computes its words and folded columns again.

mod code;
mod fold;
mod normal;
mod phone;
mod script;

pub use code::{BASE32, base32_digit, code_key, code_text};
pub use fold::{COMPARED, FOLD_VERSION, Query, compared_word, folded_text, queries, words};
pub use normal::{is_control, is_visible, normalize, printable};
pub use phone::{PHONE_END, e164, has_phone_numbers, is_placeholder, phone_digits, phone_words, restored_phone};
