//! The rules that decide what X's filtered stream delivers: read, and made equal to a list.

use std::fmt;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{authorization, endpoint, whole};
use crate::failure::Failure;
use crate::net::connect::Stop;
use crate::net::http1::{self, Request};
use crate::net::{Address, Connector};

/// Path of the rules below a host.
const PATH: &str = "/2/tweets/search/stream/rules";
/// Largest answer: a thousand rules of a thousand characters.
const MAX_ANSWER: usize = 8 << 20;

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The service's number of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it matches, such as `#snow has:images lang:en`.
    pub value: String,
    /// A name that comes with the posts it matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// Rules after a change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Rules in force.
    pub rules: Vec<Rule>,
    /// How many were added.
    pub added: usize,
    /// How many were removed.
    pub removed: usize,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for rule in &self.rules {
            let tag = rule.tag.as_deref().map_or(String::new(), |t| format!("{t}: "));
            writeln!(f, "{tag}{}", rule.value)?;
        }
        writeln!(f, "{} rules; {} added, {} removed", self.rules.len(), self.added, self.removed)
    }
}

/// Reads and changes rules.
pub struct Rules<'a> {
    /// A host.
    pub endpoint: &'a str,
    /// Bearer token.
    pub token: Option<&'a str>,
    /// Opens sockets.
    pub connector: &'a Connector,
    /// Does the person want to stop?
    pub stop: Stop<'a>,
}

/// Rules in a file: one a line, `tag: rule` or `rule`, empty lines and lines that begin with `#!` or `//` left out. A tag
/// holds no space, so that operators such as `lang:en` are none.
pub fn parse(text: &str) -> Vec<Rule> {
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("//") && !l.starts_with("#!"));
    let rule = |line: &str| match line.split_once(": ") {
        Some((tag, value)) if !tag.contains(char::is_whitespace) => {
            Rule { id: None, value: value.trim().to_owned(), tag: Some(tag.to_owned()) }
        }
        _ => Rule { id: None, value: line.to_owned(), tag: None },
    };
    lines.map(rule).collect()
}

impl Rules<'_> {
    /// The rules in force.
    ///
    /// # Errors
    /// The class of what went wrong.
    pub fn list(&self) -> Result<Vec<Rule>, Failure> {
        let answer = self.ask("GET", None)?;
        match answer.get("data") {
            Some(data) => serde_json::from_value(data.clone()).map_err(|e| odd(&e.to_string())),
            None => Ok(Vec::new()),
        }
    }

    /// Makes the rules equal to `wished`: adds what is missing, then removes what is not wished, so that the stream never
    /// runs without a rule that stays.
    ///
    /// # Errors
    /// The class of what went wrong; a rule the service does not accept, with its reason.
    pub fn set(&self, wished: &[Rule]) -> Result<Changed, Failure> {
        let present = self.list()?;
        let same = |a: &Rule, b: &Rule| a.value == b.value && a.tag == b.tag;
        let add: Vec<&Rule> = wished.iter().filter(|w| !present.iter().any(|p| same(p, w))).collect();
        let remove: Vec<&str> =
            present.iter().filter(|p| !wished.iter().any(|w| same(p, w))).filter_map(|p| p.id.as_deref()).collect();
        // The service refuses a rule whose text is there already under another tag: that one has to go first.
        let retagged = present.iter().any(|p| wished.iter().any(|w| p.value == w.value && p.tag != w.tag));
        if retagged && !remove.is_empty() {
            self.change(&json!({"delete": {"ids": remove}}))?;
        }
        if !add.is_empty() {
            self.change(&json!({"add": add}))?;
        }
        if !retagged && !remove.is_empty() {
            self.change(&json!({"delete": {"ids": remove}}))?;
        }
        Ok(Changed { added: add.len(), removed: remove.len(), rules: self.list()? })
    }

    fn change(&self, body: &Value) -> Result<(), Failure> {
        let answer = self.ask("POST", Some(body.to_string().as_bytes()))?;
        let errors = answer.get("errors").and_then(Value::as_array).cloned().unwrap_or_default();
        if errors.is_empty() {
            return Ok(());
        }
        let said = |e: &Value| {
            let text = |key: &str| e.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            let details = e.get("details").and_then(Value::as_array).cloned().unwrap_or_default();
            let details: Vec<&str> = details.iter().filter_map(Value::as_str).collect();
            format!("{} `{}` {}{}", text("title"), text("value"), text("detail"), details.join(" "))
        };
        let said: Vec<String> = errors.iter().map(said).collect();
        Err(Failure::Refused {
            what: format!("the service does not accept a rule: {}", said.join("; ")),
            help: "correct the rule; those before it may be in force, see `quintet collect x-rules`".to_owned(),
        })
    }

    fn ask(&self, method: &str, body: Option<&[u8]>) -> Result<Value, Failure> {
        let mut address: Address = endpoint(self.endpoint)?;
        PATH.clone_into(&mut address.path);
        let headers = authorization(self.token, &address)?;
        let deadline = Instant::now() + self.connector.options().deadline;
        let wire = self.connector.connect(&address, self.stop)?;
        let request = Request { method, address: &address, headers: &headers, body, upgrade: false };
        let mut answer = whole(http1::ask(wire, &request, deadline, self.stop)?, deadline, self.stop)?;
        let text = answer.body.read_all(MAX_ANSWER, false, deadline, self.stop)?;
        serde_json::from_slice(&text).map_err(|e| odd(&e.to_string()))
    }
}

fn odd(why: &str) -> Failure {
    Failure::Refused {
        what: format!("the service answers with something that is no list of rules: {why}"),
        help: "see --endpoint".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_rules_are_read() {
        let text = "// winter\nsnow: #snow has:images\n\n  lang:en place:paris \n#sun has:geo\n";
        let rules = parse(text);
        let of = |tag: Option<&str>, value: &str| Rule { id: None, value: value.into(), tag: tag.map(str::to_owned) };
        assert_eq!(
            rules,
            [of(Some("snow"), "#snow has:images"), of(None, "lang:en place:paris"), of(None, "#sun has:geo")]
        );
    }
}
