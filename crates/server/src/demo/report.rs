//! The demo's report: a page of figures, and a line for each promise that was checked.
//!
//! It decides what counts as kept; it must not ask regions anything.

use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::Value;

use super::audit::Faults;
use super::book::Tally;
use super::script::{CUT, FEED, FRESHNESS, Story};
use crate::client::text;

/// Odds on their way when the link was cut may make a region sell this much longer than the freshness limit.
const STALE_MARGIN_MS: u64 = 1_000;

/// A healed link may take this long to be made again.
const RECONNECT_MS: u64 = 5_000;

/// A promise and whether it was kept.
struct Check {
    name: &'static str,
    kept: bool,
    what: String,
}

/// Names and delays that the figures stand beside.
pub(crate) struct Setting<'a> {
    /// Regions.
    pub(crate) names: &'a [&'a str],
    /// One-way delays from the feed's region to the others, in order.
    pub(crate) delays: &'a [Duration],
    /// Where the odds came from.
    pub(crate) source: &'a str,
    /// A recording may have nothing on sale while a region is cut off or after it was healed; simulated football has.
    pub(crate) is_recording: bool,
}

/// The report, the faults behind it in words, and whether every promise was kept.
pub(crate) fn report(story: &Story, setting: &Setting<'_>) -> Result<(String, Vec<String>, bool), std::fmt::Error> {
    let mut out = String::new();
    writeln!(out, "\nodds          {} -> {}", setting.source, name(setting, FEED))?;
    let (closed, all) = story.markets;
    writeln!(
        out,
        "              {} lines, {} refused; {closed} of {all} markets settled",
        story.fed.lines, story.fed.refused
    )?;
    wagers(&mut out, story, setting)?;
    money(&mut out, story)?;
    crossing(&mut out, story, setting)?;
    let caught_up = story.caught_up.map_or_else(|| "not".to_owned(), shown);
    let equal = story.equal_after.map_or_else(|| "not".to_owned(), shown);
    writeln!(
        out,
        "caught up     {caught_up} after {} was healed; all equal {equal} after the last wager",
        name(setting, CUT)
    )?;
    let digest = story.digests.first().cloned().unwrap_or_default();
    let short = |path: &str| text(&digest, path).chars().take(16).collect::<String>();
    writeln!(out, "digests       odds {}  ledger {}", short("/odds/digest"), short("/ledger/digest"))?;
    let checks = checks(story, setting);
    writeln!(out)?;
    for check in &checks {
        writeln!(out, "{:<16}{}  {}", check.name, if check.kept { "ok    " } else { "FAILED" }, check.what)?;
    }
    let kept = checks.iter().all(|check| check.kept);
    Ok((out, faults(story), kept))
}

fn name<'a>(setting: &Setting<'a>, place: usize) -> &'a str {
    setting.names.get(place).copied().unwrap_or("?")
}

fn shown(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn wagers(out: &mut String, story: &Story, setting: &Setting<'_>) -> std::fmt::Result {
    writeln!(out, "\nwagers        accepted  (borrowed)  rejected  undecided")?;
    for (place, name) in setting.names.iter().enumerate() {
        let Tally { accepted, borrowed, rejected, undecided } = story.book.tally(place, |_| true);
        let sum = |counts: &std::collections::BTreeMap<String, u64>| counts.values().sum::<u64>();
        writeln!(out, "{name:<14}{accepted:>8}{borrowed:>12}{:>10}{:>11}", sum(&rejected), sum(&undecided))?;
        let mut codes: Vec<(&String, &u64)> = rejected.iter().chain(&undecided).collect();
        codes.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let codes: Vec<String> = codes.iter().take(6).map(|(code, n)| format!("{code} {n}")).collect();
        writeln!(out, "              {}", codes.join(", "))?;
    }
    let states: Vec<String> = story.findings.states.iter().map(|(state, n)| format!("{n} {state}")).collect();
    writeln!(out, "              accepted ones are {}", states.join(", "))
}

fn money(out: &mut String, story: &Story) -> std::fmt::Result {
    writeln!(out, "\nbalance            deposits - settled stakes       + paid =       free + reserved + in transfer")?;
    for (code, (currency, sums)) in &story.findings.sums {
        let money = |minor| currency.format(minor);
        let (deposits, stakes, paid) = (money(sums.deposits), money(sums.settled_stakes), money(sums.paid));
        let (free, reserved, transfer) = (money(sums.free), money(sums.reserved), money(sums.in_transfer));
        let equal =
            if sums.difference() == 0 { String::new() } else { format!("  off by {}", money(sums.difference())) };
        writeln!(out, "{code:<14}{deposits:>13}{stakes:>17}{paid:>13}{free:>13}{reserved:>11}{transfer:>14}{equal}")?;
    }
    Ok(())
}

fn crossing(out: &mut String, story: &Story, setting: &Setting<'_>) -> std::fmt::Result {
    writeln!(out, "\nprice seen    delay       p50       p99   prices")?;
    let others = setting.names.iter().enumerate().filter(|(place, _)| *place != FEED).map(|(_, name)| name);
    for ((name, delay), micros) in others.zip(setting.delays).zip(&story.crossings.micros) {
        let (p50, p99) = (millis(micros, 0.5), millis(micros, 0.99));
        writeln!(out, "{name:<14}{:>4.0} ms{p50:>7.1} ms{p99:>7.1} ms{:>9}", delay.as_secs_f64() * 1e3, micros.len())?;
    }
    Ok(())
}

/// A quantile in ms.
fn millis(micros: &Histogram<u64>, quantile: f64) -> f64 {
    Duration::from_micros(micros.value_at_quantile(quantile)).as_secs_f64() * 1e3
}

fn checks(story: &Story, setting: &Setting<'_>) -> Vec<Check> {
    let mut checks = partition(story, setting);
    let (book, findings) = (&story.book, &story.findings);
    let repeats = &book.repeats;
    let check = |name, kept, what| Check { name, kept, what };
    checks.push(check(
        "one-acceptance",
        repeats.wrong.is_empty() && repeats.same > 0 && repeats.told > 0,
        format!(
            "{} repeats answered alike; of {} in another region {} too, the others unknown there, none decided again",
            repeats.same, repeats.elsewhere, repeats.told
        ),
    ));
    checks.push(check(
        "one-posting",
        repeats.deposits > 0 && findings.accounts.count == 0,
        format!("{} deposits sent twice, each posted once", repeats.deposits),
    ));
    checks.push(check(
        "durable-ack",
        findings.answers.count == 0 && findings.compared > 0,
        format!("{} looks at wagers and accounts, {} not as answered", findings.compared, findings.answers.count),
    ));
    checks.push(check(
        "settle-once",
        findings.settlement.count == 0 && story.markets.0 > 0,
        format!("paid as the results say, {} not", findings.settlement.count),
    ));
    let balanced = findings.sums.values().all(|(_, sums)| sums.difference() == 0) && !findings.sums.is_empty();
    checks.push(check(
        "conservation",
        balanced && findings.accounts.count == 0,
        format!(
            "{} accounts in all regions as in the demo's own book, {} not",
            book.accounts.len(),
            findings.accounts.count
        ),
    ));
    checks.push(check(
        "no-overdraft",
        findings.overdrawn.count == 0,
        format!("{} below zero", findings.overdrawn.count),
    ));
    let first = story.digests.first();
    let equal = story.equal_after.is_some() && story.digests.iter().all(|digest| Some(digest) == first);
    let stopped = story.digests.iter().any(is_stopped);
    let what = if equal { "log heads, odds and ledger digests are equal" } else { "digests differ" };
    checks.push(check("convergence", equal && !stopped && story.caught_up.is_some(), what.to_owned()));
    let fed = &story.fed;
    checks.push(check(
        "feed",
        fed.refused == 0 && fed.applied > 0,
        format!("{} applied, {} refused", fed.applied, fed.refused),
    ));
    checks
}

/// What the cut was for.
fn partition(story: &Story, setting: &Setting<'_>) -> Vec<Check> {
    let book = &story.book;
    let (cut_ms, healed_ms) = (story.times.cut_ms, story.times.healed_ms);
    let fresh_ms = u64::try_from(FRESHNESS.as_millis()).unwrap_or(u64::MAX);
    let stale_from_ms = cut_ms + fresh_ms + STALE_MARGIN_MS;
    let tally = |place, from_ms, to_ms| book.tally(place, |asked| (from_ms..to_ms).contains(&asked.at_ms));
    // Where a recording has nothing on sale at its own region, no other can show anything.
    let nothing = |from_ms, to_ms| setting.is_recording && tally(FEED, from_ms, to_ms).accepted == 0;
    let check = |name, is_shown: bool, is_vacuous: bool, what: String| Check {
        name,
        kept: is_shown || is_vacuous,
        what: if is_vacuous && !is_shown { format!("{what} (the recording had nothing on sale)") } else { what },
    };
    let alone = book.tally(CUT, |asked| (cut_ms..healed_ms).contains(&asked.at_ms) && book.is_at_home(asked));
    let late = tally(CUT, stale_from_ms, healed_ms);
    let stale = late.rejected.get("odds_stale").copied().unwrap_or(0);
    let after = tally(CUT, healed_ms, u64::MAX);
    let others = (0..setting.names.len()).filter(|place| *place != CUT);
    let others: Vec<(&str, u64)> =
        others.map(|place| (name(setting, place), tally(place, cut_ms, healed_ms).accepted)).collect();
    let meanwhile: Vec<String> = others.iter().map(|(name, n)| format!("{name} {n}")).collect();
    let (cut, limit_s) = (name(setting, CUT), FRESHNESS.as_secs());
    vec![
        check(
            "local-write",
            alone.accepted > 0,
            nothing(cut_ms, cut_ms + fresh_ms),
            format!("{cut}, cut off, took {} wagers of its own accounts on odds still fresh", alone.accepted),
        ),
        check(
            "freshness",
            stale > 0 && late.accepted == 0,
            late.accepted == 0 && nothing(stale_from_ms, healed_ms),
            format!("then refused {stale} as odds_stale and took {} on odds older than {limit_s} s", late.accepted),
        ),
        check(
            "others go on",
            others.iter().all(|(_, accepted)| *accepted > 0),
            nothing(cut_ms, healed_ms),
            format!("accepted meanwhile: {}", meanwhile.join(", ")),
        ),
        check(
            "healing",
            after.accepted > 0,
            nothing(healed_ms + RECONNECT_MS, u64::MAX),
            format!("{cut} sells again: {} accepted", after.accepted),
        ),
    ]
}

/// Whether a region holds a site's stream stopped.
fn is_stopped(digest: &Value) -> bool {
    let logs = digest.get("log").and_then(Value::as_object).into_iter().flatten();
    logs.into_iter().any(|(_, log)| log.get("stopped").is_some_and(|stopped| !stopped.is_null()))
}

fn faults(story: &Story) -> Vec<String> {
    let findings = &story.findings;
    let kinds: [&Faults; 4] = [&findings.answers, &findings.settlement, &findings.accounts, &findings.overdrawn];
    let found = kinds.into_iter().flat_map(|faults| faults.first.iter().cloned());
    let refused = story.fed.first_refused.iter().map(|r| format!("line {}: {}: {}", r.line, r.code, r.detail));
    let lost =
        (story.crossings.lost > 0).then(|| format!("{} prices were not seen elsewhere in time", story.crossings.lost));
    story.book.repeats.wrong.iter().cloned().chain(found).chain(refused).chain(lost).collect()
}
