//! The tags of a post as its author wrote them: servers list them folded ("koln"), the text has them as typed ("Köln").

use super::html::Converted;
use crate::extract;

/// The `listed` tags in the order and form of the text; those that the text does not show come last, as listed. Without a
/// list, all that the text shows.
pub(super) fn as_written(converted: &Converted, listed: Option<Vec<&str>>) -> Vec<String> {
    let mut shown: Vec<(&str, String)> =
        converted.tags.iter().map(|(written, last)| (written.as_str(), last.to_lowercase())).collect();
    let found = extract::hashtags(&converted.text);
    if shown.is_empty() {
        shown.extend(found.iter().map(|tag| (tag.as_str(), tag.to_lowercase())));
    }
    let Some(listed) = listed else { return shown.into_iter().map(|(written, _)| written.to_owned()).collect() };
    let listed: Vec<(&str, String)> = listed
        .into_iter()
        .map(|t| t.trim().trim_start_matches(['#', '＃']))
        .filter(|t| !t.is_empty())
        .map(|t| (t, t.to_lowercase()))
        .collect();
    let mut met = vec![false; listed.len()];
    let mut tags = Vec::new();
    for (written, last) in shown {
        let lower = written.to_lowercase();
        if let Some(at) = listed.iter().position(|(_, name)| *name == lower || *name == last) {
            met[at] = true;
            tags.push(written.to_owned());
        }
    }
    tags.extend(listed.iter().zip(met).filter(|(_, met)| !met).map(|((tag, _), _)| (*tag).to_owned()));
    tags
}
