use clap::Args;
use harness::FlagThreshold;
use load_engine::Threshold;

/// Thresholds by flags, in the units of scenario files.
#[derive(Debug, Args)]
#[command(next_help_heading = "Thresholds")]
pub(crate) struct LimitArguments {
    /// Most failed operations in a scenario, such as 5% [default: 5%]
    #[arg(long, value_name = "SHARE", value_parser = error_rate, allow_negative_numbers = true)]
    max_error_rate: Option<Limit>,
    /// Longest mean latency of a step, such as 100ms [default: 100ms]
    #[arg(long, value_name = "TIME", value_parser = mean_latency, allow_negative_numbers = true)]
    max_mean_latency: Option<Limit>,
    /// Most resident memory in a scenario, such as 500MB [default: 500MB]
    #[arg(long, value_name = "SIZE", value_parser = memory, allow_negative_numbers = true)]
    max_memory: Option<Limit>,
    /// Failed operations over all scenarios from which advice is given, such as 1%
    /// [default: 1%]
    #[arg(long, value_name = "SHARE", value_parser = error_rate, allow_negative_numbers = true)]
    advise_error_rate: Option<Limit>,
    /// Resident memory from which advice is given, such as 1GB [default: 1000MB]
    #[arg(long, value_name = "SIZE", value_parser = memory, allow_negative_numbers = true)]
    advise_memory: Option<Limit>,
}

/// A threshold and the value as it was given.
#[derive(Debug, Clone)]
struct Limit {
    value: String,
    threshold: Threshold,
}

impl LimitArguments {
    /// The thresholds of each scenario that are given.
    pub(crate) fn thresholds(&self) -> Vec<FlagThreshold> {
        given(&[
            ("max-error-rate", &self.max_error_rate),
            ("max-mean-latency", &self.max_mean_latency),
            ("max-memory", &self.max_memory),
        ])
    }

    /// The thresholds over all scenarios together that are given.
    pub(crate) fn advised(&self) -> Vec<FlagThreshold> {
        given(&[
            ("advise-error-rate", &self.advise_error_rate),
            ("advise-memory", &self.advise_memory),
        ])
    }
}

fn given(flags: &[(&str, &Option<Limit>)]) -> Vec<FlagThreshold> {
    let given = flags.iter().filter_map(|(name, limit)| {
        let Limit { value, threshold } = limit.as_ref()?;
        Some(FlagThreshold {
            flag: format!("--{name} {value}"),
            threshold: threshold.clone(),
        })
    });
    given.collect()
}

fn error_rate(value: &str) -> Result<Limit, String> {
    limit("error_rate", value, "5%")
}

fn mean_latency(value: &str) -> Result<Limit, String> {
    limit("mean(*)", value, "100ms")
}

fn memory(value: &str) -> Result<Limit, String> {
    limit("memory_peak", value, "500MB")
}

fn limit(figure: &str, value: &str, such_as: &str) -> Result<Limit, String> {
    let threshold = format!("{figure} <= {value}").parse();
    Ok(Limit {
        value: value.to_owned(),
        threshold: threshold.map_err(|error: load_engine::RunError| match error {
            load_engine::RunError::Threshold { problem, .. } => {
                format!("expected a value such as {such_as}: {problem}")
            }
            other => other.to_string(),
        })?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_has_the_units_of_a_file() {
        let text = |limit: Result<Limit, String>| limit.map(|limit| limit.threshold.to_string());
        for value in ["0.5%", "7%"] {
            assert_eq!(
                text(error_rate(value)),
                Ok(format!("error_rate <= {value}"))
            );
        }
        // As in a file, a number below 1 is a share: this is 5 %.
        assert_eq!(
            text(error_rate("0.05")),
            Ok("error_rate <= 0.05".to_owned())
        );
        assert_eq!(text(mean_latency("1.5s")), Ok("mean(*) <= 1.5s".to_owned()));
        assert_eq!(text(memory("64MiB")), Ok("memory_peak <= 64MiB".to_owned()));
        for (refused, problem) in [
            (error_rate("7"), "did you mean 7 %?"),
            (error_rate("150%"), "100 %"),
            (error_rate("-1%"), ""),
            (error_rate("many"), "a number is missing"),
            (mean_latency("20"), "needs a unit"),
        ] {
            let told = text(refused).unwrap_err();
            assert!(told.starts_with("expected a value such as "), "{told}");
            assert!(told.contains(problem), "{told}");
        }
    }
}
