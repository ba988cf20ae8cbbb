//! The whole command line as one table. Parsing, help and completion only read it.

use super::build;
use super::grammar::{Argument, Command, Count, Group, Kind, Opt, argument, flag, option};

pub(super) static HELP: Opt = Opt {
    short: Some('h'),
    ..flag("help", "Print this help")
};
pub(super) static VERSION: Opt = Opt {
    short: Some('V'),
    ..flag("version", "Print the version")
};
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
    "What outlives a restart [/var/lib/ossuary]",
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
        "Where to serve, as 127.0.0.1:8081, [::]:8081 or\n:8081; port 0 picks a free one; may be repeated\n[[::]:8081: everybody, who then needs the password]",
    )
};
static HOST: Opt = Opt {
    repeated: true,
    ..option(
        "host",
        "NAME",
        Kind::Text,
        "Another name by which browsers call this kiosk,\nas behind a proxy; shown as https://NAME where it\nlistens on loopback only; may be repeated",
    )
};
static TRUSTED_PROXY: Opt = Opt {
    repeated: true,
    ..option(
        "trusted-proxy",
        "ADDR",
        Kind::Text,
        "Where to serve a proxy that begins each connection\nwith a PROXY line (version 1), as 127.0.0.1:8082;\nloopback only; may be repeated",
    )
};
static DEMO_LISTEN: Opt = Opt {
    help: "Where to serve; may be repeated [127.0.0.1:8081\nand [::1]:8081]",
    ..LISTEN
};
static JSON: Opt = flag("json", "Print the daemon's own answer, for machines");
static CHECK_JSON: Opt = flag("json", "Print the findings as JSON, for machines");
static ROOT: Opt = option(
    "root",
    "DIR",
    Kind::Directory,
    "The root of the system that is set up [/]",
);
static NO_WAIT: Opt = flag("no-wait", "Return as soon as the daemon has agreed");
static TIMEOUT: Opt = option(
    "timeout",
    "SECONDS",
    Kind::Text,
    "Wait no longer than this [90]",
);
static FOLLOW: Opt = Opt {
    short: Some('f'),
    ..flag("follow", "Go on printing what is new, until Ctrl-C")
};
static LINES: Opt = Opt {
    short: Some('n'),
    ..option("lines", "N", Kind::Text, "The newest N lines [100]")
};
static FADE: Opt = flag("fade", "Fade from one page into the other");
static OUTPUT: Opt = Opt {
    short: Some('o'),
    ..option("output", "FILE", Kind::File, "Where the picture goes")
};
static WIDTH: Opt = option("width", "PIXELS", Kind::Text, "Scale it down to this width");
static ID: Opt = option("id", "ID", Kind::Text, "Its id [made from the name]");
static NAME: Opt = option("name", "NAME", Kind::Text, "What people read");
static TYPE: Opt = option(
    "type",
    "TYPE",
    Kind::OneOf(&["chromium", "custom"]),
    "chromium for a display process [custom, or\nchromium where --url is given]",
);
static COMMAND: Opt = option("command", "COMMAND", Kind::Text, "What to run, in quotes");
static URL: Opt = option("url", "URL", Kind::Text, "The page a display process shows");
static DISPLAY: Opt = option(
    "display",
    "DISPLAY",
    Kind::Text,
    "Where it shows it, as :0 or wayland-0",
);
static SET: Opt = Opt {
    repeated: true,
    ..option(
        "set",
        "FIELD=VALUE",
        Kind::Text,
        "Any other field, as restart=always or\nflags.webgpu=true; may be repeated",
    )
};

static FORCE: Opt = flag(
    "force",
    "Also one that rules of the schedule name, which\nswitches these rules off",
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
    "Forget password, tokens and sessions; prints a new\nclaim code",
);
static TOKEN_NAME: Opt = option("name", "NAME", Kind::Text, "What the token is for");
static ROLE: Opt = option(
    "role",
    "ROLE",
    Kind::OneOf(&["view", "operate", "admin"]),
    "view, operate (start and stop as well), or admin",
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
        summary: "Keep the configured processes alive; serve the API and the page",
        about: "SIGHUP re-reads the configuration; SIGTERM and SIGINT stop every process in\n\
                order and end the daemon.",
        build: build::daemon,
    },
    Command {
        name: "demo",
        group: Group::Kiosk,
        arguments: &[],
        options: &[&DEMO_LISTEN],
        summary: "The same with a few example processes, needing nothing",
        about: "Needs neither root nor systemd nor a screen. It has a directory of its own,\n\
                which is removed at the end.",
        build: build::demo,
    },
    Command {
        name: "check",
        group: Group::Kiosk,
        arguments: &[argument("FILE", Count::Optional, Kind::File)],
        options: &[&CHECK_JSON],
        summary: "Read a configuration file and print every problem",
        about: "Without FILE: /etc/ossuary/config.json. Prints `ok`, and what a migration\n\
                would change, where there is no problem.",
        build: build::check,
    },
    Command {
        name: "first-boot",
        group: Group::Kiosk,
        arguments: &[argument("DIR", Count::One, Kind::Directory)],
        options: &[&ROOT],
        summary: "Set a kiosk up by ossuary.json on its card",
        about: "DIR is where the card's FAT partition is mounted. All of the file is checked,\n\
                then all of it is done or nothing; ossuary.txt beside it tells what was done,\n\
                or what is wrong. What was done is overwritten and removed. A flashed device\n\
                does this at each start, before the daemon's.",
        build: build::first_boot,
    },
    Command {
        name: "status",
        group: Group::Processes,
        arguments: &[argument("ID", Count::Optional, Kind::Process)],
        options: ASKING,
        summary: "How every process fares, or one",
        about: "With an ID the exit code tells whether that process runs: 0 or 5.",
        build: build::status,
    },
    Command {
        name: "start",
        group: Group::Processes,
        arguments: &[PROCESSES],
        options: SWITCHING,
        summary: "Start processes, and wait until they run",
        about: "A process that holds the display, or the one browser, makes way.",
        build: build::start,
    },
    Command {
        name: "stop",
        group: Group::Processes,
        arguments: &[PROCESSES],
        options: SWITCHING,
        summary: "Stop processes, and wait until they are gone",
        about: "",
        build: build::stop,
    },
    Command {
        name: "restart",
        group: Group::Processes,
        arguments: &[PROCESSES],
        options: SWITCHING,
        summary: "Stop and start processes, and wait until they run",
        about: "",
        build: build::restart,
    },
    Command {
        name: "logs",
        group: Group::Processes,
        arguments: &[PROCESS],
        options: &[&FOLLOW, &LINES, &RUN_DIR, &SOCKET, &JSON],
        summary: "What a process printed",
        about: "With --follow and --json: one line, one JSON object.",
        build: build::logs,
    },
    Command {
        name: "open",
        group: Group::Processes,
        arguments: &[PROCESS, argument("URL", Count::One, Kind::Text)],
        options: &[&FADE, &RUN_DIR, &SOCKET, &JSON],
        summary: "Show another page on a display process",
        about: "The page that is there stays until the other one is, and stays if that cannot be\n\
                loaded. The configuration is not changed: see `ossuary set ID url=URL`.",
        build: build::open,
    },
    Command {
        name: "screenshot",
        group: Group::Processes,
        arguments: &[PROCESS],
        options: &[&OUTPUT, &WIDTH, &RUN_DIR, &SOCKET],
        summary: "Photograph what a display process shows",
        about: "A PNG, into FILE or to standard output.",
        build: build::screenshot,
    },
    Command {
        name: "add",
        group: Group::Configuration,
        arguments: &[],
        options: &[
            &NAME, &COMMAND, &URL, &TYPE, &DISPLAY, &ID, &SET, &RUN_DIR, &SOCKET, &JSON,
        ],
        summary: "Add a process; prints its id",
        about: "Give --command, or --url for a display process that shows it.",
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
        about: "VALUE is text or JSON; `null` gives the field its default again, and\n\
                flags.webgpu=true changes one entry of a field. A process that runs is\n\
                restarted only where its run would differ.",
        build: build::set,
    },
    Command {
        name: "enable",
        group: Group::Configuration,
        arguments: &[PROCESSES],
        options: ASKING,
        summary: "Allow processes to be started",
        about: "",
        build: build::enable,
    },
    Command {
        name: "disable",
        group: Group::Configuration,
        arguments: &[PROCESSES],
        options: ASKING,
        summary: "Stop processes, and forbid to start them",
        about: "",
        build: build::disable,
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
        about: "`get` where neither is given. Without FILE: standard output, or standard input.\n\
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
        summary: "Read the configuration file again, or load a page anew",
        about: "Without ID: the file; a process whose run would look the same keeps running.\n\
                With ID: the page of that display process, past every cache.",
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
        summary: "Every rule, when it is done next, and what came of it last",
        about: "`run RULE` does now what a rule says, and leaves with 1 where it failed.",
        build: build::schedule,
    },
    Command {
        name: "passwd",
        group: Group::Access,
        arguments: &[],
        options: &[&RESET, &RUN_DIR, &SOCKET, &JSON],
        summary: "Set the password of the page, or begin anew without one",
        about: "Asks for it, or reads a line of standard input. A kiosk that nobody has claimed\n\
                is claimed by that; all sessions and tokens end with the old one.",
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
        summary: "Make, list and revoke credentials for programs",
        about: "`add --name NAME --role ROLE` prints the token, this once: send it as\n\
                Authorization: Bearer TOKEN. `remove ID` revokes it at once.",
        build: build::token,
    },
    Command {
        name: "displays",
        group: Group::Machine,
        arguments: &[],
        options: ASKING,
        summary: "Every display, and the process that holds it",
        about: "",
        build: build::displays,
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
        about: "Without DISPLAY: of every display that is there. `ossuary displays` tells what\n\
                is true afterwards: screens take some seconds, and some come back by\n\
                themselves.",
        build: build::power,
    },
    Command {
        name: "system",
        group: Group::Machine,
        arguments: &[],
        options: ASKING,
        summary: "The machine: memory, temperature, disk, network",
        about: "",
        build: build::system,
    },
    Command {
        name: "events",
        group: Group::Machine,
        arguments: &[],
        options: ASKING,
        summary: "Print every change as it happens, until Ctrl-C",
        about: "",
        build: build::events,
    },
    Command {
        name: "upgrade",
        group: Group::Machine,
        arguments: &[],
        options: ASKING,
        summary: "Let the program that is installed now take over",
        about: "The processes, the display process above all, keep running and notice nothing.\n\
                The new program is tried first; if it does not work, the old one goes on.",
        build: build::upgrade,
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
        summary: "Print what a shell needs to complete commands",
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
        summary: "Print this help, or that of a command",
        about: "",
        build: build::help,
    },
];

/// The command of this name.
pub(super) fn command(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|verb| verb.name == name)
}
