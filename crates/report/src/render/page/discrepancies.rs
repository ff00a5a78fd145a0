use load_engine::{Discrepancy, Expectation};

use super::{Cell, Discrepancies, Table};
use crate::ScenarioResult;
use crate::units::count;

pub(super) fn discrepancies(result: &ScenarioResult) -> Option<Discrepancies> {
    let found = &result.verification;
    if found.discrepancies.is_empty() {
        return None;
    }
    let heading = format!(
        "The first {} of {} discrepancies",
        found.discrepancies.len(),
        count(found.discrepancy_count())
    );
    let columns = ["effect", "defect", "expected", "found", "user"];
    let mut table =
        Table::new(heading.clone(), &columns).with_text(&["defect", "expected", "found"]);
    table.rows = found.discrepancies.iter().map(row).collect();
    Some(Discrepancies {
        heading,
        table,
        file: result.discrepancies_file.clone(),
        data: result.data_kept_in.clone(),
    })
}

fn row(item: &Discrepancy) -> Vec<Cell> {
    let expected = match &item.expected {
        Expectation::Present(digest) => digest.to_string(),
        Expectation::Absent => "removed".to_owned(),
        Expectation::NeverAcknowledged => "nothing".to_owned(),
        Expectation::Refused(reason) => format!("nothing, refused: {reason}"),
        Expectation::Value(value) => value.clone(),
    };
    let digest = item.found.map(|digest| digest.to_string());
    let found = item.value.clone().or(digest);
    vec![
        Cell::text(format!("{} {}", item.kind, item.key)),
        Cell::text(item.defect.name()),
        Cell::text(expected),
        Cell::text(found.unwrap_or_else(|| "nothing".to_owned())),
        item.user.map_or_else(Cell::missing, |user| {
            Cell::number(user.to_string(), f64::from(user))
        }),
    ]
}
