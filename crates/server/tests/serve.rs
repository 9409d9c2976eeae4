//! A real `stakehold serve` process of one region: what it says when it starts, stops, or cannot start, and what a kill
//! leaves behind. Speaks HTTP by hand, so that nothing stands between a claim and the wire.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// Nothing here takes longer, or the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster of one region in a scratch folder.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        let topology = "cluster = \"test\"\n[[regions]]\nnumber = 1\nname = \"solo\"\ngossip = \"127.0.0.1:9\"\n\
                        http = \"http://127.0.0.1:9\"\n";
        let region = "region = \"solo\"\ntopology = \"topology.toml\"\ndata_dir = \"data\"\n[http]\n\
                      listen = \"127.0.0.1:0\"\n";
        std::fs::write(home.file("topology.toml"), topology).unwrap();
        std::fs::write(home.file("solo.toml"), region).unwrap();
        home
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stakehold"));
        command.args(["serve", "--config"]).arg(self.file("solo.toml"));
        command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end, which must be a failure; gives the last line on standard error.
    fn refused(&self, more: &[&str]) -> String {
        let child = self.command().args(more).spawn().unwrap();
        let output = bounded(move || child.wait_with_output().unwrap());
        assert!(!output.status.success(), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        String::from_utf8(output.stderr).unwrap().trim_end().lines().last().unwrap_or_default().to_owned()
    }
}

/// A region that serves; killed when dropped.
struct Region {
    child: Child,
    address: SocketAddr,
    log: thread::JoinHandle<String>,
    _stdout: BufReader<ChildStdout>,
}

impl Region {
    fn start(home: &Home) -> Self {
        let mut child = home.command().spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut stderr = child.stderr.take().unwrap();
        // Drained, or the process would wait for room in the pipe.
        let log = thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        let (line, stdout) = bounded(move || {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            (line, stdout)
        });
        let address = line.strip_prefix("stakehold solo ready: http://").and_then(|rest| rest.trim_end().parse().ok());
        let address = address.unwrap_or_else(|| panic!("not a ready line: {line:?}"));
        Self { child, address, log, _stdout: stdout }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; the exit status and the log.
    fn terminate(mut self) -> (ExitStatus, String) {
        let kill = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.child.id())).status().unwrap();
        assert!(kill.success());
        bounded(move || {
            let status = self.child.wait().unwrap();
            (status, self.log.join().unwrap())
        })
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        call(self.address, method, path, body).unwrap()
    }
}

/// One request on a connection of its own. `None` when no whole answer came.
fn call(address: SocketAddr, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).unwrap_or(Value::String(body.to_owned()))))
}

/// Does something that must end in time.
fn bounded<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    result.recv_timeout(PATIENCE).expect("in time, and without a panic")
}

fn ids(region: &Region, count: usize) -> Vec<String> {
    let (status, body) = region.call("POST", &format!("/v1/ids?count={count}"), &Value::Null);
    assert_eq!(status, 200, "{body}");
    body["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

fn deposit(address: SocketAddr, id: &str) -> Option<(u16, Value)> {
    call(address, "POST", "/v1/accounts/anna@solo/deposits", &json!({"id": id, "amount": "1.00"}))
}

#[test]
fn a_kill_at_any_moment_loses_nothing_acknowledged_and_doubles_nothing() {
    const ROUNDS: usize = 4;
    let home = Home::new();
    let mut given: Vec<String> = Vec::new();
    for round in 0..ROUNDS {
        let region = Region::start(&home);
        let (status, body) = region.call("PUT", "/v1/accounts/anna@solo", &json!({"currency": "GBP"}));
        assert_eq!(status, if round == 0 { 201 } else { 200 }, "{body}");
        let (address, fresh) = (region.address, ids(&region, 2_000));
        let (acknowledged, heard) = mpsc::channel();
        let depositor = thread::spawn(move || {
            for id in fresh {
                match deposit(address, &id) {
                    Some((201, _)) => acknowledged.send(id).unwrap(),
                    Some(other) => panic!("{other:?}"),
                    None => return Some(id),
                }
            }
            None
        });
        // The kill falls somewhere into the deposits after these.
        let before_kill = 20 + 37 * round;
        for _ in 0..before_kill {
            given.push(heard.recv_timeout(PATIENCE).unwrap());
        }
        region.kill();
        let in_doubt = depositor.join().unwrap();
        given.extend(heard.try_iter());
        let region = Region::start(&home);
        if let Some(id) = in_doubt {
            let (status, body) = deposit(region.address, &id).unwrap();
            assert!(status == 201 || status == 200, "{status} {body}");
            given.push(id);
        }
        for id in &given {
            let (status, body) = deposit(region.address, id).unwrap();
            assert_eq!(status, 200, "acknowledged before the kill, new after it: {body}");
        }
        let (_, account) = region.call("GET", "/v1/accounts/anna@solo", &Value::Null);
        assert_eq!(account["balance"], format!("{}.00", given.len()), "{account}");
        region.kill();
    }
    assert!(given.len() > 20 * ROUNDS);
}

#[test]
fn told_to_stop_it_ends_well_and_soon_and_the_next_start_has_everything() {
    let home = Home::new();
    let region = Region::start(&home);
    region.call("PUT", "/v1/accounts/anna@solo", &json!({"currency": "GBP"}));
    let id = ids(&region, 1).remove(0);
    assert_eq!(deposit(region.address, &id).unwrap().0, 201);
    // A connection that is left open must not hold it up.
    let _idle = TcpStream::connect(region.address).unwrap();
    let (status, log) = region.terminate();
    assert!(status.success(), "{status}\n{log}");
    let region = Region::start(&home);
    assert_eq!(region.call("GET", "/v1/accounts/anna@solo", &Value::Null).1["balance"], "1.00");
}

#[test]
fn it_is_ready_and_shows_its_figures() {
    let home = Home::new();
    let region = Region::start(&home);
    let (status, ready) = region.call("GET", "/health/ready", &Value::Null);
    assert_eq!(status, 200, "{ready}");
    region.call("PUT", "/v1/accounts/anna@solo", &json!({"currency": "GBP"}));
    let id = ids(&region, 1).remove(0);
    assert_eq!(deposit(region.address, &id).unwrap().0, 201);
    // Published once the group is over, which is a moment after its last answer has left.
    let wanted =
        ["stakehold_engine_deposits_total 1", "stakehold_requests_queued 0", "stakehold_store_write_stalled 0"];
    let figures = |tries_left: usize| {
        let (status, text) = region.call("GET", "/metrics", &Value::Null);
        let text = text.as_str().unwrap().to_owned();
        let missing = wanted.iter().find(|wanted| !text.lines().any(|line| line == **wanted));
        assert_eq!(status, 200);
        assert!(missing.is_none() || tries_left > 0, "{missing:?} is not in\n{text}");
        missing.is_none().then_some(text)
    };
    let text = (0..50).rev().find_map(figures).unwrap();
    assert!(text.contains("stakehold_commit_seconds_bucket{le=\"0.001\"}"), "{text}");
    assert!(text.contains("stakehold_http_answers_total"), "{text}");
}

#[test]
fn a_data_directory_in_use_or_of_somebody_else_is_refused() {
    let home = Home::new();
    let region = Region::start(&home);
    let data = home.file("data");
    assert_eq!(home.refused(&[]), format!("stakehold: data directory {} is in use by another process", data.display()));
    region.kill();
    assert_eq!(
        home.refused(&["--incarnation", "2"]),
        format!(
            "stakehold: data directory {} belongs to cluster test, region 1 (solo), incarnation 1; this node is cluster \
             test, region 1 (solo), incarnation 2",
            data.display()
        )
    );
}

#[test]
fn what_cannot_start_says_so_in_its_last_line() {
    let home = Home::new();
    let file = home.file("solo.toml");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = home.refused(&["--listen-http", &address]);
    assert_eq!(said, format!("stakehold: cannot listen on {address} (http): Address already in use (os error 98)"));
    let said = home.refused(&["--listen-http", "0.0.0.0:0"]);
    assert!(
        said.starts_with(&format!("stakehold: {}:5: http.listen: 0.0.0.0:0 can be reached", file.display())),
        "{said}"
    );
    std::fs::write(home.file("topology.toml"), "cluster = \"test\"\nregions = []\n").unwrap();
    let topology = home.file("topology.toml");
    assert_eq!(
        home.refused(&[]),
        format!("stakehold: {}:2: regions: a cluster has at least one region", topology.display())
    );
    assert!(!Path::new(&home.file("data")).exists(), "a start that was refused made nothing");
}
