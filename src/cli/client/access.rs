//! `passwd` and `token`: access over the network.

use super::connection::Daemon;
use super::error::Error;
use super::http::{Request, segment};
use super::terminal::{Cell, Terminal, Tint, plain_text};
use crate::cli::Exit;
use serde_json::{Value, json};

/// Asks for a password and sets it. This ends all sessions and tokens.
pub fn set_password(daemon: &Daemon, terminal: &mut Terminal<'_>) -> Result<Exit, Error> {
    let password = terminal.ask_secret("New password: ")?;
    if terminal.stdin_is_terminal() && terminal.ask_secret("Repeat it: ")? != password {
        terminal.note("the passwords differ; nothing was changed");
        return Ok(Exit::Refused);
    }
    let body = json!({ "password": password }).to_string();
    daemon.request(&Request::new("PUT", "/api/password").json(body))?;
    terminal.note("the password is set; all sessions and tokens have ended");
    Ok(Exit::Done)
}

/// Removes the password, tokens and sessions, and prints the new claim code.
pub fn reset(daemon: &Daemon, json: bool, terminal: &mut Terminal<'_>) -> Result<Exit, Error> {
    let answer = daemon.request_json(&Request::new("DELETE", "/api/password"))?;
    match json {
        true => terminal.print(answer)?,
        false => {
            terminal.note("the password, tokens and sessions are removed; the new claim code is:");
            terminal.print(plain_text(&answer["code"]))?;
        }
    }
    Ok(Exit::Done)
}

/// Creates a token and prints it on a line of its own, for scripts.
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
            terminal.note("this token is shown only once:");
            terminal.print(plain_text(&answer["token"]))?;
        }
    }
    Ok(Exit::Done)
}

/// Prints every token, one a line, without its secret.
pub fn tokens(daemon: &Daemon, json: bool, terminal: &mut Terminal<'_>) -> Result<Exit, Error> {
    let request = Request::get("/api/tokens");
    if json {
        terminal.print(daemon.request_text(&request)?.trim_end())?;
        return Ok(Exit::Done);
    }
    let answer = daemon.request_json(&request)?;
    let tokens = answer["tokens"].as_array();
    let tokens =
        tokens.ok_or_else(|| Error::InvalidResponse("its response has no `tokens`".into()))?;
    if tokens.is_empty() {
        terminal.print("there are no tokens; see `ossuary help token`")?;
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
