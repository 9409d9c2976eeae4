//! A client of one region that says what it knows: an answer, or that there was none. It never sends a request twice
//! by itself; every request is bounded in time.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// No request takes longer, whatever it waits for.
const REQUEST_MAX: Duration = Duration::from_secs(30);

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    method: Method,
    path: String,
    body: Bytes,
    headers: Vec<(&'static str, String)>,
}

impl Call {
    fn new(method: Method, path: &str) -> Self {
        Self { method, path: path.to_owned(), body: Bytes::new(), headers: Vec::new() }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn post(path: &str) -> Self {
        Self::new(Method::POST, path)
    }

    pub(crate) fn put(path: &str) -> Self {
        Self::new(Method::PUT, path)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        let mut call = self.body(body.to_string());
        call.headers.push(("content-type", "application/json".to_owned()));
        call
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Waits for what `token` has seen, at most `wait_ms`.
    pub(crate) fn after(mut self, token: &str, wait_ms: u64) -> Self {
        self.headers.push(("stakehold-token", token.to_owned()));
        self.wait(wait_ms)
    }

    /// One more token to wait for.
    pub(crate) fn also(mut self, token: &str) -> Self {
        self.headers.push(("stakehold-token", token.to_owned()));
        self
    }

    pub(crate) fn wait(mut self, wait_ms: u64) -> Self {
        self.headers.push(("stakehold-wait-ms", wait_ms.to_string()));
        self
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) token: String,
    pub(crate) replayed: bool,
    pub(crate) text: String,
    asked: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self}"))
    }

    pub(crate) fn read<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self}"))
    }

    /// The problem's code; empty if it is none.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Fails the test unless the status is one of these.
    pub(crate) fn expect(self, statuses: &[u16]) -> Self {
        assert!(statuses.contains(&self.status), "not {statuses:?}: {self}");
        self
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n  -> {} {}", self.asked, self.status, self.text)
    }
}

/// There is no answer: whether the request was worked off is unknown.
#[derive(Clone, Debug)]
pub(crate) struct Lost(pub(crate) String);

/// A client with at most one connection, made when it is needed.
pub(crate) struct Client {
    address: SocketAddr,
    connection: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, connection: Mutex::new(None) }
    }

    /// Sends once.
    pub(crate) async fn try_send(&self, call: Call) -> Result<Reply, Lost> {
        let shown = String::from_utf8_lossy(&call.body).chars().take(2_000).collect::<String>();
        let asked = format!("{} {} {:?} {shown}", call.method, call.path, call.headers);
        let mut held = self.connection.lock().await;
        let answer = timeout(REQUEST_MAX, exchange(self.address, &mut held, call)).await;
        let answer = answer.unwrap_or_else(|_| Err(format!("no answer in {REQUEST_MAX:?}")));
        if answer.is_err() {
            *held = None;
        }
        let (status, token, replayed, text) = answer.map_err(|why| Lost(format!("{asked}\n  -> {why}")))?;
        Ok(Reply { status, token, replayed, text, asked })
    }

    /// Sends once to a region that must answer.
    pub(crate) async fn send(&self, call: Call) -> Reply {
        self.try_send(call).await.unwrap_or_else(|lost| panic!("{}", lost.0))
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Call::get(path)).await
    }
}

type Answer = (u16, String, bool, String);

async fn exchange(
    address: SocketAddr,
    held: &mut Option<SendRequest<Full<Bytes>>>,
    call: Call,
) -> Result<Answer, String> {
    // Ready only once the answer before is wholly read; never again if the region has closed the connection.
    let mut usable = None;
    if let Some(mut sender) = held.take()
        && sender.ready().await.is_ok()
    {
        usable = Some(sender);
    }
    let mut sender = match usable {
        Some(sender) => sender,
        None => connect(address).await?,
    };
    let mut request = Request::builder().method(call.method).uri(&call.path).header("host", address.to_string());
    for (name, value) in call.headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(call.body)).map_err(|e| e.to_string())?;
    let response = sender.send_request(request).await.map_err(|e| e.to_string())?;
    let header = |name: &str| {
        let value = response.headers().get(name).and_then(|v| v.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (token, replayed) = (header("stakehold-token"), header("stakehold-replayed") == "true");
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(|e| e.to_string())?.to_bytes();
    *held = Some(sender);
    Ok((status, token, replayed, String::from_utf8_lossy(&body).into_owned()))
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, String> {
    let stream = TcpStream::connect(address).await.map_err(|e| e.to_string())?;
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    tokio::spawn(connection);
    sender.ready().await.map_err(|e| e.to_string())?;
    Ok(sender)
}
