//! The table of what others take for the same work.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{list, number, short, text};

/// In the order of the table; the log has a form of its own.
const COMPARISONS: [&str; 5] = ["policy", "cache", "engine", "similarity", "text"];

/// The setting of the log that is shown: the most threads, and the longest sync.
const THREADS: u64 = 100;
const SYNC_MS: u64 = 5;

/// Gets each comparison's results by its name.
pub(super) fn table(read: impl Fn(&str) -> Result<Value>) -> Result<String> {
    let mut table = String::from(
        "| work | Proofload | time relative to Proofload (> 1 is slower) | share of the limit |\n| --- | ---: | --- | ---: |\n",
    );
    let log = read("log")?;
    table.push_str(&of_log(&log).context("in the results of log")?);
    for name in COMPARISONS {
        let comparison = read(name)?;
        for setting in list(&comparison, "/settings")? {
            let row = of_setting(name, setting);
            table.push_str(&row.with_context(|| format!("in the results of {name}"))?);
        }
    }
    Ok(table)
}

fn of_setting(comparison: &str, setting: &Value) -> Result<String> {
    let rows = list(setting, "/rows")?;
    let is = |role: &'static str| move |row: &&Value| row["role"] == role;
    let ours = rows.iter().find(is("ours")).context("no row is ours")?;
    let mut others = Vec::new();
    for row in rows.iter().filter(is("peer")) {
        let times = ratio(&row["ours_is_times"])?;
        others.push(format!("{}{} {times}", text(row, "/side")?, quality(row)));
    }
    Ok(row(
        &format!("{comparison}: {}", text(setting, "/name")?),
        &format!(
            "{} ns{}",
            short(number(ours, "/nanos_each/median")?),
            quality(ours)
        ),
        &others,
        ours.pointer("/of_limit/median").and_then(Value::as_f64),
    ))
}

/// Of an answer that may be less than perfect.
fn quality(row: &Value) -> String {
    let quality = row.pointer("/quality/median").and_then(Value::as_f64);
    quality.map_or(String::new(), |it| format!(" ({:.1} %)", it * 100.0))
}

fn of_log(log: &Value) -> Result<String> {
    let shown = |row: &&Value| {
        let limit = row.get("share_of_limit").is_some_and(Value::is_number);
        limit && row["threads"] == THREADS && row["sync_ms"] == SYNC_MS
    };
    let rows: Vec<&Value> = list(log, "/rows")?.iter().filter(shown).collect();
    let (ours, peers) = rows
        .split_first()
        .with_context(|| format!("no figures of {THREADS} threads and a sync of {SYNC_MS} ms"))?;
    let mut others = Vec::new();
    for peer in peers {
        let times = ratio(&peer["first_peer_is_times"])?;
        others.push(format!("{} {times}", text(peer, "/peer")?));
    }
    Ok(row(
        &format!("log: durable appends, {THREADS} threads, a sync of {SYNC_MS} ms"),
        &format!("{} records/s", short(number(ours, "/records_per_second")?)),
        &others,
        Some(number(ours, "/share_of_limit")?),
    ))
}

fn row(work: &str, ours: &str, others: &[String], limit: Option<f64>) -> String {
    let limit = limit.map_or("–".to_owned(), |share| format!("{:.0} %", share * 100.0));
    let mut row = String::new();
    let _ = writeln!(row, "| {work} | {ours} | {} | {limit} |", others.join("; "));
    row
}

fn ratio(spread: &Value) -> Result<String> {
    let [low, median, high] = ["/lowest", "/median", "/highest"].map(|it| number(spread, it));
    let (low, median, high) = (short(low?), short(median?), short(high?));
    Ok(format!("**{median}** ({low} – {high})"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spread(median: f64) -> Value {
        json!({ "lowest": median - 1.0, "median": median, "highest": median + 1.0 })
    }

    #[test]
    fn a_setting_is_a_row_with_ratios_quality_and_the_limit() {
        let setting = json!({ "name": "1 thread", "rows": [
            { "side": "ours", "role": "ours", "nanos_each": spread(120.0), "quality": spread(0.5),
              "of_limit": spread(0.25) },
            { "side": "theirs", "role": "peer", "nanos_each": spread(240.0), "quality": spread(0.75),
              "ours_is_times": spread(2.0) },
            { "side": "reading", "role": "limit", "nanos_each": spread(30.0) },
        ] });
        assert_eq!(
            of_setting("cache", &setting).unwrap(),
            "| cache: 1 thread | 120 ns (50.0 %) | theirs (75.0 %) **2.00** (1.00 – 3.00) | 25 % |\n"
        );
    }

    #[test]
    fn of_the_log_the_setting_with_most_threads_is_shown() {
        let row = |peer: &str, threads: u64, limit: Value| {
            json!({ "peer": peer, "threads": threads, "sync_ms": 5, "records_per_second": 17_608.2,
                    "share_of_limit": limit, "first_peer_is_times": spread(2.0) })
        };
        let log = json!({ "rows": [
            row("ours", 1, json!(0.9)),
            row("ours", 100, json!(0.88)),
            row("theirs", 100, json!(0.44)),
            row("batches", 100, Value::Null),
        ] });
        assert_eq!(
            of_log(&log).unwrap(),
            "| log: durable appends, 100 threads, a sync of 5 ms | 17,608 records/s | theirs **2.00** (1.00 – 3.00) | 88 % |\n"
        );
        assert!(of_log(&json!({ "rows": [] })).is_err());
    }
}
