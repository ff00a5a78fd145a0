//! Statements with placeholders, which become the parameters `$1`, `$2`, ….

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

use crate::driver::Purpose;
use crate::error::SpecError;
use crate::guard;
use crate::outcome::Failure;
use crate::template::parse::{Piece, parse};
use crate::template::{Encoding, Template};
use crate::values::{Scope, Traits, Value, Values};

/// A statement with its parameters.
#[derive(Debug)]
pub(super) struct Statement {
    /// Where connections keep what they prepared of it.
    pub(super) number: usize,
    pub(super) text: String,
    pub(super) parameters: Box<[Template]>,
}

impl Statement {
    /// Numbers the placeholders of a statement. The guard is asked.
    pub(super) fn parse(
        text: &str,
        purpose: Purpose,
        number: usize,
        scope: &mut Scope,
    ) -> Result<Self, SpecError> {
        let mut sql = String::new();
        let mut parameters = Vec::new();
        // Where each placeholder ended up, to find the way back.
        let mut moved = Vec::new();
        for piece in &parse(text)? {
            match piece {
                Piece::Literal(range) => sql.push_str(&text[range.clone()]),
                Piece::Placeholder(placeholder) => {
                    moved.push((sql.len(), placeholder.at.clone()));
                    let piece = std::slice::from_ref(piece);
                    parameters.push(Template::of_pieces(text, piece, scope, |_| Encoding::Text)?);
                    sql.push_str(&format!("${}", parameters.len()));
                }
            }
        }
        for (at, placeholder) in &moved {
            if guard::is_quoted(&sql, *at) {
                let told = "a placeholder inside quotes would be text, not a parameter: write \
                            ${run} || '-%'";
                return Err(SpecError::new(placeholder.start, told));
            }
        }
        let back = |mut error: SpecError| {
            let before = moved.iter().enumerate().rev();
            let mut before = before.filter(|(_, (at, _))| *at < error.inside);
            if let Some((index, (at, placeholder))) = before.next() {
                let written = 1 + (index + 1).to_string().len();
                error.inside = placeholder.end + (error.inside - at).saturating_sub(written);
            }
            error
        };
        match purpose {
            Purpose::Flow => guard::check_sql(&sql).map_err(back)?,
            Purpose::Read => guard::check_sql_read(&sql).map_err(back)?,
            Purpose::SetUp => {}
        }
        Ok(Self {
            number,
            text: sql,
            parameters: parameters.into(),
        })
    }

    pub(super) fn traits(&self) -> Traits {
        let traits = self.parameters.iter().map(Template::traits);
        traits.fold(Traits::default(), |all, one| all | one)
    }

    /// The values of the parameters.
    pub(super) fn fill(&self, values: &Values) -> Result<Vec<Parameter>, Failure> {
        let fill = |template: &Template| {
            let single = template.single().and_then(|slot| values.get(slot));
            if single == Some(Value::Null) {
                return Ok(Parameter(None));
            }
            let mut text = Vec::new();
            template.render(values, &mut text)?;
            Ok(Parameter(Some(text)))
        };
        self.parameters.iter().map(fill).collect()
    }

    /// The statement with the values of its parameters behind it.
    pub(super) fn show(&self, values: &Values) -> Result<String, Failure> {
        let mut shown = self.text.trim().to_owned();
        for (number, parameter) in (1..).zip(self.fill(values)?) {
            let value = match parameter.0 {
                None => "null".to_owned(),
                Some(text) => String::from_utf8_lossy(&text).into_owned(),
            };
            shown.push_str(&format!("\n  -- ${number} = {value}"));
        }
        Ok(shown)
    }
}

/// A value as PostgreSQL reads it from text, whatever its type.
#[derive(Debug)]
pub(super) struct Parameter(Option<Vec<u8>>);

impl ToSql for Parameter {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(text) = &self.0 else {
            return Ok(IsNull::Yes);
        };
        out.extend_from_slice(text);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{Constants, Reach, Slot};

    fn parsed(text: &str, purpose: Purpose) -> Result<Statement, SpecError> {
        let mut scope = Scope::new(Constants::new("k3v9q2xz"));
        scope.define("n", Reach::Iteration, Traits::default())?;
        Statement::parse(text, purpose, 0, &mut scope)
    }

    #[test]
    fn placeholders_are_parameters() {
        let text = "insert into a values (${id}, 'it''s', ${run})";
        let statement = parsed(text, Purpose::Flow).unwrap();
        assert_eq!(statement.text, "insert into a values ($1, 'it''s', $2)");
        let mut values = Values::default();
        values.set(Slot::ID, Value::Text(b"'; drop table a"));
        let shown = statement.show(&values).unwrap();
        let behind = "\n  -- $1 = '; drop table a\n  -- $2 = k3v9q2xz";
        assert_eq!(shown, format!("{}{behind}", statement.text));
        values.set(Slot::ID, Value::Null);
        assert!(statement.fill(&values).unwrap()[0].0.is_none());
    }

    #[test]
    fn mistakes_are_told_where_they_stand_in_the_file() {
        let told = |text: &str, purpose| {
            let error = parsed(text, purpose).unwrap_err();
            format!("{}: {}", error.inside, error.problem)
        };
        assert_eq!(
            told("select * from a where b like '${run}-%'", Purpose::Flow),
            "30: a placeholder inside quotes would be text, not a parameter: write ${run} || '-%'"
        );
        assert_eq!(
            told("select ${id}; delete from a", Purpose::Flow),
            "14: a DELETE without WHERE empties the table: it may stand in [[setup]] only"
        );
        assert_eq!(
            told("insert into a values (1)", Purpose::Read),
            "0: a `read` must not write, and INSERT may: take SELECT, WITH, VALUES or TABLE"
        );
        assert!(parsed("drop table a", Purpose::SetUp).is_ok());
    }
}
