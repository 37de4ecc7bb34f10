//! The commands.

pub mod print_config;
pub mod validate;

/// How a command prints data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// One document with stable keys.
    Json,
    /// For tickets and pages.
    Markdown,
}
