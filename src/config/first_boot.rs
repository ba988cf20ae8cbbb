//! The first-boot file: `ossuary.json`, which an operator puts on the boot partition of a card before its first start.
//!
//! ```json
//! {"hostname": "lobby", "timezone": "Europe/Berlin", "password": "correct horse",
//!  "wifi": [{"name": "Gallery", "passphrase": "battery staple"}],
//!  "config": {"version": 3, "processes": {}}}
//! ```

use super::fields::{Fields, wrong_type};
use super::path::Path;
use super::problem::{Findings, Found};
use super::{Loaded, Problem, parse_json};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Every field, as listed in the message about an unknown one.
const FIELDS: &str = "config, hostname, password, password_hash, reset_password, timezone and wifi";

/// Every field of a network.
const NETWORK_FIELDS: &str = "name, passphrase and hidden";

/// The longest label of a DNS name (RFC 1035), and so of an mDNS name.
const HOSTNAME_MAX: usize = 63;

/// The longest SSID in bytes (IEEE 802.11, 9.4.2.2).
const NETWORK_MAX: usize = 32;

/// The most wireless networks of one file.
const NETWORKS_MAX: usize = 64;

/// What the file sets up. A field that is missing changes nothing.
pub struct FirstBoot {
    /// The host name.
    pub hostname: Option<String>,
    /// The time zone, by its name in the IANA database.
    pub timezone: Option<String>,
    /// How the kiosk is accessed.
    pub access: Option<Access>,
    /// The wireless networks to connect to.
    pub networks: Vec<Network>,
    /// The configuration that replaces the current one.
    pub configuration: Option<Loaded>,
}

/// What the file does to the password.
pub enum Access {
    /// Sets this password.
    Password(String),
    /// Sets the password that has this hash.
    Hash(String),
    /// Removes the password and all tokens, until the kiosk is claimed again.
    Reset,
}

/// A wireless network.
pub struct Network {
    /// The SSID.
    pub name: String,
    /// The passphrase; `None` for an open network.
    pub passphrase: Option<String>,
    /// Whether the network does not broadcast its SSID.
    pub hidden: bool,
}

/// Checks that need other modules; an error is one sentence.
pub struct Checks<'a> {
    /// Checks a new password.
    pub password: &'a dyn Fn(&str) -> Result<(), String>,
    /// Checks the hash of a password.
    pub password_hash: &'a dyn Fn(&str) -> Result<(), String>,
    /// Checks that the system has a time zone of this name.
    pub timezone: &'a dyn Fn(&str) -> Result<(), String>,
}

impl FirstBoot {
    /// Reads the file.
    ///
    /// # Errors
    /// All problems, each with its path.
    pub fn read(bytes: &[u8], checks: &Checks<'_>) -> Result<FirstBoot, Vec<Problem>> {
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return document_problem("is UTF-16; save it as UTF-8");
        }
        if bytes.trim_ascii().is_empty() {
            return document_problem(&format!("is empty; possible fields: {FIELDS}"));
        }
        let map = match parse_json(bytes)? {
            Value::Object(map) if map.is_empty() => {
                return document_problem(&format!("has no fields; possible fields: {FIELDS}"));
            }
            Value::Object(map) => map,
            other => return document_problem(&wrong_type("a JSON object", &other)),
        };
        let findings = Findings::default();
        let fields = Fields::new(&map, Path::Root, &findings);
        let wanted = FirstBoot {
            hostname: checked_text(&fields, "hostname", &check_hostname),
            timezone: checked_text(&fields, "timezone", checks.timezone),
            access: access(&fields, checks),
            networks: (fields.list("wifi"))
                .map(|list| networks(list, &findings))
                .unwrap_or_default(),
            configuration: configuration(&fields, &findings),
        };
        fields.finish();
        let Found {
            mut problems,
            unknown,
            ..
        } = findings.finish();
        problems.extend(unknown.into_iter().map(|field| {
            let known = match field.names.len() {
                1 => FIELDS,
                _ => NETWORK_FIELDS,
            };
            Problem::at(
                &field.path,
                format!("unknown field; possible fields: {known}"),
            )
        }));
        match problems.is_empty() {
            true => Ok(wanted),
            false => Err(problems),
        }
    }
}

fn document_problem<T>(message: &str) -> Result<T, Vec<Problem>> {
    Err(vec![Problem::whole(message)])
}

/// A string that passes `check`.
fn checked_text(
    fields: &Fields<'_>,
    name: &'static str,
    check: &dyn Fn(&str) -> Result<(), String>,
) -> Option<String> {
    let text = fields.text(name)?;
    match check(text) {
        Ok(()) => Some(text.to_owned()),
        Err(why) => {
            fields.problem(name, why);
            None
        }
    }
}

fn access(fields: &Fields<'_>, checks: &Checks<'_>) -> Option<Access> {
    let reset = fields.boolean("reset_password").unwrap_or_default();
    let password = checked_text(fields, "password", checks.password);
    let hash = checked_text(fields, "password_hash", checks.password_hash);
    let given = [reset, fields.has("password"), fields.has("password_hash")];
    if given.into_iter().filter(|given| *given).count() > 1 {
        let why = "only one of password, password_hash and reset_password may be given";
        let name = if reset {
            "reset_password"
        } else {
            "password_hash"
        };
        fields.problem(name, why);
    }
    match (password, hash) {
        (Some(password), _) => Some(Access::Password(password)),
        (_, Some(hash)) => Some(Access::Hash(hash)),
        _ => reset.then_some(Access::Reset),
    }
}

fn networks(list: &[Value], findings: &Findings) -> Vec<Network> {
    let path = Path::Root.field("wifi");
    if list.len() > NETWORKS_MAX {
        let count = list.len();
        let message = format!("must be at most {NETWORKS_MAX} networks, not {count}");
        findings.problem(path, message);
        return Vec::new();
    }
    let mut taken = BTreeSet::new();
    let mut networks = Vec::new();
    for (index, value) in list.iter().enumerate() {
        let path = path.item(index);
        let Value::Object(map) = value else {
            findings.problem(path, wrong_type("an object", value));
            continue;
        };
        let network = network(map, path, findings);
        if network
            .as_ref()
            .is_some_and(|it| !taken.insert(it.name.clone()))
        {
            findings.problem(path.field("name"), "is the name of another network");
        }
        networks.extend(network);
    }
    networks
}

fn network(map: &Map<String, Value>, path: Path<'_>, findings: &Findings) -> Option<Network> {
    let fields = Fields::new(map, path, findings);
    let name = fields.checked(fields.required("name"), check_network_name);
    let passphrase = fields.checked("passphrase", check_passphrase);
    let hidden = fields.boolean("hidden").unwrap_or_default();
    fields.finish();
    Some(Network {
        name: name?.to_owned(),
        passphrase: passphrase.map(str::to_owned),
        hidden,
    })
}

/// The configuration, read as the configuration file: its unknown fields are kept.
fn configuration(fields: &Fields<'_>, findings: &Findings) -> Option<Loaded> {
    let map = fields.object("config")?;
    let bytes = serde_json::to_vec(map).expect("JSON in memory can always be written");
    match Loaded::from_bytes(&bytes) {
        Ok(loaded) => Some(loaded),
        Err(problems) => {
            for problem in problems {
                findings.problem_at(&within("config", &problem.path), problem.message);
            }
            None
        }
    }
}

/// A path inside the object at `field`, seen from the document.
fn within(field: &str, path: &str) -> String {
    match path {
        "" => field.to_owned(),
        path if path.starts_with('[') => format!("{field}{path}"),
        path => format!("{field}.{path}"),
    }
}

fn check_hostname(name: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let ends = name.starts_with('-') || name.ends_with('-');
    match !name.is_empty() && name.len() <= HOSTNAME_MAX && name.bytes().all(plain) && !ends {
        true => Ok(()),
        false => Err(format!(
            "must have 1 to {HOSTNAME_MAX} letters, digits and hyphens, and a letter or digit at both ends, such as \"lobby\""
        )),
    }
}

fn check_network_name(name: &str) -> Result<(), &'static str> {
    match (1..=NETWORK_MAX).contains(&name.len()) && !name.contains('\0') {
        true => Ok(()),
        false => Err("must have 1 to 32 bytes"),
    }
}

/// A WPA passphrase has 8 to 63 printable ASCII characters (IEEE 802.11, J.4.1).
fn check_passphrase(passphrase: &str) -> Result<(), &'static str> {
    let printable = |byte: u8| (b' '..=b'~').contains(&byte);
    match (8..=63).contains(&passphrase.len()) && passphrase.bytes().all(printable) {
        true => Ok(()),
        false => {
            Err("must have 8 to 63 printable ASCII characters; leave it out for an open network")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECKS: Checks<'static> = Checks {
        password: &|text| refuse(text, "short", "must have at least 8 characters"),
        password_hash: &|text| refuse(text, "nonsense", "must be an argon2id hash"),
        timezone: &|text| refuse(text, "Mars", "there is no time zone Mars"),
    };

    fn refuse(text: &str, bad: &str, why: &str) -> Result<(), String> {
        match text == bad {
            true => Err(why.to_owned()),
            false => Ok(()),
        }
    }

    fn read(text: &str) -> FirstBoot {
        match FirstBoot::read(text.as_bytes(), &CHECKS) {
            Ok(wanted) => wanted,
            Err(problems) => panic!("{problems:?}"),
        }
    }

    fn problems(text: &[u8]) -> Vec<String> {
        match FirstBoot::read(text, &CHECKS) {
            Ok(_) => panic!("no problem"),
            Err(problems) => problems.iter().map(Problem::to_string).collect(),
        }
    }

    #[test]
    fn everything_is_read_and_everything_may_be_missing() {
        let wanted = read(
            r#"{"hostname": "lobby-2", "timezone": "Europe/Berlin", "password": "correct horse",
                "wifi": [{"name": "Gallery", "passphrase": "battery staple"}, {"name": "Café", "hidden": true}],
                "config": {"version": 3, "processes": {"clock": {"command": "sleep 9"}}}}"#,
        );
        assert_eq!(wanted.hostname.as_deref(), Some("lobby-2"));
        assert_eq!(wanted.timezone.as_deref(), Some("Europe/Berlin"));
        assert!(
            matches!(wanted.access, Some(Access::Password(password)) if password == "correct horse")
        );
        let [gallery, cafe] = &wanted.networks[..] else {
            panic!("not two networks");
        };
        assert_eq!(gallery.passphrase.as_deref(), Some("battery staple"));
        assert!(!gallery.hidden);
        assert_eq!((cafe.name.as_str(), cafe.hidden), ("Café", true));
        assert!(cafe.passphrase.is_none());
        let configuration = wanted.configuration.unwrap();
        assert_eq!(configuration.config.processes.len(), 1);

        let little = read(r#"{"reset_password": true}"#);
        assert!(matches!(little.access, Some(Access::Reset)));
        assert!(little.hostname.is_none() && little.timezone.is_none());
        assert!(little.networks.is_empty() && little.configuration.is_none());
        assert!(
            read(r#"{"hostname": "x", "reset_password": false}"#)
                .access
                .is_none()
        );
    }

    #[test]
    fn all_problems_are_reported_with_their_paths() {
        let lines = problems(
            br#"{"hostname": "my kiosk", "timezone": "Mars", "password": "short", "pasword": "x",
                "wifi": [{"name": "", "passphrase": "1234567"}, 7, {"passphrase": "12345678", "ssid": "x"},
                         {"name": "A"}, {"name": "A"}],
                "config": {"version": 3, "processes": {"a": {"command": 1}, "b c": {"command": "x"}}}}"#,
        );
        let paths: Vec<_> = lines
            .iter()
            .map(|it| it.split(": ").next().unwrap())
            .collect();
        assert_eq!(
            paths,
            [
                "hostname",
                "timezone",
                "password",
                "wifi[0].name",
                "wifi[0].passphrase",
                "wifi[1]",
                "wifi[2].name",
                "wifi[4].name",
                "config.processes.a.command",
                "config.processes[\"b c\"]",
                "wifi[2].ssid",
                "pasword",
            ],
            "{lines:#?}"
        );
        assert!(lines[10].ends_with("possible fields: name, passphrase and hidden"));
        assert!(lines[11].contains("password_hash"), "{lines:?}");
    }

    #[test]
    fn a_password_is_given_in_one_way_only() {
        for text in [
            r#"{"password": "correct horse", "password_hash": "x"}"#,
            r#"{"password": "correct horse", "reset_password": true}"#,
            r#"{"password_hash": "x", "reset_password": true}"#,
        ] {
            let lines = problems(text.as_bytes());
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert!(lines[0].contains("only one of"), "{lines:?}");
        }
    }

    #[test]
    fn a_file_that_an_editor_spoiled_has_a_clear_message() {
        assert_eq!(problems(b"\xff\xfe{\0}\0"), ["is UTF-16; save it as UTF-8"]);
        assert!(problems(b" \n")[0].starts_with("is empty"));
        assert!(problems(b"{}")[0].starts_with("has no fields"));
        assert!(problems(b"{\"hostname\": \"x\"")[0].starts_with("is not JSON"));
        assert_eq!(problems(b"[]"), ["must be a JSON object, not a list"]);
        assert_eq!(
            problems(br#"{"hostname": "a", "hostname": "b"}"#),
            ["hostname: is defined twice; keep one of the two"]
        );
        assert!(read("\u{feff}{\"hostname\": \"x\"}").hostname.is_some());
    }

    #[test]
    fn names_and_passphrases_are_checked() {
        for name in ["a", "Lobby-2", "0", &"x".repeat(63)] {
            assert_eq!(check_hostname(name), Ok(()), "{name}");
        }
        for name in [
            "",
            "-a",
            "a-",
            "a.local",
            "a b",
            "ä",
            "a_b",
            &"x".repeat(64),
        ] {
            assert!(check_hostname(name).is_err(), "{name}");
        }
        for passphrase in ["1234567", &"x".repeat(64), "passwörter", "12345678\n"] {
            assert!(check_passphrase(passphrase).is_err(), "{passphrase}");
        }
        assert!(check_network_name(&"x".repeat(33)).is_err());
    }
}
