//! Tests of the command line.

use super::*;
use std::path::PathBuf;
use std::time::Duration;

fn parse_line(line: &str) -> Result<Invocation, String> {
    parse(line.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
}

fn task(line: &str) -> Task {
    match parse_line(line) {
        Ok(Invocation::Client(command)) => command.task,
        other => panic!("{line}: {other:?}"),
    }
}

fn printed(line: &str) -> String {
    match parse_line(line) {
        Ok(Invocation::Print(text)) => text,
        other => panic!("{line}: {other:?}"),
    }
}

fn candidates(words: &[&str]) -> Vec<String> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let candidates = complete(&words);
    candidates.words.into_iter().map(|(word, _)| word).collect()
}

fn more(words: &[&str]) -> More {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    complete(&words).more
}

#[test]
fn a_daemon_listens_on_every_address_by_default() {
    let Ok(Invocation::Daemon(options)) = parse_line("daemon") else {
        panic!("a daemon");
    };
    assert_eq!(options.config, PathBuf::from("/etc/ossuary/config.json"));
    assert_eq!(options.state_dir, PathBuf::from("/var/lib/ossuary"));
    assert_eq!(options.run_dir, PathBuf::from("/run/ossuary"));
    assert_eq!(options.listen, ["[::]:8081".parse().unwrap()]);
}

#[test]
fn the_demo_listens_on_loopback_by_default() {
    let Ok(Invocation::Demo { listen }) = parse_line("demo") else {
        panic!("a demo");
    };
    assert_eq!(listen.len(), 2);
    assert!(
        listen
            .iter()
            .all(|a| a.ip().is_loopback() && a.port() == 8081)
    );
}

#[test]
fn a_token_is_created_with_a_name_and_a_role_and_revoked_by_its_id() {
    let task = |line: &str| match parse_line(line) {
        Ok(Invocation::Client(command)) => Ok(command.task),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    };
    let added = Task::AddToken {
        name: "lobby".into(),
        role: "view".into(),
    };
    assert_eq!(task("token add --name lobby --role view"), Ok(added));
    assert_eq!(task("token list"), Ok(Task::Tokens));
    assert_eq!(
        task("token remove 1f2e3d4c"),
        Ok(Task::RemoveToken("1f2e3d4c".into()))
    );
    for wrong in [
        "token",
        "token add",
        "token add x --name a --role view",
        "token list x",
        "token remove",
        "token x",
    ] {
        assert!(task(wrong).is_err(), "{wrong}");
    }
    assert_eq!(task("passwd"), Ok(Task::SetPassword));
    assert_eq!(task("passwd --reset"), Ok(Task::ResetPassword));
}

#[test]
fn listen_addresses_are_parsed() {
    for (text, address) in [
        ("127.0.0.1:8081", "127.0.0.1:8081"),
        ("[::]:8081", "[::]:8081"),
        ("[::1]:0", "[::1]:0"),
        (":80", "[::]:80"),
        ("0.0.0.0:0", "0.0.0.0:0"),
    ] {
        let Ok(Invocation::Demo { listen }) = parse_line(&format!("demo --listen {text}")) else {
            panic!("{text}");
        };
        assert_eq!(listen, [address.parse().unwrap()], "{text}");
    }
    for text in ["8081", "kiosk:80", "127.0.0.1", ":", ":65536", "::1:80x"] {
        let error = parse_line(&format!("daemon --listen {text}")).unwrap_err();
        assert_eq!(
            error,
            format!(
                "--listen {text}: must be like 127.0.0.1:8081, [::]:8081 or :8081; \
                 see `ossuary help daemon`"
            )
        );
    }
}

#[test]
fn a_repeated_listen_address_counts_once() {
    let Ok(Invocation::Demo { listen }) =
        parse_line("demo --listen :1 --listen=[::]:1 --listen :2")
    else {
        panic!("a demo");
    };
    assert_eq!(listen.len(), 2);
}

#[test]
fn a_wrong_word_is_a_usage_error() {
    for (line, message) in [
        (
            "power ON",
            "`power ON`: must be on or off; did you mean `on`? See `ossuary help power`",
        ),
        (
            "power :0",
            "`power :0`: must be on or off; see `ossuary help power`",
        ),
        (
            "token lst",
            "`token lst`: must be add, list or remove; did you mean `list`? \
             See `ossuary help token`",
        ),
        (
            "token add --name a --role Admin",
            "`--role Admin`: must be view, operate or admin; did you mean `admin`? \
             See `ossuary help token`",
        ),
        (
            "help strat",
            "unknown command `strat`; did you mean `start`? See `ossuary help`",
        ),
    ] {
        assert_eq!(parse_line(line), Err(message.to_owned()), "{line}");
    }
    // No other word is taken for an allowed one, for any command.
    for command in table::COMMANDS {
        for (index, argument) in command.arguments.iter().enumerate() {
            let Kind::OneOf(allowed) = argument.kind else {
                continue;
            };
            let before = "x ".repeat(index);
            for wrong in [allowed[0].to_uppercase().as_str(), "-", "", ":0", "1"] {
                let words = [command.name].into_iter().chain(before.split_whitespace());
                let result = parse(words.chain([wrong]).map(OsString::from));
                let error = result.expect_err(command.name).to_string();
                assert!(
                    error.contains(allowed[0]),
                    "{} {wrong}: {error}",
                    command.name
                );
            }
        }
    }
}

#[test]
fn options_and_arguments_may_be_in_any_order() {
    let want = Task::Logs {
        id: "sync".into(),
        follow: true,
        lines: 5,
    };
    for line in [
        "logs sync -f -n 5",
        "logs -fn5 sync",
        "logs --lines=5 sync --follow",
        "logs -f --lines 5 -- sync",
    ] {
        assert_eq!(task(line), want, "{line}");
    }
}

#[test]
fn the_socket_is_in_the_run_directory_by_default() {
    for (line, socket) in [
        ("status", "/run/ossuary/ossuary.sock"),
        ("status --run-dir /tmp/x", "/tmp/x/ossuary.sock"),
        ("status --socket /tmp/y --run-dir /tmp/x", "/tmp/y"),
    ] {
        let Ok(Invocation::Client(command)) = parse_line(line) else {
            panic!("{line}");
        };
        assert_eq!(command.socket, PathBuf::from(socket), "{line}");
    }
}

#[test]
fn stop_waits_by_default() {
    let wait = |line| match task(line) {
        Task::Control { command, ids, wait } => {
            assert_eq!(
                (command, ids),
                (ProcessCommand::Stop, vec!["a".to_owned(), "b".to_owned()])
            );
            wait
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(wait("stop a b"), Some(Duration::from_secs(90)));
    assert_eq!(wait("stop a b --timeout 3"), Some(Duration::from_secs(3)));
    assert_eq!(wait("stop --no-wait a b"), None);
    assert!(parse_line("stop a --timeout 0").is_err());
}

#[test]
fn a_process_with_a_page_is_a_display_process() {
    let Ok(Invocation::Client(command)) = parse(
        [
            "add",
            "--name",
            "Gallery Display",
            "--url",
            "https://x/",
            "--set",
            "flags.webgpu=true",
        ]
        .map(OsString::from),
    ) else {
        panic!("a command");
    };
    let want = serde_json::json!({
        "name": "Gallery Display", "url": "https://x/", "type": "chromium",
        "flags": {"webgpu": true},
    });
    assert_eq!(Task::Add(want.as_object().unwrap().clone()), command.task);
}

#[test]
fn values_are_json_unless_the_field_is_always_a_string() {
    for (text, value) in [
        ("autostart=false", serde_json::json!(false)),
        ("stop_timeout_seconds=3", serde_json::json!(3)),
        ("depends_on=[\"a\"]", serde_json::json!(["a"])),
        ("restart=always", serde_json::json!("always")),
        ("name=7", serde_json::json!("7")),
        ("command=a=b", serde_json::json!("a=b")),
        ("env.PORT=80", serde_json::json!("80")),
        ("url=null", serde_json::json!(null)),
        ("url=", serde_json::json!("")),
    ] {
        let Task::Set { changes, .. } = task(&format!("set x {text}")) else {
            panic!("{text}");
        };
        assert_eq!(changes[0].1, value, "{text}");
    }
    assert!(parse_line("set x name").is_err());
    assert!(parse_line("set x =1").is_err());
}

#[test]
fn a_usage_error_says_what_is_right() {
    for (line, message) in [
        (
            "strat x",
            "unknown command `strat`; did you mean `start`? See `ossuary help`",
        ),
        (
            "stauts",
            "unknown command `stauts`; did you mean `status`? See `ossuary help`",
        ),
        (
            "conf",
            "unknown command `conf`; did you mean `config`? See `ossuary help`",
        ),
        (
            "frobnicate",
            "unknown command `frobnicate`; see `ossuary help`",
        ),
        ("start", "`start` needs ID; see `ossuary help start`"),
        ("set x", "`set` needs FIELD=VALUE; see `ossuary help set`"),
        (
            "reload kiosk wall",
            "`reload` takes one argument; see `ossuary help reload`",
        ),
        (
            "logs a b",
            "`logs` takes one argument; see `ossuary help logs`",
        ),
        (
            "status --follow",
            "invalid option '--follow'; see `ossuary help status`",
        ),
        (
            "logs x -n",
            "missing argument for option '-n'; see `ossuary help logs`",
        ),
        (
            "config edit",
            "`config edit`: must be get or put; see `ossuary help config`",
        ),
        (
            "config put c.json",
            "`config put` replaces the whole configuration: it needs --if-match ETAG, as `config get FILE` prints it, \
             or --force; see `ossuary help config`",
        ),
        (
            "config put --force --if-match 0123456789abcdef c.json",
            "`config put` takes --if-match or --force, not both; see `ossuary help config`",
        ),
        (
            "config get --force",
            "`config get` takes no --force; see `ossuary help config`",
        ),
    ] {
        assert_eq!(parse_line(line).unwrap_err(), message, "{line}");
    }
}

#[test]
fn every_help_page_fits_in_eighty_columns() {
    let overview = printed("");
    assert_eq!(overview, printed("--help"));
    assert_eq!(overview, printed("help"));
    let mut pages = vec![overview.clone()];
    for command in table::COMMANDS {
        assert!(
            overview.contains(&format!("  {}", command.name)),
            "{}",
            command.name
        );
        let page = printed(&format!("{} --help", command.name));
        assert_eq!(page, printed(&format!("help {}", command.name)));
        for option in command.options {
            assert!(page.contains(&format!("--{}", option.long)), "{page}");
        }
        pages.push(page);
    }
    for page in &pages {
        for line in page.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
    for exit in Exit::ALL {
        assert!(overview.contains(&format!("  {}  {}", exit as u8, exit.meaning())));
    }
}

#[test]
fn the_help_of_a_command_has_its_usage_and_options() {
    assert_eq!(
        printed("help logs"),
        "\
Print the log of a process

Usage: ossuary logs [OPTION]... ID

With --follow and --json: one JSON object a line.

Options:
  -f, --follow       Continue with new lines until Ctrl-C
  -n, --lines N      The newest N lines [100]
      --run-dir DIR  PID files and the socket [/run/ossuary]
      --socket FILE  The daemon's socket [RUN_DIR/ossuary.sock]
      --json         Print the response of the API as JSON
  -h, --help         Print this help
"
    );
}

#[test]
fn only_the_last_argument_of_a_command_may_be_repeated() {
    for command in table::COMMANDS {
        let (_, before) = match command.arguments.split_last() {
            Some(split) => split,
            None => continue,
        };
        assert!(
            before
                .iter()
                .all(|argument| argument.count != Count::OneOrMore)
        );
    }
}

#[test]
fn the_command_for_systemd_is_not_in_the_help() {
    assert_eq!(parse_line("make-way"), Ok(Invocation::CleanUpStaleRuns));
    assert!(parse_line("make-way now").is_err());
    assert!(!printed("help").contains("make-way"));
}

#[test]
fn commands_and_options_are_completed() {
    assert_eq!(candidates(&["sta"]), ["status", "start"]);
    assert!(candidates(&[""]).len() == table::COMMANDS.len());
    assert!(candidates(&[]).len() == table::COMMANDS.len());
    assert_eq!(candidates(&["--v"]), ["--version"]);
    assert_eq!(candidates(&["logs", "x", "--f"]), ["--follow"]);
    assert_eq!(candidates(&["logs", "-f", "--"])[0], "--lines");
    assert_eq!(candidates(&["config", ""]), ["get", "put"]);
    assert_eq!(candidates(&["completion", "z"]), ["zsh"]);
    assert_eq!(candidates(&["add", "--type", "c"]), ["chromium", "custom"]);
    assert_eq!(candidates(&["help", "sto"]), ["stop"]);
    assert_eq!(candidates(&["frobnicate", ""]), [""; 0]);
}

#[test]
fn ids_are_completed_from_the_daemon_of_the_command_line() {
    let processes = |socket: &str, prefix: &str, except: &[&str]| More::Processes {
        socket: socket.into(),
        prefix: prefix.to_owned(),
        except: except.iter().map(|id| (*id).to_owned()).collect(),
    };
    let default = "/run/ossuary/ossuary.sock";
    assert_eq!(more(&["stop", ""]), processes(default, "", &[]));
    assert_eq!(more(&["stop", "a", "b"]), processes(default, "b", &["a"]));
    assert_eq!(
        more(&["stop", "--run-dir", "/x", ""]),
        processes("/x/ossuary.sock", "", &[])
    );
    assert_eq!(
        more(&["stop", "--run-dir", "=", "/x", ""]),
        processes("/x/ossuary.sock", "", &[])
    );
    assert_eq!(
        more(&["status", "--socket=/y", ""]),
        processes("/y", "", &[])
    );
    assert_eq!(more(&["logs", "-n", "5", "-"]), More::Nothing);
    assert_eq!(more(&["logs", "x", ""]), More::Nothing);
    assert_eq!(more(&["set", "x", ""]), More::Nothing);
}

#[test]
fn files_and_directories_are_completed_by_the_shell() {
    assert_eq!(more(&["check", ""]), More::Files);
    assert_eq!(more(&["config", "put", ""]), More::Files);
    assert_eq!(more(&["daemon", "--config", ""]), More::Files);
    assert_eq!(more(&["daemon", "--run-dir", ""]), More::Directories);
    assert_eq!(more(&["stop", "--timeout", ""]), More::Nothing);
}
