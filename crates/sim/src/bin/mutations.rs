//! Plants every forbidden shortcut, one after the other, and prints which promise caught it. `make mutations` runs it.
//! Fails when one survives. Knows no world; it hunts, times and prints.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use sim::mutations::{MUTATIONS, NOT_YET};

fn main() -> io::Result<ExitCode> {
    // An assertion that stops a planted bug is no news; the table says what caught it in the end.
    std::panic::set_hook(Box::new(|_| {}));
    let mut out = io::stdout().lock();
    let mut survivors = Vec::new();
    writeln!(out, "{:<24} | {:<56} | {:<16} | {:>4} | time", "mutation", "forbidden by", "caught by", "seed")?;
    for mutation in MUTATIONS {
        #[expect(clippy::disallowed_methods, reason = "times the hunt for people; nothing is decided by it")]
        let began = Instant::now();
        let (by, seed) = match mutation.hunt() {
            Ok(caught) => (caught.by, caught.seed.to_string()),
            Err(why) => {
                survivors.push(why);
                ("SURVIVED", "-".to_owned())
            }
        };
        let (name, took) = (format!("{:?}", mutation.bug), began.elapsed().as_millis());
        writeln!(out, "{name:<24} | {:<56} | {by:<16} | {seed:>4} | {took} ms", mutation.forbidden)?;
    }
    for (name, forbidden) in NOT_YET {
        writeln!(out, "{name:<24} | {forbidden:<56} | {:<16} | {:>4} | -", "not yet", "-")?;
    }
    for why in &survivors {
        writeln!(out, "\n{why}")?;
    }
    writeln!(out, "{} of {} planted bugs were caught", MUTATIONS.len() - survivors.len(), MUTATIONS.len())?;
    Ok(if survivors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
