//! How throughput grows with users.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::search::scalability::{ScalabilityFit, ScalePoint};

/// What a sweep over users measured, and the law that fits it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Scalability {
    /// Every measurement, in the order in which they were made.
    pub points: Vec<ScalePoint>,
    /// The Universal Scalability Law with its confidence intervals.
    pub fit: ScalabilityFit,
}

/// Measures throughput at each of these numbers of users, `repeats` times in turn, and fits the
/// Universal Scalability Law. The seed is that of the intervals.
///
/// `measure` makes a run with so many users and gives its operations a second. Rounds go through all
/// numbers rather than repeat one, so that a disturbance does not fall on one of them alone.
///
/// # Errors
///
/// Those of `measure`, and a sweep that says too little: numbers of users that are too few or too close
/// ([`check_sizes`](crate::search::check_sizes)), or one without any throughput.
pub fn scalability<E: From<RunError>>(
    users: &[u32],
    repeats: u32,
    seed: u64,
    mut measure: impl FnMut(u32) -> Result<f64, E>,
) -> Result<Scalability, E> {
    let mut points = Vec::with_capacity(users.len() * repeats as usize);
    for _ in 0..repeats.max(1) {
        for &users in users {
            let per_second = measure(users)?;
            points.push(ScalePoint { users, per_second });
        }
    }
    let fit = ScalabilityFit::new(&points, seed)?;
    Ok(Scalability { points, fit })
}
