//! `passwd` and `token`: who may come in over the network.

use super::connection::Daemon;
use super::error::Error;
use super::http::{Request, segment};
use super::terminal::{Cell, Terminal, Tint, words};
use crate::cli::Exit;
use serde_json::{Value, json};

/// Sets the password, which is asked for. All sessions and tokens end with the old one.
pub fn set_password(daemon: &Daemon, terminal: &mut Terminal<'_>) -> Result<Exit, Error> {
    let password = terminal.ask_secret("New password: ")?;
    if terminal.is_watched() && terminal.ask_secret("Once more: ")? != password {
        terminal.remark("the two are not the same; nothing has changed");
        return Ok(Exit::Refused);
    }
    let body = json!({ "password": password }).to_string();
    daemon.ask(&Request::new("PUT", "/api/password").json(body))?;
    terminal.remark("the password is set; sessions and tokens of the old one have ended");
    Ok(Exit::Done)
}

/// Forgets password, tokens and sessions, and prints the code by which the kiosk is claimed again.
pub fn reset(daemon: &Daemon, json: bool, terminal: &mut Terminal<'_>) -> Result<Exit, Error> {
    let answer = daemon.ask_json(&Request::new("DELETE", "/api/password"))?;
    match json {
        true => terminal.say(answer)?,
        false => {
            terminal.remark("password, tokens and sessions are gone; this code claims the kiosk:");
            terminal.say(words(&answer["code"]))?;
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
    let answer = daemon.ask_json(&Request::new("POST", "/api/tokens").json(body))?;
    match json {
        true => terminal.say(answer)?,
        false => {
            terminal.remark("this token is shown this once:");
            terminal.say(words(&answer["token"]))?;
        }
    }
    Ok(Exit::Done)
}

/// Every token, a line each, without its secret.
pub fn tokens(daemon: &Daemon, json: bool, terminal: &mut Terminal<'_>) -> Result<Exit, Error> {
    let request = Request::get("/api/tokens");
    if json {
        terminal.say(daemon.ask_text(&request)?.trim_end())?;
        return Ok(Exit::Done);
    }
    let answer = daemon.ask_json(&request)?;
    let tokens = answer["tokens"].as_array();
    let tokens = tokens.ok_or_else(|| Error::Confused("its answer has no `tokens`".into()))?;
    if tokens.is_empty() {
        terminal.say("there is no token; `ossuary help token` tells how to make one")?;
        return Ok(Exit::Done);
    }
    let cell = |value: &Value| (words(value), Tint::Plain);
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
    daemon.ask(&Request::new(
        "DELETE",
        format!("/api/tokens/{}", segment(id)),
    ))?;
    if !json {
        terminal.say(format_args!("{id} is revoked"))?;
    }
    Ok(Exit::Done)
}
