//! Bodies of `multipart/form-data` (RFC 7578).

use std::collections::BTreeMap;
use std::path::Path;

use super::options::PartSpec;
use crate::error::SpecError;
use crate::template::{Encoding, Template};
use crate::values::{Random, Scope};

/// What separates the parts: of the run, so that no text that is sent over and over holds it.
pub(super) fn boundary(run: &str) -> String {
    let parts: Vec<u64> = run.bytes().map(u64::from).collect();
    let mut random = Random::of(&parts);
    format!("proofload-{:016x}{:016x}", random.bits(), random.bits())
}

/// The body. Files are read now, since they are the same in every request.
pub(super) fn body(
    parts: &BTreeMap<String, PartSpec>,
    boundary: &str,
    folder: &Path,
    scope: &mut Scope,
) -> Result<Template, SpecError> {
    let mut written = Vec::new();
    for (name, part) in parts {
        let (head, content) = match part {
            PartSpec::Text(text) => {
                let content = Template::parsed(text, scope, Encoding::Bytes)
                    .map_err(|error| error.under(&**name))?;
                (String::new(), content)
            }
            PartSpec::File { file } => file_part(file, folder, scope)
                .map_err(|error| error.under("file").under(&**name))?,
        };
        let name = quoted(name);
        written.push(Template::constant_text(&format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"{head}\r\n\r\n"
        )));
        written.push(content);
        written.push(Template::literal(b"\r\n"));
    }
    written.push(Template::constant_text(&format!("--{boundary}--\r\n")));
    Ok(Template::concat(&written.iter().collect::<Vec<_>>()))
}

fn file_part(
    file: &str,
    folder: &Path,
    scope: &mut Scope,
) -> Result<(String, Template), SpecError> {
    let path = folder.join(Template::constant(file, scope)?);
    let content = std::fs::read(&path)
        .map_err(|error| SpecError::new(0, format!("cannot read `{file}`: {error}")))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let head = format!(
        "; filename=\"{}\"\r\ncontent-type: application/octet-stream",
        quoted(&name)
    );
    Ok((head, Template::literal(&content)))
}

/// A name inside quotes, as the HTML standard writes it.
fn quoted(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}
