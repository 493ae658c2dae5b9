//! DAG-CBOR, the part of CBOR that AT Protocol allows, to a bounded depth; and its values as JSON.

use super::{CID_BYTES, Cid};

/// Deepest nesting; records have a handful of levels.
const MAX_DEPTH: usize = 64;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Bytes(Vec<u8>),
    Text(String),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
    Link(Cid),
}

impl Value {
    /// A field of a map.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Map(fields) => fields.iter().find(|(k, _)| k == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Appends the value as JSON: links as `{"$link"}`, bytes as `{"$bytes"}`.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.extend(b"null"),
            Value::Bool(value) => out.extend(value.to_string().bytes()),
            Value::Integer(value) => out.extend(value.to_string().bytes()),
            Value::Float(value) => match serde_json::Number::from_f64(*value) {
                Some(number) => out.extend(number.to_string().bytes()),
                None => out.extend(b"null"),
            },
            Value::Bytes(bytes) => {
                out.extend(b"{\"$bytes\":\"");
                out.extend(data_encoding::BASE64_NOPAD.encode(bytes).bytes());
                out.extend(b"\"}");
            }
            Value::Text(text) => write_text(text, out),
            Value::List(items) => {
                out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    item.write_json(out);
                }
                out.push(b']');
            }
            Value::Map(fields) => {
                out.push(b'{');
                for (i, (key, value)) in fields.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    write_text(key, out);
                    out.push(b':');
                    value.write_json(out);
                }
                out.push(b'}');
            }
            Value::Link(cid) => {
                out.extend(b"{\"$link\":\"");
                out.extend(cid.text().bytes());
                out.extend(b"\"}");
            }
        }
    }
}

/// Appends a text as a JSON string.
pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    out.extend(serde_json::Value::from(text).to_string().bytes());
}

/// The one value that `bytes` hold.
pub(super) fn decode(bytes: &[u8]) -> Result<Value, String> {
    let mut reader = Reader { rest: bytes };
    let value = reader.value(0)?;
    if reader.rest.is_empty() { Ok(value) } else { Err("bytes after the value".to_owned()) }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: u64) -> Result<&'a [u8], String> {
        let split = usize::try_from(length).ok().and_then(|l| self.rest.split_at_checked(l));
        let (taken, rest) = split.ok_or("it ends too early")?;
        self.rest = rest;
        Ok(taken)
    }

    /// The kind of the next value (3 bits), what follows it (5 bits), and the number they stand for.
    fn head(&mut self) -> Result<(u8, u8, u64), String> {
        let first = self.take(1)?[0];
        let (kind, more) = (first >> 5, first & 31);
        let number = match more {
            0..24 => u64::from(more),
            24..28 => self.take(1 << (more - 24))?.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)),
            _ => return Err("a length that DAG-CBOR does not allow".to_owned()),
        };
        Ok((kind, more, number))
    }

    fn text(&mut self, length: u64) -> Result<String, String> {
        let bytes = self.take(length)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| "a text that is not UTF-8".to_owned())
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err(format!("nested more than {MAX_DEPTH} deep"));
        }
        let (kind, more, number) = self.head()?;
        Ok(match kind {
            0 => Value::Integer(number.into()),
            1 => Value::Integer(-1 - i128::from(number)),
            2 => Value::Bytes(self.take(number)?.to_vec()),
            3 => Value::Text(self.text(number)?),
            4 => {
                // Lengths are claims: memory grows with what is there.
                let mut items = Vec::new();
                for _ in 0..number {
                    items.push(self.value(depth + 1)?);
                }
                Value::List(items)
            }
            5 => {
                let mut fields = Vec::new();
                for _ in 0..number {
                    let (3, _, length) = self.head()? else { return Err("a key that is no text".to_owned()) };
                    fields.push((self.text(length)?, self.value(depth + 1)?));
                }
                Value::Map(fields)
            }
            6 => self.link(number)?,
            _ => match more {
                20 | 21 => Value::Bool(more == 21),
                22 => Value::Null,
                27 => Value::Float(f64::from_bits(number)),
                _ => return Err("a simple value that DAG-CBOR does not allow".to_owned()),
            },
        })
    }

    /// A content id behind tag 42: bytes that begin with a zero.
    fn link(&mut self, tag: u64) -> Result<Value, String> {
        let (2, _, length) = self.head()? else { return Err("a tag before what is no link".to_owned()) };
        let bytes = self.take(length)?;
        let cid = bytes.strip_prefix(&[0]).filter(|cid| tag == 42 && cid.len() == CID_BYTES).and_then(Cid::from_bytes);
        cid.map(Value::Link).ok_or_else(|| "a link that AT Protocol does not allow".to_owned())
    }
}
