//! One `stakehold` process: started, killed, stopped, waited for. What it says goes to a file, whose end is shown when
//! the test fails. Nothing outlives the test.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};

const BINARY: &str = env!("CARGO_BIN_EXE_stakehold");
/// Lines of a log that a failed test shows.
const SHOWN_LINES_MAX: usize = 60;

/// A running or ended process.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts the binary; its output is appended to `log`.
    pub(crate) fn start(arguments: &[&str], log: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let mut command = Command::new(BINARY);
        command.args(arguments).stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        command.env("NO_COLOR", "1");
        let child = command.spawn().unwrap_or_else(|e| panic!("{BINARY}: {e}"));
        Self { child, log: log.to_owned(), ended: None }
    }

    /// Runs the binary to its end, which must be a success.
    pub(crate) async fn run(arguments: &[&str], log: &Path) {
        let mut process = Self::start(arguments, log);
        let status = process.exited(Duration::from_secs(30)).await;
        assert!(status.success(), "stakehold {}: {status}\n{}", arguments.join(" "), process.last_words());
    }

    /// `kill -9`, and gone when this returns.
    pub(crate) fn kill(&mut self) {
        if self.ended.is_none() {
            // Fails only when it has ended by itself, which wait tells too.
            let _ = self.child.kill();
            self.ended = self.child.wait().ok();
        }
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        let told = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.child.id())).status().unwrap();
        assert!(told.success());
    }

    pub(crate) fn is_running(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().unwrap();
        }
        self.ended.is_none()
    }

    /// Waits for the end.
    pub(crate) async fn exited(&mut self, within: Duration) -> ExitStatus {
        let until = Instant::now() + within;
        while self.is_running() {
            assert!(Instant::now() < until, "still running after {within:?}\n{}", self.last_words());
            sleep(Duration::from_millis(10)).await;
        }
        self.ended.unwrap()
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let shown = &lines[lines.len().saturating_sub(SHOWN_LINES_MAX)..];
        format!("--- {} ---\n{}\n", self.log.display(), shown.join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("{}", self.last_words());
        }
    }
}

/// Empties a log, so that a new process' last line is its own.
pub(crate) fn fresh_log(path: &Path) {
    File::create(path).unwrap();
}
