//! A small HTTP/1.1 client for the tools of this binary: one kept-alive connection, one request at a time.
//!
//! It must not know what the calls mean, and it never repeats a request by itself: whether that is safe is the
//! caller's business.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderMap, HeaderName};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What a region had seen when it answered.
pub(crate) const TOKEN: HeaderName = HeaderName::from_static("stakehold-token");
/// Set when the answer had been given before.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("stakehold-replayed");

/// Longest wait for an answer, unless the caller says otherwise.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum ClientError {
    /// The URL cannot be used: nothing was sent.
    Url(String),
    /// No connection: nothing was sent.
    Connect(String),
    /// The connection broke, or time ran out, after the request began to leave: whether it took effect is unknown.
    Unknown(String),
    /// An answer that is not what was expected of the call.
    Answer(String),
}

impl std::fmt::Display for ClientError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Url(why) => write!(f, "not a usable URL: {why}"),
            Self::Connect(why) => write!(f, "cannot connect: {why}"),
            Self::Unknown(why) => write!(f, "no answer: {why}"),
            Self::Answer(why) => write!(f, "unexpected answer: {why}"),
        }
    }
}

impl std::error::Error for ClientError {}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The status code.
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    /// The body as received.
    pub(crate) body: Bytes,
}

impl Reply {
    /// The body as JSON; null when it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as JSON when the call succeeded.
    ///
    /// # Errors
    /// [`ClientError::Answer`] with the problem's own words otherwise.
    pub(crate) fn ok(self) -> Result<Value, ClientError> {
        if self.status.is_success() { Ok(self.json()) } else { Err(ClientError::Answer(self.problem())) }
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// `status code: detail` of a problem, or the start of whatever the body is.
    pub(crate) fn problem(&self) -> String {
        let body = self.json();
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        match (text("code"), text("detail")) {
            (Some(code), detail) => format!("{} {code}: {}", self.status.as_u16(), detail.unwrap_or_default()),
            _ => format!(
                "{}: {}",
                self.status,
                String::from_utf8_lossy(&self.body).chars().take(200).collect::<String>()
            ),
        }
    }
}

/// A connection to one region, made when first needed and again after it broke.
pub(crate) struct Client {
    /// `host:port`.
    authority: String,
    sender: Option<SendRequest<Full<Bytes>>>,
    timeout: Duration,
}

impl Client {
    /// A client of `http://host:port`; connects at the first request.
    ///
    /// # Errors
    /// [`ClientError::Url`] for another scheme, or for a URL without a host.
    pub(crate) fn new(url: &str) -> Result<Self, ClientError> {
        let wrong = |why: &str| ClientError::Url(format!("{url}: {why}"));
        let uri: hyper::Uri = url.parse().map_err(|e| wrong(&format!("{e}")))?;
        if uri.scheme_str() != Some("http") {
            return Err(wrong("must begin with http://"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("give only http://host:port"));
        }
        let host = uri.host().ok_or_else(|| wrong("has no host"))?;
        let authority = format!("{host}:{}", uri.port_u16().unwrap_or(80));
        Ok(Self { authority, sender: None, timeout: ANSWER_TIMEOUT })
    }

    /// The same with another wait for answers.
    pub(crate) fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Reads.
    ///
    /// # Errors
    /// [`ClientError`]; a status that is no success is an answer, not an error.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Reply, ClientError> {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    /// Sends a JSON body.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(crate) async fn json(&mut self, method: Method, path: &str, body: &Value) -> Result<Reply, ClientError> {
        self.send(method, path, &[("content-type", "application/json")], Bytes::from(body.to_string())).await
    }

    /// Sends a request and reads its whole answer.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Reply, ClientError> {
        let mut sender = self.connected().await?;
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.authority);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).map_err(|e| ClientError::Url(format!("{path}: {e}")))?;
        let unknown = |e: hyper::Error| ClientError::Unknown(format!("{}: {e}", self.authority));
        let answered = async {
            let response = sender.send_request(request).await.map_err(unknown)?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map_err(unknown)?.to_bytes();
            Ok(Reply { status: parts.status, headers: parts.headers, body })
        };
        let reply = timeout(self.timeout, answered).await.unwrap_or_else(|_| {
            Err(ClientError::Unknown(format!("{}: nothing within {:?}", self.authority, self.timeout)))
        })?;
        self.sender = Some(sender);
        Ok(reply)
    }

    /// The kept connection if it is still good, else a new one. It is given back only after a whole answer.
    async fn connected(&mut self) -> Result<SendRequest<Full<Bytes>>, ClientError> {
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        let failed = |why: String| ClientError::Connect(format!("{}: {why}", self.authority));
        let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(&self.authority))
            .await
            .map_err(|_| failed(format!("nothing within {CONNECT_TIMEOUT:?}")))?
            .map_err(|e| failed(e.to_string()))?;
        stream.set_nodelay(true).map_err(|e| failed(e.to_string()))?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|e| failed(e.to_string()))?;
        // It ends by itself when the sender is dropped or the other side closes; the sender tells of errors.
        tokio::spawn(async move { drop(connection.await) });
        sender.ready().await.map_err(|e| failed(e.to_string()))?;
        Ok(sender)
    }
}

/// Headers of a body with one JSON text a line.
pub(crate) const NDJSON: [(&str, &str); 1] = [("content-type", "application/x-ndjson")];

/// Headers of a body of raw XML.
pub(crate) const XML: [(&str, &str); 1] = [("content-type", "application/xml")];

/// A text at `path` (keys and list indexes joined by `/`) of a JSON value; empty when there is none.
pub(crate) fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// A whole number at `path`; 0 when there is none.
pub(crate) fn number(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn urls_that_cannot_be_used_are_refused() {
        for url in ["", "localhost:80", "https://a:1", "http://a:1/v1", "http://a:1?x=1", "ftp://a"] {
            assert!(matches!(Client::new(url), Err(ClientError::Url(_))), "{url}");
        }
        assert_eq!(Client::new("http://a/").unwrap().authority, "a:80");
    }

    /// A server that answers `answers` on one connection each, then closes.
    async fn server(answers: Vec<&'static str>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut heard = [0; 4096];
                let _ = stream.read(&mut heard).await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        url
    }

    #[tokio::test]
    async fn a_connection_that_closed_is_made_again_and_a_broken_answer_is_unknown() {
        let whole = "HTTP/1.1 201 Created\r\nstakehold-token: abc\r\ncontent-length: 7\r\n\r\n{\"a\":1}";
        let torn = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort";
        let url = server(vec![whole, whole, torn]).await;
        let mut client = Client::new(&url).unwrap().with_timeout(Duration::from_secs(2));
        for _ in 0..2 {
            let reply = client.get("/x").await.unwrap();
            assert_eq!((reply.status.as_u16(), reply.header(&TOKEN)), (201, Some("abc")));
            assert_eq!(number(&reply.json(), "/a"), 1);
            // Let the server's close arrive.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(matches!(client.get("/x").await, Err(ClientError::Unknown(_))));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(matches!(client.get("/x").await, Err(ClientError::Connect(_))));
    }
}
