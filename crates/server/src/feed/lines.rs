//! Reading a recording line by line, on a thread of its own, into a bounded channel.
//!
//! It must not know what a line says.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use tokio::sync::mpsc;

/// Lines read ahead of the sender.
const AHEAD_LINES_MAX: usize = 4_096;
/// Longest line taken, in bytes; the rest of a longer one is read as further lines, which a region refuses.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// A line with something on it.
#[derive(Debug)]
pub(crate) struct Line {
    /// Place in the file, from 1.
    pub(crate) number: u64,
    /// Its text, without the end.
    pub(crate) text: String,
}

/// What the reader yields: lines, and at most one error, last.
pub(crate) type Lines = mpsc::Receiver<std::io::Result<Line>>;

/// Opens a file, or standard input for `-`.
///
/// # Errors
/// When the file cannot be opened.
pub(crate) fn open(path: &Path) -> std::io::Result<Lines> {
    let (send, lines) = mpsc::channel(AHEAD_LINES_MAX);
    if path.as_os_str() == "-" {
        // A plain thread: one that waits for a terminal must not keep the process from ending.
        std::thread::spawn(move || read(std::io::stdin().lock(), &send));
    } else {
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(std::io::Error::other("is a folder"));
        }
        std::thread::spawn(move || read(BufReader::new(file), &send));
    }
    Ok(lines)
}

fn read(mut source: impl BufRead, lines: &mpsc::Sender<std::io::Result<Line>>) {
    let mut number = 0;
    loop {
        let mut text = Vec::new();
        number += 1;
        let line = match source.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut text) {
            Ok(0) => return,
            Ok(_) if text.trim_ascii().is_empty() => continue,
            Ok(_) => Ok(Line { number, text: String::from_utf8_lossy(text.trim_ascii_end()).into_owned() }),
            Err(e) => Err(e),
        };
        let failed = line.is_err();
        if lines.blocking_send(line).is_err() || failed {
            return;
        }
    }
}
