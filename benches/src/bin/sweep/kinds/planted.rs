//! Work whose growth is known, by counting: what the sweep must find, and must let pass.

use super::{Kind, Measure};
use crate::fit::Expected;

const COUNT: (&str, f64) = ("steps", 1.0);

pub(super) const KIND: Kind = Kind {
    name: "planted",
    varied: "items",
    sizes: &[100, 200, 500, 1_000, 2_000],
    measures: &[
        Measure::new("look up", COUNT, Expected::Flat),
        Measure::new("pairs of all", COUNT, Expected::Linear),
        Measure::new("all once", COUNT, Expected::Linear),
    ],
    measure: |_, size| {
        let items: Vec<u64> = (0..size).collect();
        let mut pairs = 0_u64;
        for one in &items {
            pairs += items.iter().filter(|other| *other != one).count() as u64;
        }
        let steps_of_search =
            1 + items.binary_search(&(size / 3)).map_err(|_| "lost")? as u64 / size;
        Ok(vec![
            steps_of_search as f64,
            pairs as f64,
            items.len() as f64,
        ])
    },
    planted: true,
};
