//! Figures beside their aims, as an aligned table, as Markdown for the README, and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// A figure beside its aim.
pub(crate) struct Row {
    /// What was measured.
    pub(crate) figure: String,
    /// With its unit.
    pub(crate) measured: String,
    /// The aim of DESIGN.md section 10, with its unit.
    pub(crate) aim: String,
    /// How much of the aim was reached; 1 or more: reached.
    pub(crate) ratio: f64,
    /// What belongs to it.
    pub(crate) note: String,
    /// The bare numbers.
    pub(crate) values: Value,
}

/// A number with commas between thousands.
pub(crate) fn commas(n: f64) -> String {
    let digits = format!("{:.0}", n.max(0.0));
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// For people, aligned.
pub(crate) fn aligned(rows: &[Row]) -> Result<String, std::fmt::Error> {
    let width = |cell: fn(&Row) -> &str, head: &str| {
        rows.iter().map(|row| cell(row).chars().count()).chain([head.len()]).max().unwrap_or(0)
    };
    let (figure, measured) = (width(|r| &r.figure, "figure"), width(|r| &r.measured, "measured"));
    let aim = width(|r| &r.aim, "aim");
    let mut out = String::new();
    writeln!(out, "{:<figure$}  {:>measured$}  {:>aim$}  of aim", "figure", "measured", "aim")?;
    for row in rows {
        writeln!(out, "{:<figure$}  {:>measured$}  {:>aim$}  {:>6.2}", row.figure, row.measured, row.aim, row.ratio)?;
        writeln!(out, "    {}", row.note)?;
    }
    Ok(out)
}

/// For the README.
pub(crate) fn markdown(rows: &[Row]) -> Result<String, std::fmt::Error> {
    let mut out = String::from("| figure | measured | aim | of aim | |\n|---|---:|---:|---:|---|\n");
    for row in rows {
        writeln!(out, "| {} | {} | {} | {:.2} | {} |", row.figure, row.measured, row.aim, row.ratio, row.note)?;
    }
    Ok(out)
}

/// For machines.
pub(crate) fn json(rows: &[Row], machine: &Value) -> Value {
    let row = |row: &Row| json!({"figure": row.figure, "of_aim": row.ratio, "note": row.note, "values": row.values});
    json!({"machine": machine, "figures": rows.iter().map(row).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0.0, 7.4, 999.0, 1_000.0, 1_234_567.0].map(super::commas), ["0", "7", "999", "1,000", "1,234,567"]);
    }
}
