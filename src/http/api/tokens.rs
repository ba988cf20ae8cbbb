//! `/api/tokens`: credentials for programs. The secret is shown only when it is created.

use super::auth::client_info;
use super::json::Context;
use crate::auth::{Role, Token};
use crate::http::context::Api;
use crate::http::error::{Error, ErrorKind};
use crate::http::reply::{ApiRequest, Reply};
use serde::Deserialize;
use serde_json::{Value, json};
use std::rc::Rc;

/// `GET /api/tokens`
pub async fn list(api: &Rc<Api>, _request: ApiRequest<'_>) -> Result<Reply, Error> {
    let credentials = api.auth.credentials();
    let tokens: Vec<Value> = credentials.tokens().iter().map(view).collect();
    Ok(Reply::json(200, &json!({"tokens": tokens})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
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
    let mut shown = view(&token);
    shown["token"] = secret.to_token().into();
    Ok(Reply::json(201, &shown).with("Location", format!("/api/tokens/{}", token.id)))
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

fn view(token: &Token) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "role": token.role,
        "created": token.created,
    })
}
