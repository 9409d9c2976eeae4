//! `stakehold serve`: one region, from its file to its last line. Starts and stops things in order; owns signals, the
//! metrics recorder and the ready line. Knows nothing of what is served.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use api::AppState;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use node::{COMMIT_SECONDS_BUCKETS, GROUP_INPUTS_BUCKETS, METRIC_COMMIT_SECONDS, METRIC_GROUP_INPUTS, Node};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};

use crate::cli::{ClockKind, ServeArgs};
use crate::config::{self, Overrides};

/// How long requests under way may take to end when the node is asked to stop. Whoever waits longer hears that it
/// stopped.
const REQUESTS_TIMEOUT: Duration = Duration::from_secs(2);
/// Histograms gather their values between two of these.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// Runs a region until it is told to stop, or stops by itself.
///
/// # Errors
/// Whatever kept it from starting, or made it stop. The error's words are the process' last line.
pub(crate) async fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let setting = config::load(&args.config, &overrides(&args))?;
    if args.clock == ClockKind::Replay {
        tracing::warn!("--clock replay: time comes from the feed; never take real wagers like this");
    }
    if args.insecure_http && !setting.listen_http.ip().is_loopback() {
        tracing::warn!(listen = %setting.listen_http, "--insecure-http: anyone who reaches this address may do anything");
    }
    let mut told = Told::listen()?;
    let metrics = recorder()?;
    let listener = TcpListener::bind(setting.listen_http).await;
    let listener = listener.with_context(|| format!("cannot listen on {} (http)", setting.listen_http))?;
    let http_addr = listener.local_addr()?;
    let node = Node::start(setting.node).await?;
    let connections_max = setting.api.connections_max;
    let (figures, renderer) = (node.figures(), metrics.clone());
    let render = move || {
        figures.export();
        renderer.render()
    };
    let app = AppState::new(node.handle(), setting.api, rand::random::<u64>, render);
    let router = api::router(app)?;
    let (stop_http, http_stopped) = oneshot::channel::<()>();
    let served = api::serve(listener, router, connections_max, async move { drop(http_stopped.await) });
    let running = Running { node, http: tokio::spawn(served), stop_http };
    ready(&setting.name, http_addr, running.node.gossip_addr())?;
    running.until(&mut told, &metrics).await?;
    Ok(ExitCode::SUCCESS)
}

/// A region that serves.
struct Running {
    node: Node,
    http: JoinHandle<std::io::Result<()>>,
    /// Ends the HTTP side when it is used or dropped.
    stop_http: oneshot::Sender<()>,
}

impl Running {
    /// Serves until the region is told to stop, or something ends by itself; then ends everything in order.
    async fn until(mut self, told: &mut Told, metrics: &PrometheusHandle) -> anyhow::Result<()> {
        let mut upkeep = interval(METRICS_UPKEEP);
        loop {
            tokio::select! {
                () = told.stop() => {
                    tracing::info!("told to stop");
                    return self.stop().await;
                }
                why = self.node.ended() => {
                    // Nothing more is answered: what was not is unknown to its asker, who asks again with the same id.
                    self.http.abort();
                    return Err(why.into());
                }
                served = &mut self.http => {
                    self.node.shutdown().await?;
                    served??;
                    anyhow::bail!("the http listener ended unasked");
                }
                _ = upkeep.tick() => metrics.run_upkeep(),
            }
        }
    }

    /// No new connections, requests under way to their end, the last commit, the store, the links.
    async fn stop(mut self) -> anyhow::Result<()> {
        drop(self.stop_http);
        let is_idle = timeout(REQUESTS_TIMEOUT, &mut self.http).await.is_ok();
        self.node.shutdown().await?;
        if !is_idle && timeout(REQUESTS_TIMEOUT, &mut self.http).await.is_err() {
            tracing::warn!("some connections did not end in time");
            self.http.abort();
        }
        tracing::info!("stopped");
        Ok(())
    }
}

fn overrides(args: &ServeArgs) -> Overrides {
    Overrides {
        data_dir: args.data.clone(),
        listen_http: args.listen_http,
        insecure_http: args.insecure_http,
        replay: args.clock == ClockKind::Replay,
        first_start: args.first_start,
        incarnation: args.incarnation,
    }
}

/// The process' metrics.
fn recorder() -> anyhow::Result<PrometheusHandle> {
    let named = |name: &str| Matcher::Full(name.to_owned());
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(named(METRIC_GROUP_INPUTS), GROUP_INPUTS_BUCKETS)?
        .set_buckets_for_metric(named(METRIC_COMMIT_SECONDS), COMMIT_SECONDS_BUCKETS)?;
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).context("the metrics recorder")?;
    Ok(handle)
}

/// The line that others wait for.
fn ready(name: &str, http: SocketAddr, gossip: Option<SocketAddr>) -> std::io::Result<()> {
    let gossip = gossip.map(|addr| format!(" gossip {addr}")).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    writeln!(out, "stakehold {name} ready: http://{http}{gossip}")?;
    out.flush()
}

/// Both signals that mean stop.
struct Told {
    interrupt: Signal,
    terminate: Signal,
}

impl Told {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
