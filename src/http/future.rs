//! A boxed future, for tables of handlers and for traits that are used as objects.

use std::pin::Pin;

/// A boxed future that stays on its thread.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;
