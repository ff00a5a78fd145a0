//! Arguments of tasks that take numbers only.

use std::ffi::OsString;

use anyhow::{Context, Result, bail};

/// Sets the numbers that are given by name, such as `--kills 50`; the others stay as they are.
///
/// # Errors
///
/// When an argument is unknown or is no number.
pub(crate) fn read(
    task: &str,
    help: &str,
    args: Vec<OsString>,
    known: &mut [(&str, &mut u64)],
) -> Result<()> {
    let mut args = args.into_iter();
    while let Some(name) = args.next() {
        let value = args
            .next()
            .with_context(|| format!("{name:?} needs a number"))?;
        let number = value.to_str().and_then(|text| text.parse().ok());
        let number = number.with_context(|| format!("{name:?} needs a number, got {value:?}"))?;
        match known.iter_mut().find(|(is, _)| name == *is) {
            Some((_, into)) => **into = number,
            None => bail!("{task} knows no argument {name:?}\n\n{help}"),
        }
    }
    Ok(())
}
