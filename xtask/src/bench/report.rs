//! The table and the file.

use std::fs;
use std::path::PathBuf;

use comfy_table::{CellAlignment, Table, presets};

use super::measure::Row;

/// For people.
pub(super) fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "backend",
        "scenario",
        "connections",
        "calls/s",
        "limit/s",
        "ratio",
        "spread",
        "p50 µs",
        "p99 µs",
        "messages/call",
    ]);
    let maybe = |number: Option<f64>, digits: usize| {
        number.map_or("–".to_owned(), |number| format!("{number:.digits$}"))
    };
    for row in rows {
        table.add_row([
            row.backend.to_owned(),
            row.scenario.clone(),
            row.connections.to_string(),
            format!("{:.0}", row.calls_per_s),
            maybe(row.limit_per_s, 0),
            maybe(row.ratio, 2),
            format!("{:.0} %", row.spread * 100.0),
            row.p50_us.to_string(),
            row.p99_us.to_string(),
            maybe(row.messages_per_call, 2),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// For programs: where it is.
pub(super) fn write(rows: &[Row]) -> std::io::Result<PathBuf> {
    let directory = PathBuf::from("target/bench");
    fs::create_dir_all(&directory)?;
    let file = directory.join("report.json");
    fs::write(&file, serde_json::to_vec_pretty(rows)?)?;
    Ok(file)
}
