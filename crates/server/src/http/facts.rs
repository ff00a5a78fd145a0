//! What is known of a route before it is called: by the guard, the figures and the description.

use schemars::{Schema, SchemaGenerator};

use crate::access::tokens::Role;
use crate::http::lane::Lane;
use crate::http::problem::Code;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody, without a token. Only for what tells nothing.
    Public,
    /// Tokens of these roles.
    Roles(&'static [Role]),
    /// Whoever has a valid token.
    Anyone,
    /// The handler asks by itself: what it answers is never a problem.
    Handler,
    /// A page for whoever is not signed in.
    Page,
    /// A page for whoever is signed in.
    Session,
}

impl Access {
    /// Whether it is a page: for people, not for programs.
    pub(crate) const fn is_page(self) -> bool {
        matches!(self, Self::Page | Self::Session)
    }
}

pub(crate) type Schemas = fn(&mut SchemaGenerator) -> Schema;

/// What the guard, the figures and the description have to know of a route.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    pub(crate) lane: Lane,
    pub(crate) summary: &'static str,
    pub(crate) status: u16,
    pub(crate) takes: Option<Schemas>,
    pub(crate) gives: Option<Schemas>,
    pub(crate) media_type: &'static str,
    pub(crate) query: &'static [(&'static str, &'static str)],
    pub(crate) is_keyed: bool,
    pub(crate) problems: &'static [Code],
}
