//! `/api/openapi.json`: the description of all routes, written by hand, tested against the route table and the types of bodies.

use crate::http::context::Api;
use crate::http::error::Error;
use crate::http::reply::{ApiRequest, Reply};
use crate::http::ui::asset::{Asset, asset};
use std::rc::Rc;

/// The description, OpenAPI 3.1.
static DOCUMENT: Asset = asset!("openapi.json");

/// `GET /api/openapi.json`
pub async fn show(_api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    Ok(DOCUMENT.answer(&request, "application/json"))
}

#[cfg(test)]
pub(super) mod tests;
