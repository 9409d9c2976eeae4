//! What a region did during a measurement: who used the cores, and how its commits went. It says what holds a figure
//! back.

use std::time::Duration;

use tokio::time::Instant;

use super::machine::{cores, processor_time};
use crate::client::Client;

/// Commits above this are told apart, as the metrics' bucket has it.
const SLOW_BUCKET: &str = "0.05";

/// The state of things at the beginning.
pub(crate) struct Usage {
    pid: u32,
    client: Client,
    since: Instant,
    region: Option<Duration>,
    own: Option<Duration>,
    commits: Commits,
}

/// Commits of a region so far, by its metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Commits {
    count: f64,
    seconds: f64,
    inputs: f64,
    quick: f64,
}

impl Usage {
    /// Notes where a region stands.
    ///
    /// # Errors
    /// When the region does not answer.
    pub(crate) async fn begin(pid: u32, url: &str) -> anyhow::Result<Self> {
        let mut client = Client::new(url)?;
        let commits = Commits::read(&mut client).await?;
        let (region, own) = (processor_time(pid), processor_time(std::process::id()));
        Ok(Self { pid, client, since: Instant::now(), region, own, commits })
    }

    /// What happened since, in words.
    ///
    /// # Errors
    /// When the region does not answer.
    pub(crate) async fn told(mut self) -> anyhow::Result<String> {
        let share = |before: Option<Duration>, pid| match (before, processor_time(pid)) {
            (Some(before), Some(after)) => {
                format!("{:.2}", after.saturating_sub(before).as_secs_f64() / self.since.elapsed().as_secs_f64())
            }
            _ => "?".to_owned(),
        };
        let (region, own) = (share(self.region, self.pid), share(self.own, std::process::id()));
        let (before, after) = (self.commits, Commits::read(&mut self.client).await?);
        let count = after.count - before.count;
        let each = count.max(1.0);
        Ok(format!(
            "region {region} and generator {own} of {} cores; {count:.0} commits of {:.1} inputs, {:.2} ms each, {:.0} above 50 ms",
            cores(),
            (after.inputs - before.inputs) / each,
            (after.seconds - before.seconds) * 1e3 / each,
            (count - (after.quick - before.quick)).max(0.0),
        ))
    }
}

impl Commits {
    async fn read(client: &mut Client) -> anyhow::Result<Self> {
        let reply = client.get("/metrics").await?;
        anyhow::ensure!(reply.status.is_success(), "metrics: {}", reply.problem());
        Ok(Self::parse(&String::from_utf8_lossy(&reply.body)))
    }

    fn parse(text: &str) -> Self {
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.trim().parse().ok()).unwrap_or(0.0)
        };
        Self {
            count: value("stakehold_commit_seconds_count"),
            seconds: value("stakehold_commit_seconds_sum"),
            inputs: value("stakehold_group_inputs_sum"),
            quick: value(&format!("stakehold_commit_seconds_bucket{{le=\"{SLOW_BUCKET}\"}}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_read_from_metrics() {
        let text = "# TYPE stakehold_commit_seconds histogram\nstakehold_commit_seconds_bucket{le=\"0.05\"} 7\n\
                    stakehold_commit_seconds_sum 1.5\nstakehold_commit_seconds_count 9\nstakehold_group_inputs_sum 90\n";
        assert_eq!(Commits::parse(text), Commits { count: 9.0, seconds: 1.5, inputs: 90.0, quick: 7.0 });
        assert_eq!(Commits::parse(""), Commits::default());
    }
}
