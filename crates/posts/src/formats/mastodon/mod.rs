//! Mastodon and what speaks like it: statuses, timelines, searches and threads of its API, events of its streams saved as
//! lines (`{"event", "payload"}`), and ActivityPub: the outbox of an account export, activities, notes.
//!
//! - Ids are those of the server that was asked, or addresses in ActivityPub: one corpus from one server.
//! - The text is that of the HTML, a content warning before it; tags and mentions are those of the server, as written.
//! - A boost stands for the post inside it. An edited post takes the place of older versions; deletes are honoured.
//! - Direct messages, which an account export holds too, are counted and left out.
//! - What a server knows of a post or account becomes a label: `sensitive`, `declared_bot`.
//! - Fields: spec `post_formats.md` section 5 and the documentation of Mastodon's API and of ActivityStreams.

mod activity;
mod html;
mod status;
mod tags;

use super::json::{Json, Object};
use super::{Format, Notes, Record};
use crate::corpus::Label;

/// See the module's description.
#[derive(Debug)]
pub struct Mastodon;

impl Format for Mastodon {
    fn name(&self) -> &'static str {
        "mastodon"
    }

    fn about(&self) -> &'static str {
        "Mastodon: API, streams, account export"
    }

    fn recognises(&self, object: &Object) -> bool {
        status::is_status(object)
            || status::is_event(object)
            || status::is_page(object)
            || activity::is_activity(object)
    }

    fn read(&self, object: &Object, notes: &mut Notes, records: &mut Vec<Record>) {
        if activity::is_activity(object) {
            activity::read(object, notes, records);
        } else if status::is_page(object) {
            status::read_page(object, notes, records);
        } else {
            records.push(if status::is_event(object) {
                status::event(object, notes)
            } else {
                status::read(object, notes)
            });
        }
    }
}

/// Text that stands before the post: a content warning, a title.
fn with_title(title: Option<String>, text: String) -> String {
    match title.filter(|t| !t.is_empty()) {
        Some(title) if text.is_empty() => title,
        Some(title) => format!("{title}\n\n{text}"),
        None => text,
    }
}

fn label(kind: &str, id: &str, name: &str, value: bool) -> Label {
    Label { kind: kind.to_owned(), id: id.to_owned(), name: name.to_owned(), value: value.to_string() }
}

/// A value that may be one thing or a list of them, as ActivityStreams has it.
fn each<'a>(value: Option<&'a Json<'a>>) -> &'a [Json<'a>] {
    match value {
        Some(Json::List(list)) => list,
        Some(Json::Null) | None => &[],
        Some(one) => std::slice::from_ref(one),
    }
}

#[cfg(test)]
mod tests;
