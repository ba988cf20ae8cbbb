//! The whole command line as one table. Parsing, help and completion only read it.

use super::build;
use super::grammar::{Argument, Count, Group, Kind, Switch, Verb, argument, option, switch};

pub(super) static HELP: Switch = Switch {
    short: Some('h'),
    ..switch("help", "Print this help")
};
pub(super) static VERSION: Switch = Switch {
    short: Some('V'),
    ..switch("version", "Print the version")
};
static CONFIG: Switch = option(
    "config",
    "FILE",
    Kind::File,
    "The configuration [/etc/ossuary/config.json]",
);
static STATE_DIR: Switch = option(
    "state-dir",
    "DIR",
    Kind::Directory,
    "What outlives a restart [/var/lib/ossuary]",
);
pub(super) static RUN_DIR: Switch = option(
    "run-dir",
    "DIR",
    Kind::Directory,
    "PID files and the socket [/run/ossuary]",
);
pub(super) static SOCKET: Switch = option(
    "socket",
    "FILE",
    Kind::File,
    "The daemon's socket [RUN_DIR/ossuary.sock]",
);
static LISTEN: Switch = Switch {
    repeated: true,
    ..option(
        "listen",
        "ADDR",
        Kind::Text,
        "Where to serve, as 127.0.0.1:8081, [::]:8081 or\n:8081; port 0 picks a free one; may be repeated\n[[::]:8081: everybody, who then needs the password]",
    )
};
static HOST: Switch = Switch {
    repeated: true,
    ..option(
        "host",
        "NAME",
        Kind::Text,
        "Another name by which browsers call this kiosk,\nas behind a proxy; shown as https://NAME where it\nlistens on loopback only; may be repeated",
    )
};
static TRUSTED_PROXY: Switch = Switch {
    repeated: true,
    ..option(
        "trusted-proxy",
        "ADDR",
        Kind::Text,
        "Where to serve a proxy that begins each connection\nwith a PROXY line (version 1), as 127.0.0.1:8082;\nloopback only; may be repeated",
    )
};
static DEMO_LISTEN: Switch = Switch {
    help: "Where to serve; may be repeated [127.0.0.1:8081\nand [::1]:8081]",
    ..LISTEN
};
static JSON: Switch = switch("json", "Print the daemon's own answer, for machines");
static CHECK_JSON: Switch = switch("json", "Print the findings as JSON, for machines");
static ROOT: Switch = option(
    "root",
    "DIR",
    Kind::Directory,
    "The root of the system that is set up [/]",
);
static NO_WAIT: Switch = switch("no-wait", "Return as soon as the daemon has agreed");
static TIMEOUT: Switch = option(
    "timeout",
    "SECONDS",
    Kind::Text,
    "Wait no longer than this [90]",
);
static FOLLOW: Switch = Switch {
    short: Some('f'),
    ..switch("follow", "Go on printing what is new, until Ctrl-C")
};
static LINES: Switch = Switch {
    short: Some('n'),
    ..option("lines", "N", Kind::Text, "The newest N lines [100]")
};
static FADE: Switch = switch("fade", "Fade from one page into the other");
static OUTPUT: Switch = Switch {
    short: Some('o'),
    ..option("output", "FILE", Kind::File, "Where the picture goes")
};
static WIDTH: Switch = option("width", "PIXELS", Kind::Text, "Scale it down to this width");
static ID: Switch = option("id", "ID", Kind::Text, "Its id [made from the name]");
static NAME: Switch = option("name", "NAME", Kind::Text, "What people read");
static TYPE: Switch = option(
    "type",
    "TYPE",
    Kind::OneOf(&["chromium", "custom"]),
    "chromium for a display process [custom, or\nchromium where --url is given]",
);
static COMMAND: Switch = option("command", "COMMAND", Kind::Text, "What to run, in quotes");
static URL: Switch = option("url", "URL", Kind::Text, "The page a display process shows");
static DISPLAY: Switch = option(
    "display",
    "DISPLAY",
    Kind::Text,
    "Where it shows it, as :0 or wayland-0",
);
static SET: Switch = Switch {
    repeated: true,
    ..option(
        "set",
        "FIELD=VALUE",
        Kind::Text,
        "Any other field, as restart=always or\nflags.webgpu=true; may be repeated",
    )
};

static FORCE: Switch = switch(
    "force",
    "Also one that rules of the schedule name, which\nswitches these rules off",
);
static IF_MATCH: Switch = option(
    "if-match",
    "ETAG",
    Kind::Text,
    "put: refuse if the configuration has changed since\n`config get FILE` printed this ETag",
);
static FORCE_PUT: Switch = switch(
    "force",
    "put: replace the configuration even if it has\nchanged since it was read",
);
static RESET: Switch = switch(
    "reset",
    "Forget password, tokens and sessions; prints a new\nclaim code",
);
static TOKEN_NAME: Switch = option("name", "NAME", Kind::Text, "What the token is for");
static ROLE: Switch = option(
    "role",
    "ROLE",
    Kind::OneOf(&["view", "operate", "admin"]),
    "view, operate (start and stop as well), or admin",
);

const PROCESS: Argument = argument("ID", Count::One, Kind::Process);
const PROCESSES: Argument = argument("ID", Count::Some, Kind::Process);
const SWITCHING: &[&Switch] = &[&NO_WAIT, &TIMEOUT, &RUN_DIR, &SOCKET, &JSON];
const ASKING: &[&Switch] = &[&RUN_DIR, &SOCKET, &JSON];

/// Every command, in the order of the help.
pub(super) static VERBS: &[Verb] = &[
    Verb {
        name: "daemon",
        group: Group::Kiosk,
        arguments: &[],
        switches: &[
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
    Verb {
        name: "demo",
        group: Group::Kiosk,
        arguments: &[],
        switches: &[&DEMO_LISTEN],
        summary: "The same with a few example processes, needing nothing",
        about: "Needs neither root nor systemd nor a screen. It has a directory of its own,\n\
                which is removed at the end.",
        build: build::demo,
    },
    Verb {
        name: "check",
        group: Group::Kiosk,
        arguments: &[argument("FILE", Count::Optional, Kind::File)],
        switches: &[&CHECK_JSON],
        summary: "Read a configuration file and print every problem",
        about: "Without FILE: /etc/ossuary/config.json. Prints `ok`, and what a migration\n\
                would change, where there is no problem.",
        build: build::check,
    },
    Verb {
        name: "first-boot",
        group: Group::Kiosk,
        arguments: &[argument("DIR", Count::One, Kind::Directory)],
        switches: &[&ROOT],
        summary: "Set a kiosk up by ossuary.json on its card",
        about: "DIR is where the card's FAT partition is mounted. All of the file is checked,\n\
                then all of it is done or nothing; ossuary.txt beside it tells what was done,\n\
                or what is wrong. What was done is overwritten and removed. A flashed device\n\
                does this at each start, before the daemon's.",
        build: build::first_boot,
    },
    Verb {
        name: "status",
        group: Group::Processes,
        arguments: &[argument("ID", Count::Optional, Kind::Process)],
        switches: ASKING,
        summary: "How every process fares, or one",
        about: "With an ID the exit code tells whether that process runs: 0 or 5.",
        build: build::status,
    },
    Verb {
        name: "start",
        group: Group::Processes,
        arguments: &[PROCESSES],
        switches: SWITCHING,
        summary: "Start processes, and wait until they run",
        about: "A process that holds the display, or the one browser, makes way.",
        build: build::start,
    },
    Verb {
        name: "stop",
        group: Group::Processes,
        arguments: &[PROCESSES],
        switches: SWITCHING,
        summary: "Stop processes, and wait until they are gone",
        about: "",
        build: build::stop,
    },
    Verb {
        name: "restart",
        group: Group::Processes,
        arguments: &[PROCESSES],
        switches: SWITCHING,
        summary: "Stop and start processes, and wait until they run",
        about: "",
        build: build::restart,
    },
    Verb {
        name: "logs",
        group: Group::Processes,
        arguments: &[PROCESS],
        switches: &[&FOLLOW, &LINES, &RUN_DIR, &SOCKET, &JSON],
        summary: "What a process printed",
        about: "With --follow and --json: one line, one JSON object.",
        build: build::logs,
    },
    Verb {
        name: "open",
        group: Group::Processes,
        arguments: &[PROCESS, argument("URL", Count::One, Kind::Text)],
        switches: &[&FADE, &RUN_DIR, &SOCKET, &JSON],
        summary: "Show another page on a display process",
        about: "The page that is there stays until the other one is, and stays if that cannot be\n\
                loaded. The configuration is not changed: see `ossuary set ID url=URL`.",
        build: build::open,
    },
    Verb {
        name: "screenshot",
        group: Group::Processes,
        arguments: &[PROCESS],
        switches: &[&OUTPUT, &WIDTH, &RUN_DIR, &SOCKET],
        summary: "Photograph what a display process shows",
        about: "A PNG, into FILE or to standard output.",
        build: build::screenshot,
    },
    Verb {
        name: "add",
        group: Group::Configuration,
        arguments: &[],
        switches: &[
            &NAME, &COMMAND, &URL, &TYPE, &DISPLAY, &ID, &SET, &RUN_DIR, &SOCKET, &JSON,
        ],
        summary: "Add a process; prints its id",
        about: "Give --command, or --url for a display process that shows it.",
        build: build::add,
    },
    Verb {
        name: "set",
        group: Group::Configuration,
        arguments: &[PROCESS, argument("FIELD=VALUE", Count::Some, Kind::Text)],
        switches: ASKING,
        summary: "Change fields of a process",
        about: "VALUE is text or JSON; `null` gives the field its default again, and\n\
                flags.webgpu=true changes one entry of a field. A process that runs is\n\
                restarted only where its run would differ.",
        build: build::set,
    },
    Verb {
        name: "enable",
        group: Group::Configuration,
        arguments: &[PROCESSES],
        switches: ASKING,
        summary: "Allow processes to be started",
        about: "",
        build: build::enable,
    },
    Verb {
        name: "disable",
        group: Group::Configuration,
        arguments: &[PROCESSES],
        switches: ASKING,
        summary: "Stop processes, and forbid to start them",
        about: "",
        build: build::disable,
    },
    Verb {
        name: "remove",
        group: Group::Configuration,
        arguments: &[PROCESSES],
        switches: &[&FORCE, &RUN_DIR, &SOCKET, &JSON],
        summary: "Remove processes that do not run",
        about: "",
        build: build::remove,
    },
    Verb {
        name: "config",
        group: Group::Configuration,
        arguments: &[
            argument("get|put", Count::Optional, Kind::OneOf(&["get", "put"])),
            argument("FILE", Count::Optional, Kind::File),
        ],
        switches: &[&IF_MATCH, &FORCE_PUT, &RUN_DIR, &SOCKET, &JSON],
        summary: "Print the whole configuration, or replace it",
        about: "`get` where neither is given. Without FILE: standard output, or standard input.\n\
                `get FILE` prints the ETag of what it wrote. `put --if-match ETAG` saves only\n\
                if the configuration is still the same, so that no other change is lost;\n\
                `put --force` saves in any case. `put` needs one of the two.",
        build: build::config,
    },
    Verb {
        name: "reload",
        group: Group::Configuration,
        arguments: &[argument("ID", Count::Optional, Kind::Process)],
        switches: ASKING,
        summary: "Read the configuration file again, or load a page anew",
        about: "Without ID: the file; a process whose run would look the same keeps running.\n\
                With ID: the page of that display process, past every cache.",
        build: build::reload,
    },
    Verb {
        name: "schedule",
        group: Group::Configuration,
        arguments: &[
            argument("run", Count::Optional, Kind::OneOf(&["run"])),
            argument("RULE", Count::Optional, Kind::Text),
        ],
        switches: ASKING,
        summary: "Every rule, when it is done next, and what came of it last",
        about: "`run RULE` does now what a rule says, and leaves with 1 where it failed.",
        build: build::schedule,
    },
    Verb {
        name: "passwd",
        group: Group::Access,
        arguments: &[],
        switches: &[&RESET, &RUN_DIR, &SOCKET, &JSON],
        summary: "Set the password of the page, or begin anew without one",
        about: "Asks for it, or reads a line of standard input. A kiosk that nobody has claimed\n\
                is claimed by that; all sessions and tokens end with the old one.",
        build: build::passwd,
    },
    Verb {
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
        switches: &[&TOKEN_NAME, &ROLE, &RUN_DIR, &SOCKET, &JSON],
        summary: "Make, list and revoke credentials for programs",
        about: "`add --name NAME --role ROLE` prints the token, this once: send it as\n\
                Authorization: Bearer TOKEN. `remove ID` revokes it at once.",
        build: build::token,
    },
    Verb {
        name: "displays",
        group: Group::Machine,
        arguments: &[],
        switches: ASKING,
        summary: "Every display, and the process that holds it",
        about: "",
        build: build::displays,
    },
    Verb {
        name: "power",
        group: Group::Machine,
        arguments: &[
            argument("on|off", Count::One, Kind::OneOf(&["on", "off"])),
            argument("DISPLAY", Count::Optional, Kind::Text),
        ],
        switches: ASKING,
        summary: "Switch the screen of a display on or off",
        about: "Without DISPLAY: of every display that is there. `ossuary displays` tells what\n\
                is true afterwards: screens take some seconds, and some come back by\n\
                themselves.",
        build: build::power,
    },
    Verb {
        name: "system",
        group: Group::Machine,
        arguments: &[],
        switches: ASKING,
        summary: "The machine: memory, temperature, disk, network",
        about: "",
        build: build::system,
    },
    Verb {
        name: "events",
        group: Group::Machine,
        arguments: &[],
        switches: ASKING,
        summary: "Print every change as it happens, until Ctrl-C",
        about: "",
        build: build::events,
    },
    Verb {
        name: "upgrade",
        group: Group::Machine,
        arguments: &[],
        switches: ASKING,
        summary: "Let the program that is installed now take over",
        about: "The processes, the display process above all, keep running and notice nothing.\n\
                The new program is tried first; if it does not work, the old one goes on.",
        build: build::upgrade,
    },
    Verb {
        name: "completion",
        group: Group::Machine,
        arguments: &[argument(
            "SHELL",
            Count::One,
            Kind::OneOf(&["bash", "zsh", "fish"]),
        )],
        switches: &[],
        summary: "Print what a shell needs to complete commands",
        about: "bash: ossuary completion bash > /etc/bash_completion.d/ossuary\n\
                zsh:  ossuary completion zsh > /usr/local/share/zsh/site-functions/_ossuary\n\
                fish: ossuary completion fish > /etc/fish/completions/ossuary.fish",
        build: build::completion,
    },
    Verb {
        name: "help",
        group: Group::Machine,
        arguments: &[argument("COMMAND", Count::Optional, Kind::Command)],
        switches: &[],
        summary: "Print this help, or that of a command",
        about: "",
        build: build::help,
    },
];

/// The command of this name.
pub(super) fn verb(name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name == name)
}
