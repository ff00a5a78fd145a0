//! What a scenario file says, field by field. Its meaning is checked in `compile`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use load_engine::quantity::Time;

/// A scenario: a target, a load on it, and what has to hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioSpec {
    /// Its name in reports: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// What is done, for people.
    #[serde(default)]
    pub title: String,
    /// What reports group scenarios by: names and texts.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Where every random number comes from (1).
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// What has to hold, as expressions such as `p99(append) < 50ms`. With none, the defaults hold:
    /// `error_rate < 5%`, `mean(*) < 100ms`, `memory_peak < 500MB`
    /// and in an open model `dropped == 0`. The first and the last hold beside others too, unless there is
    /// one on the same figure of the whole run.
    #[serde(default)]
    pub thresholds: Vec<String>,
    /// Thresholds that are also judged while the load runs, and end it when they are broken.
    #[serde(default)]
    pub abort_on_fail: Vec<AbortSpec>,
    /// What the load is put on.
    pub target: TargetSpec,
    /// Who comes when.
    #[serde(default)]
    pub model: ModelSpec,
    /// Times of the load, one after the other.
    #[serde(default)]
    pub phases: Vec<PhaseSpec>,
    /// Records that users share out among themselves, each one once.
    #[serde(default)]
    pub data: Option<DataSpec>,
}

fn default_seed() -> u64 {
    1
}

/// What the load is put on. The keys besides `kind` are the target's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetSpec {
    /// Which target.
    pub kind: String,
}

/// Who comes when.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// `closed` or `open`.
    #[serde(default)]
    pub kind: ModelKind,
    /// What users are: `threads` or `tokio` (threads).
    #[serde(default)]
    pub executor: Executor,
    /// Closed, without phases: how many users.
    #[serde(default)]
    pub users: Option<u32>,
    /// Closed, without phases: how many iterations each user does.
    #[serde(default)]
    pub iterations: Option<u64>,
    /// Closed, without phases: how many iterations all users do together, in place of `iterations`. Each
    /// does as many, so that it may become a few more.
    #[serde(default)]
    pub total_iterations: Option<u64>,
    /// Closed, without phases: how long users go on, in place of `iterations`.
    #[serde(default, rename = "for")]
    pub length: Option<Time>,
    /// Closed: how long a user waits between two iterations (not at all).
    #[serde(default)]
    pub think_time: Option<ThinkSpec>,
    /// Open: how arrivals lie within the rate (uniform).
    #[serde(default)]
    pub arrivals: Option<ArrivalKind>,
    /// Open: how many may be under way at once (100).
    #[serde(default)]
    pub max_in_flight: Option<u32>,
    /// Open: how long an arrival may wait to be started before it is dropped and counted (30s).
    #[serde(default)]
    pub max_start_delay: Option<Time>,
}

/// The two kinds of models.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Users who begin the next iteration when the last one ended.
    #[default]
    Closed,
    /// Arrivals by a rate, whether or not the target keeps up.
    Open,
}

/// What users are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Executor {
    /// A thread each.
    #[default]
    Threads,
    /// Tasks on tokio's runtimes, one for each processor, which lend a thread to each iteration under
    /// way, up to 512 each. So thousands of users who think most of the time take few threads.
    Tokio,
}

/// How arrivals lie within the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ArrivalKind {
    /// Evenly.
    Uniform,
    /// At random, independently of each other.
    Poisson,
}

/// A time of the load. Other keys are the target's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseSpec {
    /// Its name, unique among the phases.
    pub name: String,
    /// How long it lasts; with `until`, at most.
    #[serde(rename = "for")]
    pub length: Time,
    /// What ends it early, as soon as it holds in this phase: `p99 < 50ms` is `p99(@ "the phase") < 50ms`.
    /// It is looked at twice a second, and the phases after it come earlier by what is left.
    #[serde(default)]
    pub until: Option<String>,
    /// Closed: how many users there are.
    #[serde(default)]
    pub users: Option<Course>,
    /// Open: arrivals a second.
    #[serde(default)]
    pub rate: Option<Course>,
    /// How often it comes, one after the other: its names then end in ` 1`, ` 2` and so on (once).
    #[serde(default)]
    pub repeat: Option<u32>,
    /// What has to hold in this phase: `p99 < 50ms` is `p99(@ "the phase") < 50ms`.
    #[serde(default)]
    pub thresholds: Vec<String>,
}

/// A threshold that ends the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AbortSpec {
    /// What has to hold.
    pub threshold: String,
    /// How long the load runs before it is judged (at once).
    #[serde(default)]
    pub after: Option<Time>,
}

/// A file of records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// A `.csv` file with a line of names first, or a `.jsonl` file; relative to the scenario's.
    pub file: PathBuf,
}

/// A number over the time of a phase: one number, or `{ from = …, to = …, steps = … }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Course {
    /// At the phase's beginning.
    pub from: f64,
    /// At its end.
    pub to: f64,
    /// In how many equal steps it changes; steadily if it doesn't say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
}

/// Think time: `"10ms"`, `{ from = "5ms", to = "15ms" }` or `{ exponential = "10ms" }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ThinkSpec {
    /// Always as long.
    Constant(Time),
    /// Any time between two.
    Uniform {
        /// The shortest.
        from: Time,
        /// The longest.
        to: Time,
    },
    /// Exponentially distributed.
    Exponential {
        /// About this mean.
        exponential: Time,
    },
}

impl<'de> Deserialize<'de> for Course {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Change {
            from: f64,
            to: f64,
            steps: Option<u32>,
        }
        struct NumberOrChange;
        impl<'de> Visitor<'de> for NumberOrChange {
            type Value = Course;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or { from = 5, to = 50 }, if need be with steps = 10")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Course, E> {
                self.visit_f64(number as f64)
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Course, E> {
                Ok(Course {
                    from: number,
                    to: number,
                    steps: None,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Course, A::Error> {
                let Change { from, to, steps } =
                    Change::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Course { from, to, steps })
            }
        }
        from.deserialize_any(NumberOrChange)
    }
}

impl<'de> Deserialize<'de> for ThinkSpec {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Drawn {
            from: Option<Time>,
            to: Option<Time>,
            exponential: Option<Time>,
        }
        struct TimeOrDrawn;
        impl<'de> Visitor<'de> for TimeOrDrawn {
            type Value = ThinkSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a time, { from = \"5ms\", to = \"15ms\" } or { exponential = \"10ms\" }",
                )
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ThinkSpec, E> {
                text.parse().map(ThinkSpec::Constant).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ThinkSpec, A::Error> {
                let drawn = Drawn::deserialize(MapAccessDeserializer::new(map))?;
                match (drawn.from, drawn.to, drawn.exponential) {
                    (Some(from), Some(to), None) => Ok(ThinkSpec::Uniform { from, to }),
                    (None, None, Some(exponential)) => Ok(ThinkSpec::Exponential { exponential }),
                    _ => Err(de::Error::custom(
                        "a think time has either `from` and `to`, or `exponential`",
                    )),
                }
            }
        }
        from.deserialize_any(TimeOrDrawn)
    }
}

impl JsonSchema for Course {
    fn schema_name() -> Cow<'static, str> {
        "Course".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number over the time of a phase.",
            "oneOf": [
                { "type": "number", "minimum": 0 },
                {
                    "type": "object",
                    "properties": {
                        "from": { "type": "number", "minimum": 0 },
                        "to": { "type": "number", "minimum": 0 },
                        "steps": { "type": "integer", "minimum": 1 },
                    },
                    "required": ["from", "to"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}

impl JsonSchema for ThinkSpec {
    fn schema_name() -> Cow<'static, str> {
        "ThinkTime".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let time = generator.subschema_for::<Time>();
        json_schema!({
            "description": "How long a user waits between two iterations.",
            "oneOf": [
                time,
                {
                    "type": "object",
                    "properties": { "from": time, "to": time },
                    "required": ["from", "to"],
                    "additionalProperties": false,
                },
                {
                    "type": "object",
                    "properties": { "exponential": time },
                    "required": ["exponential"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}
