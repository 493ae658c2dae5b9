//! What X API v2 says must go: notices of the compliance streams, and posts marked as withheld everywhere.
//!
//! A notice that takes an order back is counted only: orders are kept in a file, and a person can edit it.

use super::fields::Fields;
use super::json::{Json, Object};
use super::x::is_everywhere;
use super::{Notes, Record};

/// Notices that a post must go.
pub(super) const POST_GOES: [&str; 3] = ["delete", "withheld", "drop"];
/// Notices that an account has gone.
pub(super) const AUTHOR_GOES: [&str; 4] = ["user_delete", "user_withheld", "user_suspend", "user_protect"];
/// Notices that are counted only.
const OTHER_NOTICES: [&str; 6] =
    ["undrop", "user_undelete", "user_unsuspend", "user_unprotect", "user_profile_modification", "tweet_edit"];

/// The kind of a compliance notice and what it says.
pub(super) fn notice<'a>(object: &'a Object<'a>) -> Option<(&'static str, &'a Object<'a>)> {
    // A post may itself carry a field `withheld`.
    if object.contains_key("text") {
        return None;
    }
    let kinds = POST_GOES.iter().chain(&AUTHOR_GOES).chain(&OTHER_NOTICES).chain(&["scrub_geo"]);
    kinds.copied().find_map(|kind| Some((kind, object.get(kind)?.as_object()?)))
}

pub(super) fn obey(kind: &str, notice: &Object, notes: &mut Notes) -> Record {
    let fields = Fields::new(notice, "data.");
    let mut id_of = |key: &str| fields.object(key, notes).and_then(|o| o.get("id")?.as_str().map(str::to_owned));
    let (post, user) = (id_of("tweet"), id_of("user"));
    let record = if POST_GOES.contains(&kind) {
        post.map(Record::Delete)
    } else if AUTHOR_GOES.contains(&kind) {
        user.map(Record::ForgetAuthor)
    } else if kind == "scrub_geo" {
        let up_to = fields.id(&["up_to_tweet_id"], notes);
        user.zip(up_to).map(|(author, up_to)| Record::ScrubGeo { author, up_to })
    } else {
        Some(Record::Message(kind.to_owned()))
    };
    record.unwrap_or_else(|| Record::Rejected(format!("a {kind} notice without an id")))
}

/// What a post that is withheld everywhere asks for. One that is withheld in some countries stays: X itself hands it out.
pub(super) fn withheld(object: &Object) -> Option<Record> {
    let said = object.get("withheld")?;
    let copyright = said.get("copyright").and_then(Json::as_bool) == Some(true);
    if !copyright && !is_everywhere(said.get("country_codes")) {
        return None;
    }
    let id = |key: &str| object.get(key).and_then(Json::as_str).map(str::to_owned);
    match said.get("scope").and_then(Json::as_str) {
        Some("user") => id("author_id").map(Record::ForgetAuthor),
        _ => id("id").map(Record::Delete),
    }
}
