//! The page around tables and plots: readable on a phone, in light and dark, without anything from elsewhere.

use super::{Block, escape};

const STYLE: &str = include_str!("page.css");

pub(super) fn page(title: &str, blocks: &[Block]) -> String {
    let mut body = String::new();
    let mut i = 0;
    while i < blocks.len() {
        match &blocks[i] {
            Block::Section(heading) => body.push_str(&format!("<h2>{}</h2>\n", escape(heading))),
            Block::Text(text) => body.push_str(&format!("<p>{}</p>\n", escape(text))),
            Block::Note(text) => body.push_str(&format!("<p class=\"note\">{}</p>\n", escape(text))),
            Block::Table(table) => body.push_str(&table.html()),
            Block::Plot(_) => {
                let plots: Vec<String> = blocks[i..]
                    .iter()
                    .map_while(|b| if let Block::Plot(plot) = b { Some(plot.html()) } else { None })
                    .collect();
                body.push_str(&format!("<div class=\"plots\">\n{}</div>\n", plots.concat()));
                i += plots.len() - 1;
            }
        }
        i += 1;
    }
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n</body>\n</html>\n"
    )
}
