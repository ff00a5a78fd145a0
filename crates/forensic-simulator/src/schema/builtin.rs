use std::sync::Arc;

use crate::run::simulator::SimulatorBuilder;
use crate::schema::Schema;

/// The text of the schemas that [`SimulatorBuilder::builtins`](crate::SimulatorBuilder::builtins)
/// adds, also an example of how to write one.
pub const BUILTIN_SCHEMAS: &str = include_str!("builtin.toml");

fn schemas() -> Vec<Schema> {
    // A test parses it too, so a build that passed its tests cannot fail here.
    Schema::parse(BUILTIN_SCHEMAS).expect("the built-in schemas are valid")
}

impl SimulatorBuilder {
    /// Adds schemas, each under its own path pattern.
    #[must_use]
    pub fn schemas(mut self, schemas: impl IntoIterator<Item = Schema>) -> Self {
        for schema in schemas {
            let pattern = schema.pattern().clone();
            self.handlers.push((pattern, Arc::new(schema)));
        }
        self
    }

    /// Adds the [built-in schemas](crate::BUILTIN_SCHEMAS).
    #[must_use]
    pub fn builtins(self) -> Self {
        self.schemas(schemas())
    }
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
