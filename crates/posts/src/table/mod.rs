//! "Here is a table, give me posts": CSV and Parquet, with a small TOML file that says which column is which field.
//!
//! ```toml
//! id = "tweet_id"            # or "(row)": rows are numbered
//! text = "body"
//! created_at = "date"
//! hashtags = "tags"          # a list, a JSON list in text, or words separated by space, comma, semicolon or bar
//! author.id = "user"
//! geo.lat = "latitude"
//! geo.lon = "longitude"
//! time_format = "%d.%m.%Y %H:%M"   # where times are in none of the usual ways; UTC unless it has an offset
//! csv.delimiter = ";"              # where it is not found out: comma, semicolon, tab or bar
//! ```
//!
//! Fields are those of our own format ([`crate::formats::Native`]); one that is not named is taken from the column of its
//! name (`author.id`: `author.id` or `author_id`). A row becomes an object of our own format and is read as such.

mod cells;
mod csv_rows;
mod guarded;
mod map;
mod parquet_rows;

pub use csv_rows::CsvRows;
pub use map::FieldMap;
pub use parquet_rows::{ParquetRows, is_parquet};
