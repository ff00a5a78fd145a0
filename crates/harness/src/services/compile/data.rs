//! Records of `[data]`: the names that steps have for their fields.

use drivers::{JsonPath, Reach, Scope};

use super::super::program::Fields;
use super::super::spec::StepSpec;
use super::context::File;
use super::places::placed;
use crate::targets::DataFeed;
use crate::{KeyPath, SpecError};

/// Defines the fields for steps that name some; nothing for others, which take no record then.
pub(super) fn define(
    file: &File,
    steps: &[StepSpec],
    reach: Reach,
    scope: &mut Scope,
) -> Result<Fields, SpecError> {
    let Some(path) = &file.load.data else {
        return Ok(Fields::default());
    };
    // Wherever in a step a placeholder stands, it is in what the step says.
    let names_data = |step: &StepSpec| format!("{step:?}").contains("${data.");
    if !steps.iter().any(names_data) {
        return Ok(Fields::default());
    }
    let at = KeyPath::to("data").then("file");
    let names = DataFeed::fields(path).map_err(|problem| SpecError::new(at.clone(), problem))?;
    let slots = scope.define_data(names.iter().map(String::as_str), reach);
    let field = |(name, slot): (&String, _)| {
        let quoted = name.replace('\\', "\\\\").replace('\'', "\\'");
        let path =
            JsonPath::parse(&format!("$['{quoted}']")).map_err(|error| placed(&at, error))?;
        Ok((path, slot))
    };
    names.iter().zip(slots).map(field).collect()
}
