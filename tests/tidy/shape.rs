//! Files and functions stay small, open with what they own, and carry names that own something.

use super::{name, none, read, tracked};

/// Production lines of a file.
const FILE_LINES_MAX: usize = 600;
/// Lines of a function.
const FUNCTION_LINES_MAX: usize = 70;

fn production(text: &str) -> &str {
    text.split("\nmod tests {").next().unwrap_or(text)
}

#[test]
fn every_file_opens_with_what_it_owns() {
    let missing = tracked(".rs").into_iter().filter(|f| !read(f).starts_with("//!")).map(|f| name(&f)).collect();
    none("files that do not open with //!", missing);
}

#[test]
fn files_are_small() {
    let long = tracked(".rs").into_iter().filter_map(|f| {
        let lines = production(&read(&f)).lines().count();
        (lines > FILE_LINES_MAX).then(|| format!("{}: {lines} lines", name(&f)))
    });
    none("files longer than 600 lines", long.collect());
}

#[test]
fn functions_are_small() {
    let mut findings = Vec::new();
    let mut functions = 0;
    for file in tracked(".rs").iter().filter(|f| !name(f).contains("tests/")) {
        for (line, length) in function_lengths(production(&read(file))) {
            functions += 1;
            if length > FUNCTION_LINES_MAX {
                findings.push(format!("{}:{line}: {length} lines", name(file)));
            }
        }
    }
    assert!(functions > 300, "only {functions} functions were found");
    none("functions longer than 70 lines", findings);
}

/// (first line, length) of every function, by its indentation: rustfmt closes a body at the column of its `fn`.
fn function_lengths(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let body = line.trim_start();
        let words: Vec<&str> = body.split_whitespace().take_while(|w| *w != "fn").collect();
        let prefix = words.iter().all(|w| ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe"].contains(w));
        if !prefix || !body.split_whitespace().any(|w| w == "fn") || body.starts_with("//") {
            continue;
        }
        let close = format!("{}}}", &line[..line.len() - body.len()]);
        let end = lines.iter().enumerate().skip(start).find(|(_, l)| **l == close).map(|(n, _)| n);
        if let Some(end) = end {
            found.push((start + 1, end - start + 1));
        }
    }
    found
}

#[test]
fn names_own_something() {
    let empty = ["utils", "util", "helpers", "helper", "common", "misc", "manager"];
    let bad = tracked(".rs")
        .into_iter()
        .map(|f| name(&f))
        .filter(|path| path.split('/').any(|part| empty.contains(&part.trim_end_matches(".rs"))));
    none("names that own nothing", bad.collect());
}

#[test]
fn nothing_is_left_undone() {
    let words = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X"].concat(), ["#[ign", "ore"].concat()];
    let mut findings = Vec::new();
    for file in tracked(".rs") {
        for (number, line) in read(&file).lines().enumerate() {
            if words.iter().any(|w| line.contains(w.as_str())) {
                findings.push(format!("{}:{}", name(&file), number + 1));
            }
        }
    }
    none("left undone", findings);
}

#[test]
fn markdown_has_one_title() {
    let findings = tracked(".md").into_iter().filter_map(|f| {
        let text = read(&f);
        let mut fenced = false;
        let titles = text.lines().filter(|line| {
            fenced ^= line.starts_with("```");
            !fenced && line.starts_with("# ")
        });
        let titles = titles.count();
        (titles != 1).then(|| format!("{}: {titles} titles", name(&f)))
    });
    none("markdown files without exactly one title", findings.collect());
}
