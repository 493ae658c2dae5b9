//! The tree of keys of a repository (a Merkle search tree), walked in the order of its keys.
//!
//! A node is `{l, e: [{p, k, v, t}]}`: the subtree before the first key, then for each key the bytes it shares with the one
//! before (`p`), the rest of it (`k`), its record (`v`) and the subtree after it (`t`).

use std::collections::HashSet;
use std::io;

use super::cbor::{self, Value};
use super::{Blocks, Cid, broken};

/// Longest key in bytes: a collection of at most 317 and a record key of at most 512.
const MAX_KEY: usize = 1024;
/// Most nodes of a path; a tree of 2^128 keys has 64 levels.
const MAX_LEVELS: usize = 128;

/// Most keys of a node; four is usual.
const MAX_ENTRIES: usize = 10_000;

/// A node of the path.
struct Level {
    /// What is left of it, the next one last.
    steps: Vec<Step>,
    /// Its key before.
    key: Vec<u8>,
}

/// What comes next of a node.
enum Step {
    Subtree(Cid),
    Record { shared: usize, rest: Vec<u8>, record: Cid },
}

/// A walk through the tree.
pub(super) struct Walk {
    blocks: Blocks,
    did: String,
    path: Vec<Level>,
    /// Nodes that were visited: a file in which a tree holds a node twice could go on for ever.
    visited: HashSet<Cid>,
}

impl Walk {
    /// Begins at the commit that the file's root is.
    ///
    /// # Errors
    /// If there is none.
    pub fn new(mut blocks: Blocks) -> io::Result<Walk> {
        let root = blocks.root;
        let commit = match blocks.value(&root)? {
            Ok(commit) => commit,
            Err(reason) => {
                let failure = blocks.failure.take().map_or(String::new(), |f| format!("; {f}"));
                return Err(broken(format!("no commit to begin with: {reason}{failure}")));
            }
        };
        let did = match commit.get("did") {
            Some(Value::Text(did)) if did.starts_with("did:") => did.clone(),
            _ => return Err(broken("the root of the file is no commit of a repository: it names no account")),
        };
        let Some(Value::Link(tree)) = commit.get("data") else {
            return Err(broken("the commit of the repository leads to no tree"));
        };
        let top = Level { steps: vec![Step::Subtree(*tree)], key: Vec::new() };
        Ok(Walk { blocks, did, path: vec![top], visited: HashSet::new() })
    }

    /// What was wrong with the file.
    pub fn failure(&self) -> Option<String> {
        let damaged = self.blocks.damaged;
        let hashes = (damaged > 0).then(|| format!("{damaged} blocks do not match their hashes and were not used"));
        match (&self.blocks.failure, hashes) {
            (Some(a), Some(b)) => Some(format!("{a}; {b}")),
            (a, b) => a.clone().or(b),
        }
    }

    /// Writes the next line; `false` at the end.
    pub fn next_line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        while let Some(level) = self.path.last_mut() {
            match level.steps.pop() {
                None => drop(self.path.pop()),
                Some(Step::Record { shared, rest, record }) => {
                    if shared > level.key.len() || shared + rest.len() > MAX_KEY {
                        self.missing("", "a key of the tree makes no sense", line);
                        return Ok(true);
                    }
                    level.key.truncate(shared);
                    level.key.extend(rest);
                    let key = String::from_utf8_lossy(&level.key).into_owned();
                    return self.record(&key, &record, line).map(|()| true);
                }
                Some(Step::Subtree(cid)) => {
                    if !self.visited.insert(cid) {
                        return Err(broken(format!("the tree holds node {} twice", cid.text())));
                    }
                    if self.path.len() > MAX_LEVELS {
                        return Err(broken(format!("a tree of more than {MAX_LEVELS} levels")));
                    }
                    match self.blocks.value(&cid)?.and_then(|node| steps_of(&node, &cid)) {
                        Ok(steps) => self.path.push(Level { steps, key: Vec::new() }),
                        Err(reason) => {
                            self.missing("", &format!("a part of the tree is lost: {reason}"), line);
                            return Ok(true);
                        }
                    }
                }
            }
        }
        Ok(false)
    }

    fn record(&mut self, key: &str, cid: &Cid, line: &mut Vec<u8>) -> io::Result<()> {
        match self.blocks.value(cid)? {
            Ok(value) => {
                line.extend(b"{\"uri\":");
                cbor::write_text(&format!("at://{}/{key}", self.did), line);
                line.extend(b",\"cid\":");
                cbor::write_text(&cid.text(), line);
                line.extend(b",\"value\":");
                value.write_json(line);
                line.extend(b"}\n");
            }
            Err(reason) => self.missing(&format!("/{key}"), &reason, line),
        }
        Ok(())
    }

    /// A line that says what is lost.
    fn missing(&self, key: &str, reason: &str, line: &mut Vec<u8>) {
        line.extend(b"{\"uri\":");
        cbor::write_text(&format!("at://{}{key}", self.did), line);
        line.extend(b",\"missing\":");
        cbor::write_text(reason, line);
        line.extend(b"}\n");
    }
}

/// The steps of a node, the first one last.
fn steps_of(node: &Value, cid: &Cid) -> Result<Vec<Step>, String> {
    let wrong = || format!("block {} is no node of a tree", cid.text());
    let subtree = |value: Option<&Value>| match value {
        Some(Value::Link(cid)) => Ok(Some(Step::Subtree(*cid))),
        Some(Value::Null) | None => Ok(None),
        _ => Err(wrong()),
    };
    let Some(Value::List(entries)) = node.get("e") else { return Err(wrong()) };
    if entries.len() > MAX_ENTRIES {
        return Err(format!("block {} has more than {MAX_ENTRIES} keys", cid.text()));
    }
    let mut steps = Vec::new();
    steps.extend(subtree(node.get("l"))?);
    for entry in entries {
        let (Some(Value::Integer(shared)), Some(Value::Bytes(rest)), Some(Value::Link(record))) =
            (entry.get("p"), entry.get("k"), entry.get("v"))
        else {
            return Err(wrong());
        };
        let shared = usize::try_from(*shared).map_err(|_| wrong())?;
        steps.push(Step::Record { shared, rest: rest.clone(), record: *record });
        steps.extend(subtree(entry.get("t"))?);
    }
    steps.reverse();
    Ok(steps)
}
