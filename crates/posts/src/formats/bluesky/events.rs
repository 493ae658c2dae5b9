//! Events of Jetstream: commits (of any collection), identities, accounts, notices. v1 nests a commit in its event, v2
//! puts it into the payload of a frame; lines saved with or without the frame are read.

use jiff::Timestamp;

use super::super::fields::{Fields, rfc3339};
use super::super::json::{Json, Object};
use super::super::{Notes, Record};
use super::{POSTS, records};

/// Beginning of the types of v2.
const V2: &str = "network.bsky.jetstream.subscribeEvents#";

/// Whether an object is an event of v1, or a frame or payload of v2.
pub(super) fn is_event(object: &Object) -> bool {
    let text = |key| object.get(key).and_then(Json::as_str);
    let v1 = text("did").is_some_and(|d| d.starts_with("did:"))
        && (text("kind").is_some() || object.contains_key("time_us"))
        && ["commit", "identity", "account"].iter().any(|k| object.contains_key(k));
    let frame = text("$type") == Some("error")
        || text("$type") == Some("message") && object.get("payload").is_some_and(|p| p.as_object().is_some());
    v1 || frame || text("$type").is_some_and(|t| t.starts_with(V2))
}

/// What an event says.
pub(super) fn read(object: &Object, notes: &mut Notes) -> Record {
    let fields = Fields::new(object, "");
    match object.get("$type").and_then(Json::as_str) {
        Some("message") => match fields.object("payload", notes) {
            Some(payload) => read(payload, notes),
            None => Record::Message("empty frame".to_owned()),
        },
        Some("error") => Record::Message("error".to_owned()),
        Some(kind) => v2(kind.strip_prefix(V2).unwrap_or(kind), fields, notes),
        None => v1(fields, notes),
    }
}

fn v1(fields: Fields, notes: &mut Notes) -> Record {
    let micros = fields.count("time_us", notes).and_then(|us| i64::try_from(us).ok());
    let witnessed = micros.and_then(|us| Timestamp::from_microsecond(us).ok());
    if let Some(commit) = fields.object("commit", notes) {
        return match fields.text("did", notes) {
            Some(did) => self::commit(did, Fields::new(commit, "commit."), witnessed, notes),
            None => Record::Rejected("a commit without `did`".to_owned()),
        };
    }
    if let Some(account) = fields.object("account", notes) {
        return self::account(fields, Fields::new(account, "account."), notes);
    }
    Record::Message(if fields.get("identity").is_some() { "identity" } else { "unknown event" }.to_owned())
}

fn v2(kind: &str, fields: Fields, notes: &mut Notes) -> Record {
    match kind {
        "commit" => match fields.text("did", notes) {
            Some(did) => {
                let seen = fields.time("witnessedAt", notes, rfc3339).or_else(|| fields.time("time", notes, rfc3339));
                commit(did, fields, seen, notes)
            }
            None => Record::Rejected("a commit without `did`".to_owned()),
        },
        "account" => match fields.object("account", notes) {
            Some(account) => self::account(fields, Fields::new(account, "account."), notes),
            None => Record::Rejected("an account event without `account`".to_owned()),
        },
        other => Record::Message(other.to_owned()),
    }
}

/// A change of one record. Before 2025 the operations had one letter and the field was `type`.
fn commit(did: &str, fields: Fields, witnessed: Option<Timestamp>, notes: &mut Notes) -> Record {
    let operation = match fields.text("operation", notes).or_else(|| fields.text("type", notes)) {
        Some("create" | "c") => "create",
        Some("update" | "u") => "update",
        Some("delete" | "d") => "delete",
        Some(other) => return Record::Message(format!("commit with operation {other}")),
        None => return Record::Rejected("a commit without `operation`".to_owned()),
    };
    let collection = fields.text("collection", notes).unwrap_or_default();
    if collection != POSTS {
        return Record::Message(format!("{collection} {operation}"));
    }
    let Some(key) = fields.text("rkey", notes) else { return Record::Rejected("a commit without `rkey`".to_owned()) };
    let uri = format!("at://{did}/{POSTS}/{key}");
    if operation == "delete" {
        return Record::Delete(uri);
    }
    let Some(record) = fields.object("record", notes) else {
        return Record::Rejected("a commit without `record`".to_owned());
    };
    match records::post(record, Some(&uri), witnessed, notes) {
        Ok(mut found) => {
            found.edited = witnessed.filter(|_| operation == "update");
            found.into()
        }
        Err(reason) => Record::Rejected(reason),
    }
}

/// An account was closed, blocked or opened again; `active` decides, `status` says why.
fn account(event: Fields, account: Fields, notes: &mut Notes) -> Record {
    match account.boolean("active", notes) {
        Some(false) => match event.text("did", notes).or_else(|| account.text("did", notes)) {
            Some(did) => Record::ForgetAuthor(did.to_owned()),
            None => Record::Rejected("an account event without `did`".to_owned()),
        },
        Some(true) => Record::Message("account active".to_owned()),
        None => Record::Rejected("an account event without `active`".to_owned()),
    }
}
