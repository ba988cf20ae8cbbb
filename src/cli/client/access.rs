//! `passwd` and `token`: access over the network.

use super::context::{Client, Done, list};
use super::http::{Request, segment};
use super::terminal::{Cell, plain};
use crate::cli::Exit;
use serde_json::{Value, json};

impl Client<'_, '_> {
    /// Asks for a password and sets it. This ends all sessions and tokens.
    pub fn set_password(&mut self) -> Done {
        let terminal = &mut self.terminal;
        let password = terminal.ask_secret("New password: ")?;
        if terminal.stdin_is_terminal() && terminal.ask_secret("Repeat it: ")? != password {
            terminal.note("the passwords differ; nothing was changed");
            return Ok(Exit::Refused);
        }
        let body = json!({ "password": password });
        (self.daemon).request(&Request::new("PUT", "/api/password").json(&body))?;
        terminal.note("the password is set; all sessions and tokens have ended");
        Ok(Exit::Done)
    }

    /// Removes the password, tokens and sessions, and prints the new claim code.
    pub fn reset_password(&mut self) -> Done {
        let request = Request::new("DELETE", "/api/password");
        let note = "the password, tokens and sessions are removed; the new claim code is:";
        self.show_secret(&request, note, "code")
    }

    /// Creates a token and prints it.
    pub fn add_token(&mut self, name: &str, role: &str) -> Done {
        let body = json!({"name": name, "role": role});
        let request = Request::new("POST", "/api/tokens").json(&body);
        self.show_secret(&request, "this token is shown only once:", "token")
    }

    /// Prints a field of the response on a line of its own, for scripts.
    fn show_secret(&mut self, request: &Request, note: &str, field: &str) -> Done {
        let response = self.daemon.request_json(request)?;
        if !self.json {
            self.terminal.note(note);
        }
        self.show(&response, plain(&response[field]).0)
    }

    /// Prints every token, one a line, without its secret.
    pub fn print_tokens(&mut self) -> Done {
        let Some(response) = self.fetch("/api/tokens")? else {
            return Ok(Exit::Done);
        };
        let tokens = list(&response, "tokens")?;
        if tokens.is_empty() {
            self.terminal
                .print("there are no tokens; see `ossuary help token`")?;
            return Ok(Exit::Done);
        }
        let row = |token: &Value| -> Vec<Cell> {
            let fields = ["id", "name", "role", "created"];
            fields.map(|field| plain(&token[field])).into()
        };
        let rows: Vec<_> = tokens.iter().map(row).collect();
        self.terminal
            .table(&["ID", "NAME", "ROLE", "CREATED"], &rows)?;
        Ok(Exit::Done)
    }

    /// Revokes a token.
    pub fn remove_token(&mut self, id: &str) -> Done {
        let target = format!("/api/tokens/{}", segment(id));
        self.daemon.request(&Request::new("DELETE", target))?;
        if !self.json {
            self.terminal.print(format_args!("{id} is revoked"))?;
        }
        Ok(Exit::Done)
    }
}
