//! Papers in every form and language.
//!
//! `fixtures/paper` holds each kind of paper in each language: as text of both widths and as message (`.txt`), as HTML, as the picture that a
//! receipt printer makes of its commands (`.png`), and as PDF. After an intended change, `just accept-papers` rewrites them.

mod emupos;
mod golden;
mod pdf;
mod printer;
mod properties;
