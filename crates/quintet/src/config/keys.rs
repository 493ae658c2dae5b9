//! Keys by name: unknown ones with the nearest known, single ones set from the command line, what differs.

use serde::Deserialize;
use toml::{Table, Value};

use super::Config;
use crate::error::{Error, Result};

/// Keys that may have no value, so that the default's TOML does not show them.
const OPTIONAL: [&str; 1] = ["words.pretrained"];

/// TOML -> configuration, not yet checked.
pub(super) fn parse(text: &str) -> Result<Config> {
    let table: Table =
        text.parse().map_err(|e: toml::de::Error| Error::config(e.to_string().trim_end().to_string()))?;
    known("", &table, &template())?;
    // From the text and not from the table: these errors show line and column.
    toml::from_str(text).map_err(|e| Error::config(e.to_string().trim_end().to_string()))
}

/// `config` with `key` set to `value`.
pub(super) fn set(config: &Config, key: &str, value: &str) -> Result<Config> {
    let mut root = table_of(config);
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    let mut wanted = Table::new();
    wanted.insert(name.to_string(), Value::Boolean(true));
    if !section.is_empty() {
        wanted = Table::from_iter([(section.to_string(), Value::Table(wanted))]);
    }
    known("", &wanted, &template())?;
    let place = match section {
        "" => &mut root,
        _ => root.get_mut(section).and_then(Value::as_table_mut).ok_or_else(|| unknown(key, &template()))?,
    };
    if OPTIONAL.contains(&key) && matches!(value, "none" | "") {
        place.remove(name);
    } else {
        place.insert(name.to_string(), value_of(value));
    }
    Config::deserialize(Value::Table(root)).map_err(|e| {
        let reason = e.to_string();
        Error::config(format!("`{key} = {value}` cannot be used: {}", reason.lines().next().unwrap_or_default().trim()))
    })
}

/// `key: value here, value there` for every key whose values differ.
pub(super) fn differences(here: &Config, there: &Config) -> Vec<String> {
    let (here, there) = (flat(&table_of(here)), flat(&table_of(there)));
    let show = |values: &[(String, String)], key: &str| {
        values.iter().find(|(k, _)| k == key).map_or_else(|| "none".to_string(), |(_, v)| v.clone())
    };
    let mut keys: Vec<&String> = here.iter().chain(&there).map(|(k, _)| k).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .map(|key| (key, show(&here, key), show(&there, key)))
        .filter(|(_, a, b)| a != b)
        .map(|(key, a, b)| format!("{key}: {a}, {b}"))
        .collect()
}

/// A TOML value, or a string that stands there without quotes. A list of bare words becomes a list of strings.
fn value_of(text: &str) -> Value {
    let toml = |text: &str| text.parse::<Table>().ok().and_then(|mut t| t.remove("v"));
    toml(&format!("v = {text}")).unwrap_or_else(|| match text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        Some(list) => Value::Array(list.split(',').map(|word| Value::String(word.trim().to_string())).collect()),
        None => Value::String(text.to_string()),
    })
}

fn table_of(config: &Config) -> Table {
    Table::try_from(config).unwrap_or_default()
}

/// Every key there is, optional ones included.
fn template() -> Table {
    let mut root = table_of(&Config::default());
    for key in OPTIONAL {
        if let Some((section, name)) = key.split_once('.')
            && let Some(Value::Table(section)) = root.get_mut(section)
        {
            section.insert(name.to_string(), Value::String(String::new()));
        }
    }
    root
}

fn flat(root: &Table) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for (name, value) in root {
        match value {
            Value::Table(section) => out.extend(section.iter().map(|(k, v)| (format!("{name}.{k}"), v.to_string()))),
            value => out.push((name.clone(), value.to_string())),
        }
    }
    out
}

/// Refuses keys of `table` (its dotted name is `path`) that `known` does not have.
fn known(path: &str, table: &Table, template: &Table) -> Result<()> {
    for (name, value) in table {
        let full = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (value, template.get(name)) {
            (_, None) => return Err(unknown(&full, template)),
            (Value::Table(inner), Some(Value::Table(inside))) => known(&full, inner, inside)?,
            _ => {}
        }
    }
    Ok(())
}

/// The error for `key`, whose last part is not among `accepted`.
fn unknown(key: &str, accepted: &Table) -> Error {
    let (section, name) = key.rsplit_once('.').map_or(("", key), |(s, n)| (s, n));
    let error = Error::config(format!("unknown key `{key}`"));
    if accepted.is_empty() {
        return error.help(format!("[{section}] has no keys"));
    }
    let names: Vec<&str> = accepted.keys().map(String::as_str).collect();
    let full = |name: &str| if section.is_empty() { name.to_string() } else { format!("{section}.{name}") };
    let place = if section.is_empty() { "keys".to_string() } else { format!("keys of [{section}]") };
    let listing = format!("{place}: {}", names.join(", "));
    match nearest(name, &names) {
        Some(near) => error.help(format!("did you mean `{}`? {listing}", full(near))),
        None => match section_of(name).filter(|_| section.is_empty()) {
            Some(there) => error.help(format!("did you mean `{there}`? {listing}")),
            None => error.help(listing),
        },
    }
}

/// The dotted name of a key that stands in a section, for those who forgot the section.
fn section_of(name: &str) -> Option<String> {
    template().iter().find_map(|(section, value)| {
        value.as_table().filter(|t| t.contains_key(name)).map(|_| format!("{section}.{name}"))
    })
}

/// The name at the smallest edit distance, if it is near enough to be a slip: at most a third of the letters, or two.
fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let near = (name.chars().count() / 3).max(2);
    names.iter().map(|n| (distance(name, n), *n)).filter(|(d, _)| *d <= near).min().map(|(_, n)| n)
}

/// Edits (insert, delete, replace) between two names (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::Component;
    use crate::config::LossKind;

    fn fails(text: &str, parts: &[&str]) {
        let message = Config::parse(text).expect_err(text).to_string();
        for part in parts {
            assert!(message.contains(part), "`{text}`: `{part}` is not in: {message}");
        }
    }

    #[test]
    fn unknown_keys_name_the_nearest() {
        fails("[train]\nepoch = 3", &["train.epoch`", "did you mean `train.epochs`", "learning_rate"]);
        fails("[trian]\nepochs = 3", &["unknown key `trian`", "did you mean `train`"]);
        fails("margin = 0.1", &["did you mean `loss.margin`"]);
        fails("[hashtags]\nweight = 1", &["[hashtags] has no keys"]);
        fails("[train]\nzebra = 1", &["keys of [train]: "]);
    }

    #[test]
    fn wrong_types_show_the_line() {
        fails("seed = 1\n[train]\nepochs = \"ten\"", &["line 3", "epochs"]);
        fails("[loss]\nkind = \"max\"", &["max-of-hinges", "sig-lip"]);
        fails("seed = ", &["line 1"]);
    }

    #[test]
    fn impossible_values_say_what_is_accepted() {
        fails("components = [\"text\"]", &["components = [text]", "at least two"]);
        fails("components = [\"image\", \"text\"]", &["in this order"]);
        fails("[train]\nbatch = 1", &["train.batch = 1", "from 2"]);
        fails("[loss]\nmargin = nan", &["loss.margin", "above 0"]);
        fails("[model]\ncomponent_dropout = 1.0", &["model.component_dropout", "below 1"]);
        fails("[words]\nsubwords = [4, 2]", &["words.subwords = [4, 2]"]);
        fails("[loss]\nkind = \"info-nce\"\nwarmup_epochs = 1.0", &["loss.warmup_epochs = 1", "max-of-hinges"]);
        fails("[text]\nhashtags_as_text = true", &["cannot be a component"]);
        fails("components = [\"image\", \"user\"]\n[text]\nhashtags_as_text = true", &["needs text"]);
        fails("[image]\nencoder = \"resnet\"", &["image.encoder = \"resnet\"", ".onnx"]);
    }

    #[test]
    fn single_keys_are_set_by_name() {
        let mut config = Config::default();
        config.set("train.epochs", "10").unwrap();
        config.set("seed", "7").unwrap();
        config.set("loss.kind", "info-nce").unwrap();
        config.set("components", "[text, image]").unwrap();
        config.set("words.pretrained", "vectors.bin").unwrap();
        config.set("loss.margin", "1").unwrap();
        assert_eq!((config.train.epochs, config.seed, config.loss.kind), (10, 7, LossKind::InfoNce));
        assert_eq!(config.components, [Component::Text, Component::Image]);
        assert_eq!(config.words.pretrained.as_deref(), Some(std::path::Path::new("vectors.bin")));
        config.set("words.pretrained", "none").unwrap();
        assert_eq!(config.words.pretrained, None);
        let error = config.set("train.epoch", "10").unwrap_err().to_string();
        assert!(error.contains("did you mean `train.epochs`"), "{error}");
        let error = config.set("train.epochs", "ten").unwrap_err().to_string();
        assert!(error.contains("train.epochs = ten"), "{error}");
    }

    #[test]
    fn differences_name_key_and_both_values() {
        let mut other = Config::default();
        other.train.batch = 64;
        other.words.pretrained = Some("a.bin".into());
        let all = Config::default().differences(&other);
        assert_eq!(all, ["train.batch: 128, 64", "words.pretrained: none, \"a.bin\""]);
    }

    #[test]
    fn toml_and_back() {
        let config = Config::default();
        assert_eq!(Config::parse(&config.to_toml()).unwrap(), config);
    }
}
