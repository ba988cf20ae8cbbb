//! `/api/displays`: every display that exists or is configured, and who holds it.

use super::Api;
use super::error::Error;
use super::reply::{Ask, Reply};
use super::view::Displays;
use serde::Serialize;
use std::rc::Rc;

#[derive(Serialize)]
struct List<'a> {
    displays: Displays<'a>,
}

/// `GET /api/displays`
pub async fn list(api: &Rc<Api>, _ask: Ask<'_>) -> Result<Reply, Error> {
    let status = api.feed.current();
    let list = List {
        displays: Displays(&status.displays),
    };
    Ok(Reply::json(200, &list))
}
