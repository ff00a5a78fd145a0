use crate::Schema;

/// The text of the schemas that [`SimulatorBuilder::builtins`](crate::SimulatorBuilder::builtins)
/// adds, also an example of how to write one.
pub const BUILTIN_SCHEMAS: &str = include_str!("builtin.toml");

pub(crate) fn schemas() -> Vec<Schema> {
    // A test parses it too, so a build that passed its tests cannot fail here.
    Schema::parse(BUILTIN_SCHEMAS).expect("the built-in schemas are valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builtin_schemas_are_valid_and_each_says_what_it_does() {
        for schema in schemas() {
            assert!(!schema.summary().is_empty(), "{}", schema.pattern());
        }
    }
}
