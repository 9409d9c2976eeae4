//! One TOML file: its text, the types read from it, and the line on which each key stands.
//! Knows nothing of what the keys mean.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use toml::de::{DeTable, DeValue};

/// A fault in a configuration file. Nothing was started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ConfigError {
    file: PathBuf,
    line: Option<usize>,
    key: String,
    why: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.why)
    }
}

impl std::error::Error for ConfigError {}

/// A file that was read.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`] without a line.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let fault = |why: std::io::Error| ConfigError {
            file: path.to_owned(),
            line: None,
            key: String::new(),
            why: format!("cannot be read: {why}"),
        };
        let text = std::fs::read_to_string(path).map_err(fault)?;
        Ok(Self { path: path.to_owned(), text })
    }

    /// Parses it.
    ///
    /// # Errors
    /// [`ConfigError`] with the first fault, its key and its line.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let deserializer = toml::Deserializer::parse(&self.text).map_err(|e| self.fault("", &e))?;
        serde_path_to_error::deserialize(deserializer).map_err(|e| {
            let key = key(e.path());
            self.fault(&key, e.inner())
        })
    }

    /// A fault that shows only when values are held against each other or against the machine. `key` is a path such
    /// as `http.listen` or `regions[1].name`.
    pub(crate) fn at(&self, key: &str, why: impl fmt::Display) -> ConfigError {
        let line = DeTable::parse(&self.text).ok().and_then(|table| {
            let offset = offset_of(table.get_ref(), key)?;
            Some(self.line(offset))
        });
        ConfigError { file: self.path.clone(), line, key: key.to_owned(), why: why.to_string() }
    }

    /// A path written in this file: relative ones are relative to it.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        self.path.parent().map_or_else(|| path.to_owned(), |dir| dir.join(path))
    }

    fn fault(&self, key: &str, error: &toml::de::Error) -> ConfigError {
        let line = error.span().map(|span| self.line(span.start));
        // A text that is no TOML has no keys yet: take what stands there.
        let key = if key.is_empty() { line.map_or("", |line| self.key_on(line)) } else { key };
        // One line: the last line of a failed start must carry it whole.
        let why = error.message().trim().replace('\n', ", ");
        ConfigError { file: self.path.clone(), line, key: key.to_owned(), why }
    }

    /// What stands before the `=` of a line, if anything does.
    fn key_on(&self, line: usize) -> &str {
        let text = self.text.lines().nth(line - 1).unwrap_or_default().trim();
        text.split_once('=').filter(|_| !text.starts_with('#')).map_or("", |(key, _)| key.trim())
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().iter().take(offset);
        before.filter(|b| **b == b'\n').count() + 1
    }
}

/// `regions[1].name`
fn key(path: &serde_path_to_error::Path) -> String {
    let mut key = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => key.push_str(&format!("[{index}]")),
            Segment::Map { key: name } | Segment::Enum { variant: name } => {
                if !key.is_empty() {
                    key.push('.');
                }
                key.push_str(name);
            }
            Segment::Unknown => {}
        }
    }
    key
}

/// Where a key stands in the text; where its table stands if it is absent.
fn offset_of(table: &DeTable<'_>, key: &str) -> Option<usize> {
    let mut table = table;
    let mut found = None;
    for part in key.split('.') {
        let (name, index) = match part.split_once('[') {
            Some((name, rest)) => (name, rest.trim_end_matches(']').parse::<usize>().ok()),
            None => (part, None),
        };
        let Some((at, value)) = table.iter().find(|(k, _)| k.get_ref() == name) else { return found };
        found = Some(at.span().start);
        let value = match (value.get_ref(), index) {
            (DeValue::Array(items), Some(index)) => {
                let Some(item) = items.get(index) else { return found };
                found = Some(item.span().start);
                item
            }
            _ => value,
        };
        match value.get_ref().as_table() {
            Some(inner) => table = inner,
            None => return found,
        }
    }
    found
}
