//! The table of all commands and their options.

use super::grammar::{
    Argument, Command, Count, Group, Kind, Opt, ParsedArgs, argument, flag, option,
};
use super::invocation::{Invocation, ProcessCommand, Task};
use super::{build, help};

static CONFIG: Opt = option(
    "config",
    "FILE",
    Kind::File,
    "The configuration [/etc/ossuary/config.json]",
);
static STATE_DIR: Opt = option(
    "state-dir",
    "DIR",
    Kind::Directory,
    "Persistent state [/var/lib/ossuary]",
);
pub(super) static RUN_DIR: Opt = option(
    "run-dir",
    "DIR",
    Kind::Directory,
    "PID files and the socket [/run/ossuary]",
);
pub(super) static SOCKET: Opt = option(
    "socket",
    "FILE",
    Kind::File,
    "The daemon's socket [RUN_DIR/ossuary.sock]",
);
static LISTEN: Opt = Opt {
    repeated: true,
    ..option(
        "listen",
        "ADDR",
        Kind::Text,
        "The address to listen on: 127.0.0.1:8081, [::]:8081\nor :8081; port 0 picks a free one; may be repeated\n[[::]:8081, for every client with the password]",
    )
};
static HOST: Opt = Opt {
    repeated: true,
    ..option(
        "host",
        "NAME",
        Kind::Text,
        "Another host name of this kiosk, such as that of a\nproxy; shown as https://NAME if the daemon listens\non loopback only; may be repeated",
    )
};
static TRUSTED_PROXY: Opt = Opt {
    repeated: true,
    ..option(
        "trusted-proxy",
        "ADDR",
        Kind::Text,
        "The address to listen on for a proxy that sends the\nPROXY protocol (version 1), such as 127.0.0.1:8082;\nloopback only; may be repeated",
    )
};
static DEMO_LISTEN: Opt = Opt {
    help: "The address to listen on; may be repeated\n[127.0.0.1:8081 and [::1]:8081]",
    ..LISTEN
};
static JSON: Opt = flag("json", "Print the response of the API as JSON");
static CHECK_JSON: Opt = flag("json", "Print the report as JSON");
static ROOT: Opt = option(
    "root",
    "DIR",
    Kind::Directory,
    "The root directory of the system [/]",
);
static NO_WAIT: Opt = flag("no-wait", "Return as soon as the daemon has accepted it");
static TIMEOUT: Opt = option(
    "timeout",
    "SECONDS",
    Kind::Text,
    "Wait at most this long [90]",
);
static FOLLOW: Opt = Opt {
    short: Some('f'),
    ..flag("follow", "Continue with new lines until Ctrl-C")
};
static LINES: Opt = Opt {
    short: Some('n'),
    ..option("lines", "N", Kind::Text, "The newest N lines [100]")
};
static FADE: Opt = flag("fade", "Fade from one page to the other");
static OUTPUT: Opt = Opt {
    short: Some('o'),
    ..option("output", "FILE", Kind::File, "Write the screenshot to FILE")
};
static WIDTH: Opt = option("width", "PIXELS", Kind::Text, "Scale it down to this width");
static ID: Opt = option("id", "ID", Kind::Text, "The id [made from the name]");
static NAME: Opt = option("name", "NAME", Kind::Text, "The display name");
static TYPE: Opt = option(
    "type",
    "TYPE",
    Kind::OneOf(&["chromium", "custom"]),
    "chromium for a display process [chromium if\n--url is given, else custom]",
);
static COMMAND: Opt = option(
    "command",
    "COMMAND",
    Kind::Text,
    "The command to run, in quotes",
);
static URL: Opt = option("url", "URL", Kind::Text, "The page a display process shows");
static DISPLAY: Opt = option(
    "display",
    "DISPLAY",
    Kind::Text,
    "The display to use, such as :0 or wayland-0",
);
static SET: Opt = Opt {
    repeated: true,
    ..option(
        "set",
        "FIELD=VALUE",
        Kind::Text,
        "Any other field, such as restart=always or\nflags.webgpu=true; may be repeated",
    )
};

static FORCE: Opt = flag(
    "force",
    "Remove it even if rules of the schedule name it,\nand disable these rules",
);
static IF_MATCH: Opt = option(
    "if-match",
    "ETAG",
    Kind::Text,
    "put: refuse if the configuration has changed since\n`config get FILE` printed this ETag",
);
static FORCE_PUT: Opt = flag(
    "force",
    "put: replace the configuration even if it has\nchanged since it was read",
);
static RESET: Opt = flag(
    "reset",
    "Remove the password, tokens and sessions, and print\na new claim code",
);
static TOKEN_NAME: Opt = option("name", "NAME", Kind::Text, "The name of the token");
static ROLE: Opt = option(
    "role",
    "ROLE",
    Kind::OneOf(&["view", "operate", "admin"]),
    "view, operate (may also start and stop), or admin",
);

const PROCESS: Argument = argument("ID", Count::One, Kind::Process);
const PROCESSES: Argument = argument("ID", Count::OneOrMore, Kind::Process);
const SWITCHING: &[&Opt] = &[&NO_WAIT, &TIMEOUT, &RUN_DIR, &SOCKET, &JSON];
const ASKING: &[&Opt] = &[&RUN_DIR, &SOCKET, &JSON];

/// Every command, in the order of the help.
pub(super) static COMMANDS: &[Command] = &[
    Command {
        name: "daemon",
        group: Group::Kiosk,
        arguments: &[],
        options: &[
            &CONFIG,
            &STATE_DIR,
            &RUN_DIR,
            &LISTEN,
            &HOST,
            &TRUSTED_PROXY,
        ],
        summary: "Run the daemon: processes, API and web UI",
        about: "SIGHUP reloads the configuration. SIGTERM and SIGINT stop all processes in\n\
                order, then the daemon.",
        build: build::daemon,
    },
    Command {
        name: "demo",
        group: Group::Kiosk,
        arguments: &[],
        options: &[&DEMO_LISTEN],
        summary: "Run the daemon with a few example processes",
        about: "Needs neither root nor systemd nor a screen. Its temporary directory is removed\n\
                at the end.",
        build: build::demo,
    },
    Command {
        name: "check",
        group: Group::Kiosk,
        arguments: &[argument("FILE", Count::Optional, Kind::File)],
        options: &[&CHECK_JSON],
        summary: "Check a configuration file and print every problem",
        about: "Without FILE: /etc/ossuary/config.json. If there is no problem, prints `ok` and\n\
                what a migration would change.",
        build: build::check,
    },
    Command {
        name: "first-boot",
        group: Group::Kiosk,
        arguments: &[argument("DIR", Count::One, Kind::Directory)],
        options: &[&ROOT],
        summary: "Apply the first-boot file ossuary.json of the card",
        about: "DIR is where the boot partition of the card is mounted. The file is checked as a\n\
                whole, then all of it is applied or nothing. The report ossuary.txt beside it\n\
                says what was applied, or what is wrong. An applied file is overwritten and\n\
                removed. The image runs this at each boot, before the daemon starts.",
        build: build::first_boot,
    },
    Command {
        name: "status",
        group: Group::Processes,
        arguments: &[argument("ID", Count::Optional, Kind::Process)],
        options: ASKING,
        summary: "Print the state of all processes, or of one",
        about: "With an ID, the exit code is 0 if that process runs, else 5.",
        build: build::status,
    },
    Command {
        name: "start",
        group: Group::Processes,
        arguments: &[PROCESSES],
        options: SWITCHING,
        summary: "Start processes, and wait until they run",
        about: "A process that holds the display is stopped, and so is another browser.",
        build: |args| build::control(args, ProcessCommand::Start),
    },
    Command {
        name: "stop",
        group: Group::Processes,
        arguments: &[PROCESSES],
        options: SWITCHING,
        summary: "Stop processes, and wait until they have ended",
        about: "",
        build: |args| build::control(args, ProcessCommand::Stop),
    },
    Command {
        name: "restart",
        group: Group::Processes,
        arguments: &[PROCESSES],
        options: SWITCHING,
        summary: "Stop and start processes, and wait until they run",
        about: "",
        build: |args| build::control(args, ProcessCommand::Restart),
    },
    Command {
        name: "logs",
        group: Group::Processes,
        arguments: &[PROCESS],
        options: &[&FOLLOW, &LINES, &RUN_DIR, &SOCKET, &JSON],
        summary: "Print the log of a process",
        about: "With --follow and --json: one JSON object a line.",
        build: build::logs,
    },
    Command {
        name: "open",
        group: Group::Processes,
        arguments: &[PROCESS, argument("URL", Count::One, Kind::Text)],
        options: &[&FADE, &RUN_DIR, &SOCKET, &JSON],
        summary: "Show another page on a display process",
        about: "The current page stays until the new one is loaded, and also if that fails. The\n\
                configuration does not change: see `ossuary set ID url=URL`.",
        build: build::open,
    },
    Command {
        name: "screenshot",
        group: Group::Processes,
        arguments: &[PROCESS],
        options: &[&OUTPUT, &WIDTH, &RUN_DIR, &SOCKET],
        summary: "Take a screenshot of a display process",
        about: "Writes a PNG to FILE or to standard output.",
        build: build::screenshot,
    },
    Command {
        name: "add",
        group: Group::Configuration,
        arguments: &[],
        options: &[
            &NAME, &COMMAND, &URL, &TYPE, &DISPLAY, &ID, &SET, &RUN_DIR, &SOCKET, &JSON,
        ],
        summary: "Add a process and print its id",
        about: "Needs --command, or --url for a display process that shows it.",
        build: build::add,
    },
    Command {
        name: "set",
        group: Group::Configuration,
        arguments: &[
            PROCESS,
            argument("FIELD=VALUE", Count::OneOrMore, Kind::Text),
        ],
        options: ASKING,
        summary: "Change fields of a process",
        about: "VALUE is text or JSON; `null` resets the field to its default, and\n\
                flags.webgpu=true changes one entry of a field. A running process is restarted\n\
                only if the change affects its run.",
        build: build::set,
    },
    Command {
        name: "enable",
        group: Group::Configuration,
        arguments: &[PROCESSES],
        options: ASKING,
        summary: "Enable processes, so that they may start",
        about: "",
        build: |args| build::enabled(args, true),
    },
    Command {
        name: "disable",
        group: Group::Configuration,
        arguments: &[PROCESSES],
        options: ASKING,
        summary: "Stop processes and prevent them from starting",
        about: "",
        build: |args| build::enabled(args, false),
    },
    Command {
        name: "remove",
        group: Group::Configuration,
        arguments: &[PROCESSES],
        options: &[&FORCE, &RUN_DIR, &SOCKET, &JSON],
        summary: "Remove processes that do not run",
        about: "",
        build: build::remove,
    },
    Command {
        name: "config",
        group: Group::Configuration,
        arguments: &[
            argument("get|put", Count::Optional, Kind::OneOf(&["get", "put"])),
            argument("FILE", Count::Optional, Kind::File),
        ],
        options: &[&IF_MATCH, &FORCE_PUT, &RUN_DIR, &SOCKET, &JSON],
        summary: "Print the whole configuration, or replace it",
        about: "The default is `get`. Without FILE: standard output, or standard input.\n\
                `get FILE` prints the ETag of what it wrote. `put --if-match ETAG` saves only\n\
                if the configuration is still the same, so that no other change is lost;\n\
                `put --force` saves in any case. `put` needs one of the two.",
        build: build::config,
    },
    Command {
        name: "reload",
        group: Group::Configuration,
        arguments: &[argument("ID", Count::Optional, Kind::Process)],
        options: ASKING,
        summary: "Reload the configuration file, or the page of a process",
        about: "Without ID: the file; a process whose run is not affected keeps running.\n\
                With ID: the page of that display process, bypassing the cache.",
        build: build::reload,
    },
    Command {
        name: "schedule",
        group: Group::Configuration,
        arguments: &[
            argument("run", Count::Optional, Kind::OneOf(&["run"])),
            argument("RULE", Count::Optional, Kind::Text),
        ],
        options: ASKING,
        summary: "List the rules with their next time and last outcome",
        about: "`run RULE` executes a rule now, and exits with 1 if it failed.",
        build: build::schedule,
    },
    Command {
        name: "passwd",
        group: Group::Access,
        arguments: &[],
        options: &[&RESET, &RUN_DIR, &SOCKET, &JSON],
        summary: "Set the password, or remove it",
        about: "Asks for the password, or reads a line from standard input. This claims a kiosk\n\
                that is not claimed yet, and ends all sessions and tokens.",
        build: build::passwd,
    },
    Command {
        name: "token",
        group: Group::Access,
        arguments: &[
            argument(
                "add|list|remove",
                Count::One,
                Kind::OneOf(&["add", "list", "remove"]),
            ),
            argument("ID", Count::Optional, Kind::Text),
        ],
        options: &[&TOKEN_NAME, &ROLE, &RUN_DIR, &SOCKET, &JSON],
        summary: "Create, list and revoke API tokens",
        about: "`add --name NAME --role ROLE` prints the token, only this once: send it as\n\
                Authorization: Bearer TOKEN. `remove ID` revokes it immediately.",
        build: build::token,
    },
    Command {
        name: "displays",
        group: Group::Machine,
        arguments: &[],
        options: ASKING,
        summary: "List the displays and the processes that hold them",
        about: "",
        build: |args| Ok(args.client(Task::Displays)),
    },
    Command {
        name: "power",
        group: Group::Machine,
        arguments: &[
            argument("on|off", Count::One, Kind::OneOf(&["on", "off"])),
            argument("DISPLAY", Count::Optional, Kind::Text),
        ],
        options: ASKING,
        summary: "Switch the screen of a display on or off",
        about: "Without DISPLAY: every connected display. `ossuary displays` prints the actual\n\
                state: a screen takes some seconds, and some switch themselves on again.",
        build: build::power,
    },
    Command {
        name: "system",
        group: Group::Machine,
        arguments: &[],
        options: ASKING,
        summary: "Print memory, temperature, disk and network of the machine",
        about: "",
        build: |args| Ok(args.client(Task::System)),
    },
    Command {
        name: "events",
        group: Group::Machine,
        arguments: &[],
        options: ASKING,
        summary: "Print every change as it happens, until Ctrl-C",
        about: "",
        build: |args| Ok(args.client(Task::Events)),
    },
    Command {
        name: "upgrade",
        group: Group::Machine,
        arguments: &[],
        options: ASKING,
        summary: "Replace the running daemon with the installed program",
        about: "All processes keep running. The new program is tested first; if it does not\n\
                work, the old one continues.",
        build: |args| Ok(args.client(Task::Upgrade)),
    },
    Command {
        name: "completion",
        group: Group::Machine,
        arguments: &[argument(
            "SHELL",
            Count::One,
            Kind::OneOf(&["bash", "zsh", "fish"]),
        )],
        options: &[],
        summary: "Print the completion script of a shell",
        about: "bash: ossuary completion bash > /etc/bash_completion.d/ossuary\n\
                zsh:  ossuary completion zsh > /usr/local/share/zsh/site-functions/_ossuary\n\
                fish: ossuary completion fish > /etc/fish/completions/ossuary.fish",
        build: build::completion,
    },
    Command {
        name: "help",
        group: Group::Machine,
        arguments: &[argument("COMMAND", Count::Optional, Kind::Command)],
        options: &[],
        summary: "Print this help, or the help of a command",
        about: "",
        build: help_command,
    },
];

/// The command of this name.
pub(super) fn command(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// `ossuary help`, which is here because it uses the table.
fn help_command(args: &mut ParsedArgs) -> Result<Invocation, String> {
    let named = args
        .remaining_arguments()?
        .pop()
        .and_then(|name| command(&name));
    Ok(Invocation::Print(
        named.map_or_else(|| help::overview(COMMANDS), help::of),
    ))
}
