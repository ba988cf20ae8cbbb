//! `/api/tokens`: credentials for programs. The secret is shown only when it is created.

use super::auth::client_info;
use super::json::Context;
use crate::auth::{Name, Role, Token};
use crate::http::context::Api;
use crate::http::error::{Error, ErrorKind};
use crate::http::reply::{ApiRequest, Reply};
use serde::{Deserialize, Serialize};
use std::rc::Rc;

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct TokensView<'a> {
    tokens: Vec<TokenView<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct TokenView<'a> {
    id: &'a Name,
    name: &'a str,
    role: Role,
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    created: &'a str,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct CreatedView<'a> {
    #[serde(flatten)]
    shown: TokenView<'a>,
    token: String,
}

/// `GET /api/tokens`
pub async fn list(api: &Rc<Api>, _request: ApiRequest<'_>) -> Result<Reply, Error> {
    let credentials = api.auth.credentials();
    let tokens = credentials.tokens().iter().map(TokenView::of).collect();
    Ok(Reply::json(200, &TokensView { tokens }))
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    name: String,
    role: Role,
    password: Option<String>,
}

/// `POST /api/tokens`
pub async fn create(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let NewToken {
        name,
        role,
        password,
    } = request.body()?;
    api.auth
        .confirm_password(password, &request.caller, &client_info(api, &request))
        .await?;
    let context = Context::of(api);
    let created = context.boot().at(context.now().mono).to_string();
    let (token, secret) = api.auth.add_token(name, role, created).await?;
    let created = CreatedView {
        shown: TokenView::of(&token),
        token: secret.to_token(),
    };
    Ok(Reply::json(201, &created).with("Location", format!("/api/tokens/{}", token.id)))
}

/// `DELETE /api/tokens/{id}`
pub async fn delete(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    match api.auth.remove_token(request.id).await? {
        true => Ok(Reply::empty(204)),
        false => Err(Error::new(
            ErrorKind::NoSuchToken,
            format!("there is no token {}", request.id),
        )),
    }
}

impl<'a> TokenView<'a> {
    fn of(token: &'a Token) -> Self {
        Self {
            id: &token.id,
            name: &token.name,
            role: token.role,
            created: &token.created,
        }
    }
}
