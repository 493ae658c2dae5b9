//! What objects of X's APIs have in common, whatever the version.

use super::Notes;
use super::fields::Fields;
use super::json::Json;

/// Undoes the escapes that X puts into texts, once and in one pass.
pub(super) fn unescape(text: &str) -> String {
    const ESCAPES: [(&str, char); 5] = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&#39;", '\'')];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (length, c) = ESCAPES.iter().find(|(e, _)| rest.starts_with(e)).map_or((1, '&'), |(e, c)| (e.len(), *c));
        out.push(c);
        rest = &rest[length..];
    }
    out + rest
}

/// The language of a post. X's own codes for posts without one (`und`, `zxx`, and `qme` for media only and the like,
/// from the range kept for private use) mean unknown.
pub(super) fn language(fields: Fields, notes: &mut Notes) -> Option<String> {
    let private = |l: &str| l.len() == 3 && l.starts_with('q') && ("qaa"..="qtz").contains(&l);
    fields.string("lang", notes).filter(|l| l != "und" && l != "zxx" && !private(l))
}

/// Whether a list of countries that something is withheld in means all: `XX`, or `XY` for a copyright claim.
pub(super) fn is_everywhere(countries: Option<&Json>) -> bool {
    let list = countries.and_then(Json::as_list).unwrap_or_default();
    list.iter().filter_map(Json::as_str).any(|code| code == "XX" || code == "XY")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::parse;

    #[test]
    fn escapes_are_undone_once() {
        assert_eq!(unescape("a &amp;lt; b &lt;c&gt; &quot;&#39; & &amp"), "a &lt; b <c> \"' & &amp");
    }

    #[test]
    fn codes_for_no_language_mean_unknown() {
        let lang = |code: &str| {
            let json = format!("{{\"lang\":\"{code}\"}}");
            language(Fields::new(&parse(json.as_bytes()).unwrap(), ""), &mut Notes::default())
        };
        assert!(["und", "zxx", "qme", "qst", ""].iter().all(|code| lang(code).is_none()));
        assert_eq!(
            (lang("qu").as_deref(), lang("en").as_deref(), lang("pt-br").as_deref()),
            (Some("qu"), Some("en"), Some("pt-br"))
        );
    }
}
