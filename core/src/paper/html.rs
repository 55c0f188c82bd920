//! A page as an HTML document that a browser or web view shows and prints.

use std::fmt::Write;

use super::PaperError;
use super::model::{Align, Cell, Line, Page, clean};
use super::qr;
use super::wording::Direction;

/// Style of all pages: no colours, no scripts, nothing from the network.
const STYLE: &str = "\
@page{margin:12mm}\
body{font:14px/1.4 'Noto Sans','Noto Sans Kannada','Noto Sans Devanagari','Noto Naskh Arabic',sans-serif;max-width:46em;margin:1em auto;padding:0 1em}\
h1{font-size:1.4em;text-align:center;margin:.2em 0}\
p{margin:.15em 0;overflow-wrap:anywhere}\
.centre{text-align:center}.end{text-align:end}\
.pair{display:flex;justify-content:space-between;gap:1em}.pair bdi{overflow-wrap:anywhere}\
table{width:100%;border-collapse:collapse;table-layout:fixed}td{padding:.1em .3em;vertical-align:top;overflow-wrap:anywhere}\
tr{break-inside:avoid}hr{border:0;border-top:1px solid #000}\
figure{text-align:center;margin:1em 0;break-inside:avoid}svg{width:40mm;height:40mm}\
.sign{margin-top:3.5em;border-top:1px solid #000;width:60%;break-inside:avoid}";

/// Returns the page as a complete document in UTF-8, with its language and direction.
///
/// # Errors
/// [`PaperError::QrTooLong`].
pub fn render(page: &Page) -> Result<String, PaperError> {
    let language = page.wording.language;
    let direction = if language.direction() == Direction::RightToLeft { "rtl" } else { "ltr" };
    let title = escaped(&page.title);
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"{language}\" dir=\"{direction}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
    );
    let mut is_in_table = false;
    for line in &page.lines {
        let is_row = matches!(line, Line::Row { .. });
        match (is_in_table, is_row) {
            (false, true) => html += "<table>\n",
            (true, false) => html += "</table>\n",
            _ => {}
        }
        is_in_table = is_row;
        html += &element(line)?;
        html.push('\n');
    }
    if is_in_table {
        html += "</table>\n";
    }
    html += "</body>\n</html>\n";
    Ok(html)
}

fn element(line: &Line) -> Result<String, PaperError> {
    Ok(match line {
        Line::Heading(text) => format!("<h1>{}</h1>", isolated(text, false)),
        Line::Text { text, align, is_strong } => {
            format!("<p{}>{}</p>", class(*align), isolated(text, *is_strong))
        }
        Line::Pair { label, value, is_strong } => {
            format!("<p class=\"pair\">{}{}</p>", isolated(label, *is_strong), isolated(value, *is_strong))
        }
        Line::Row { cells, is_strong } => row(cells, *is_strong),
        Line::Rule => "<hr>".to_owned(),
        Line::Qr { content, caption } => {
            format!("<figure>{}<figcaption>{}</figcaption></figure>", svg(content)?, isolated(caption, false))
        }
        Line::Signature(text) => format!("<p class=\"sign\">{}</p>", isolated(text, false)),
        Line::Blank => "<p>&nbsp;</p>".to_owned(),
    })
}

fn class(align: Align) -> &'static str {
    match align {
        Align::Start => "",
        Align::Centre => " class=\"centre\"",
        Align::End => " class=\"end\"",
    }
}

fn row(cells: &[Cell], is_strong: bool) -> String {
    let shares = cells.iter().map(|cell| u32::from(cell.share)).sum::<u32>().max(1);
    let mut html = "<tr>".to_owned();
    for cell in cells {
        let width = u32::from(cell.share) * 100 / shares;
        let text = isolated(&cell.text, is_strong);
        // Writing to a string can't fail.
        let _written = write!(html, "<td{} style=\"width:{width}%\">{text}</td>", class(cell.align));
    }
    html + "</tr>"
}

/// Returns a text whose direction follows its first letter, apart from what is around it.
fn isolated(text: &str, is_strong: bool) -> String {
    let text = escaped(text);
    if is_strong { format!("<bdi><b>{text}</b></bdi>") } else { format!("<bdi>{text}</bdi>") }
}

/// Returns a text in which nothing is markup.
fn escaped(text: &str) -> String {
    let mut html = String::new();
    for c in clean(text).chars() {
        match c {
            '&' => html += "&amp;",
            '<' => html += "&lt;",
            '>' => html += "&gt;",
            '"' => html += "&quot;",
            '\'' => html += "&#39;",
            c => html.push(c),
        }
    }
    html
}

/// Returns a QR code as a picture of squares.
fn svg(content: &str) -> Result<String, PaperError> {
    let code = qr::code(content)?;
    let (width, height) = (code.width(), code.height());
    let mut path = String::new();
    for y in 0..height {
        for x in (0..width).filter(|x| code.is_black(*x, y)) {
            let _written = write!(path, "M{x} {y}h1v1h-1z");
        }
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" shape-rendering=\"crispEdges\">\
         <path d=\"{path}\"/></svg>"
    ))
}
