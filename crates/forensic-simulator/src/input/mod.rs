//! From the bytes of a file to text and JSON of which nothing was lost.

pub(crate) mod decode;
pub(crate) mod json;
