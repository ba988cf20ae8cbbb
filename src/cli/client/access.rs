//! `passwd` and `token`: who may come in over the network.

use super::connection::Daemon;
use super::error::Error;
use super::http::{Request, segment};
use super::terminal::{Cell, Terminal, Tint, plain_text};
use crate::cli::Exit;
use serde_json::{Value, json};

/// Sets the password, which is asked for. All sessions and tokens end with the old one.
pub fn set_password(daemon: &Daemon, terminal: &mut Terminal<'_>) -> Result<Exit, Error> {
    let password = terminal.ask_secret("New password: ")?;
    if terminal.stdin_is_terminal() && terminal.ask_secret("Once more: ")? != password {
        terminal.note("the two are not the same; nothing has changed");
        return Ok(Exit::Refused);
    }
    let body = json!({ "password": password }).to_string();
    daemon.request(&Request::new("PUT", "/api/password").json(body))?;
    terminal.note("the password is set; sessions and tokens of the old one have ended");
    Ok(Exit::Done)
}

/// Forgets password, tokens and sessions, and prints the code by which the kiosk is claimed again.
pub fn reset(daemon: &Daemon, json: bool, terminal: &mut Terminal<'_>) -> Result<Exit, Error> {
    let answer = daemon.request_json(&Request::new("DELETE", "/api/password"))?;
    match json {
        true => terminal.print(answer)?,
        false => {
            terminal.note("password, tokens and sessions are gone; this code claims the kiosk:");
            terminal.print(plain_text(&answer["code"]))?;
        }
    }
    Ok(Exit::Done)
}

/// Makes a token and prints it, alone on its line: for a script.
pub fn add_token(
    daemon: &Daemon,
    name: &str,
    role: &str,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    let body = json!({"name": name, "role": role}).to_string();
    let answer = daemon.request_json(&Request::new("POST", "/api/tokens").json(body))?;
    match json {
        true => terminal.print(answer)?,
        false => {
            terminal.note("this token is shown this once:");
            terminal.print(plain_text(&answer["token"]))?;
        }
    }
    Ok(Exit::Done)
}

/// Every token, a line each, without its secret.
pub fn tokens(daemon: &Daemon, json: bool, terminal: &mut Terminal<'_>) -> Result<Exit, Error> {
    let request = Request::get("/api/tokens");
    if json {
        terminal.print(daemon.request_text(&request)?.trim_end())?;
        return Ok(Exit::Done);
    }
    let answer = daemon.request_json(&request)?;
    let tokens = answer["tokens"].as_array();
    let tokens =
        tokens.ok_or_else(|| Error::InvalidResponse("its answer has no `tokens`".into()))?;
    if tokens.is_empty() {
        terminal.print("there is no token; `ossuary help token` tells how to make one")?;
        return Ok(Exit::Done);
    }
    let cell = |value: &Value| (plain_text(value), Tint::Plain);
    let row = |token: &Value| -> Vec<Cell> {
        ["id", "name", "role", "created"]
            .map(|field| cell(&token[field]))
            .into()
    };
    let rows: Vec<Vec<Cell>> = tokens.iter().map(row).collect();
    terminal.table(&["ID", "NAME", "ROLE", "CREATED"], &rows)?;
    Ok(Exit::Done)
}

/// Revokes a token.
pub fn remove_token(
    daemon: &Daemon,
    id: &str,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    daemon.request(&Request::new(
        "DELETE",
        format!("/api/tokens/{}", segment(id)),
    ))?;
    if !json {
        terminal.print(format_args!("{id} is revoked"))?;
    }
    Ok(Exit::Done)
}
