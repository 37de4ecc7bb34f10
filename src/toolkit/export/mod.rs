//! `incident export`: the samples of a frame as regression cases for the tools that run them. One file a format, all
//! the same shape: cases in, one text out. A failing sample's answer is what a case must not get again, so it stands
//! in metadata and is never given as the ideal.

mod case;
mod check;
mod deepeval;
mod langfuse;
mod langsmith;
mod openai;
mod otlp;
mod phoenix;
mod promptfoo;
mod ragas;
#[cfg(test)]
mod tests;

use serde_json::Value as Json;

use crate::toolkit::text::{json_line, write_json};

pub use case::{Case, Cases, of};
pub use check::Check;

/// What a format may be told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// The provider promptfoo asks, in promptfoo's words.
    pub provider: Option<&'a str>,
}

/// One format.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// As `--format` names it.
    pub name: &'static str,
    /// How the names of its files end.
    pub extension: &'static str,
    render: fn(&[Case], &Options<'_>) -> Result<Json, String>,
}

/// The formats of `incident export`.
pub const FORMATS: [Format; 8] = [
    Format { name: "promptfoo", extension: "json", render: promptfoo::render },
    Format { name: "openai-jsonl", extension: "jsonl", render: openai::render },
    Format { name: "langfuse", extension: "json", render: langfuse::render },
    Format { name: "langsmith", extension: "json", render: langsmith::render },
    Format { name: "phoenix", extension: "json", render: phoenix::render },
    Format { name: "deepeval", extension: "json", render: deepeval::render },
    Format { name: "ragas", extension: "jsonl", render: ragas::render },
    Format { name: "otlp", extension: "json", render: otlp::render },
];

impl Format {
    /// The format of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|it| it.name == name)
    }

    /// The text of a file with these cases: one JSON document, or one a line where the format is JSONL.
    ///
    /// # Errors
    /// A sentence, when the samples lack what the format can't do without.
    pub fn write(&self, cases: &[Case], options: &Options<'_>) -> Result<String, String> {
        let document = (self.render)(cases, options)?;
        if let Json::Array(lines) = &document
            && self.extension == "jsonl"
        {
            return Ok(lines.iter().map(|it| json_line(it) + "\n").collect());
        }
        let mut text = Vec::new();
        write_json(&mut text, &document).map_err(|error| error.to_string())?;
        String::from_utf8(text).map(|text| text + "\n").map_err(|error| error.to_string())
    }
}
