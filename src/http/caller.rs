//! Who sends a request, and how much of the configuration that caller may read.

use crate::auth::{Name, Principal, Role};
use crate::config::redact;
use std::borrow::Cow;

/// The sender of a request, as authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A client without a valid credential.
    Anonymous,
    /// A client of the unix socket.
    Local,
    /// The holder of this session's cookie.
    Session(Name, Role),
    /// The holder of this token.
    Token(Name, Role),
}

impl Caller {
    /// The caller as the routes' requirements see it.
    pub fn principal(&self) -> Principal {
        match self {
            Caller::Anonymous => Principal::Anonymous,
            Caller::Local => Principal::Local,
            Caller::Session(_, role) | Caller::Token(_, role) => Principal::Holder(*role),
        }
    }

    /// How much of the configuration the caller may read: all of it needs the role `admin`.
    pub fn disclosure(&self) -> Disclosure {
        match self.principal() {
            Principal::Local | Principal::Holder(Role::Admin) => Disclosure::Full,
            Principal::Anonymous | Principal::Holder(_) => Disclosure::Redacted,
        }
    }

    /// Whether it is this session.
    pub fn is_session(&self, name: &Name) -> bool {
        matches!(self, Caller::Session(own, _) if own == name)
    }
}

/// How much of the configuration a caller may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disclosure {
    /// No commands, environments, credentials or queries of URLs: for the roles `view` and `operate`.
    Redacted,
    /// Everything: for the role `admin`.
    Full,
}

impl Disclosure {
    /// A sentence that may contain URLs of the configuration.
    pub fn text(self, text: &str) -> Cow<'_, str> {
        match self {
            Disclosure::Full => text.into(),
            Disclosure::Redacted => redact::text(text).into(),
        }
    }

    /// A URL of the configuration or of a page.
    pub fn url(self, url: &str) -> Cow<'_, str> {
        match self {
            Disclosure::Full => url.into(),
            Disclosure::Redacted => redact::url(url).into(),
        }
    }
}
