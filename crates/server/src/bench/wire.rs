//! A connection that costs next to nothing: requests as bytes, answers read just far enough to know their status and
//! their end. For generating load beside what is measured, on the same cores.
//!
//! It must not know what is asked.

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longest head of an answer.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// A connection with one request at a time.
pub(crate) struct Wire {
    stream: TcpStream,
    heard: Vec<u8>,
    out: Vec<u8>,
    host: String,
}

impl Wire {
    /// Connects to `host:port`.
    ///
    /// # Errors
    /// When there is no connection.
    pub(crate) async fn connect(host: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(host).await.with_context(|| format!("cannot connect to {host}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, heard: Vec::with_capacity(8 << 10), out: Vec::with_capacity(1 << 10), host: host.to_owned() })
    }

    /// Posts JSON and returns the answer's status.
    ///
    /// # Errors
    /// When the connection breaks or the answer has no length.
    pub(crate) async fn post(&mut self, path: &str, body: &[u8]) -> anyhow::Result<u16> {
        use std::io::Write as _;
        self.out.clear();
        write!(
            self.out,
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.host,
            body.len()
        )?;
        self.out.extend_from_slice(body);
        self.stream.write_all(&self.out).await?;
        self.heard.clear();
        loop {
            if self.stream.read_buf(&mut self.heard).await? == 0 {
                bail!("the region closed the connection");
            }
            let Some((status, length)) = whole(&self.heard)? else { continue };
            if self.heard.len() >= length {
                return Ok(status);
            }
        }
    }
}

/// Status and whole length of an answer, once its head is there.
fn whole(heard: &[u8]) -> anyhow::Result<Option<(u16, usize)>> {
    let Some(end) = heard.windows(4).position(|four| four == b"\r\n\r\n") else {
        if heard.len() > HEAD_BYTES_MAX {
            bail!("an answer without an end of its head");
        }
        return Ok(None);
    };
    let head = std::str::from_utf8(heard.get(..end).unwrap_or_default())?;
    let status = head.get(9..12).and_then(|digits| digits.parse().ok()).context("an answer without a status")?;
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.and_then(|(_, n)| n.trim().parse().ok()).context("an answer without a length")?;
    Ok(Some((status, end + 4 + length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_length_is_there() {
        assert_eq!(whole(b"HTTP/1.1 201 Cre").unwrap(), None);
        let head = b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\nx: y\r\n\r\n";
        assert_eq!(whole(head).unwrap(), Some((201, head.len() + 5)));
        assert!(whole(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
