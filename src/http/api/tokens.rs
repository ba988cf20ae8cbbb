//! `/api/tokens`: credentials for programs. The secret is shown only when it is created.

use super::auth::{client_info, nothing_else, text};
use super::json::Context;
use crate::auth::{Role, Token};
use crate::http::Api;
use crate::http::error::{Error, ErrorKind};
use crate::http::reply::{ApiRequest, Reply};
use serde_json::{Value, json};
use std::rc::Rc;

/// `GET /api/tokens`
pub async fn list(api: &Rc<Api>, _request: ApiRequest<'_>) -> Result<Reply, Error> {
    let credentials = api.auth.credentials();
    let tokens: Vec<Value> = credentials.tokens().iter().map(view).collect();
    Ok(Reply::json(200, &json!({"tokens": tokens})))
}

/// `POST /api/tokens`
pub async fn create(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let mut body = request.object()?;
    let name = text(&mut body, "name", "it tells people what the token is for")?;
    let role = text(&mut body, "role", "it is view, operate or admin")?;
    let password = match body.contains_key("password") {
        true => Some(text(&mut body, "password", "")?),
        false => None,
    };
    nothing_else(&body)?;
    let role = (Role::ALL.into_iter()).find(|known| known.as_str() == role);
    let Some(role) = role else {
        let detail = "must be \"view\", \"operate\" or \"admin\"";
        return Err(Error::invalid("role", detail));
    };
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
