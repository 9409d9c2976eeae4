//! Runs many seeds, one after the other, and stops at the first broken promise. `make soak` runs it.
//! Knows no world; it counts and prints.

use std::io::{self, Write as _};
use std::process::ExitCode;

use sim::run_seed;

/// What to run.
struct Args {
    seeds: u64,
    from: u64,
}

fn args() -> Result<Args, String> {
    let mut args = Args { seeds: 100, from: 0 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let number = words.next().and_then(|n| n.parse::<u64>().ok());
        let number = number.ok_or_else(|| format!("{word} wants a number"))?;
        match word.as_str() {
            "--seeds" => args.seeds = number,
            "--from" => args.from = number,
            "--seed" => args = Args { seeds: 1, from: number },
            other => return Err(format!("unknown argument {other}; use --seeds n --from seed, or --seed n")),
        }
    }
    Ok(args)
}

fn main() -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let args = match args() {
        Ok(args) => args,
        Err(why) => {
            writeln!(io::stderr(), "soak: {why}")?;
            return Ok(ExitCode::from(2));
        }
    };
    for seed in args.from..args.from.saturating_add(args.seeds) {
        match run_seed(seed) {
            Ok(report) => writeln!(out, "seed {seed} held: {report}")?,
            Err(failure) => {
                writeln!(out, "{failure}")?;
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    writeln!(out, "{} seeds held, from {}", args.seeds, args.from)?;
    Ok(ExitCode::SUCCESS)
}
