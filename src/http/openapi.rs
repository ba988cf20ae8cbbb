//! `/api/openapi.json`: the description of every route, written by hand and tested against the table.

use super::Api;
use super::error::Error;
use super::page;
use super::reply::{Ask, Reply};
use std::rc::Rc;

/// The description, OpenAPI 3.1.
pub static DOCUMENT: &[u8] = include_bytes!("openapi.json");

/// `GET /api/openapi.json`
pub async fn show(_api: &Rc<Api>, ask: Ask<'_>) -> Result<Reply, Error> {
    Ok(page::asset(
        &ask,
        "application/json",
        page::Part::plain(DOCUMENT),
    ))
}
