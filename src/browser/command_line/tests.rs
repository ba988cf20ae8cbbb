//! From what an operator writes to what is executed.

use super::*;
use crate::config::{Flags, Kind, Limits, Log, Ready, ReadySign, Restart, StopSignal};
use std::time::Duration;

const PROFILE: &str = "/data/profile";
const PLAIN: Flags = Flags {
    kiosk: false,
    webgpu: false,
    autoplay: false,
    cursor: false,
};

/// The switches in every command line, after what the operator wrote.
const NEEDED: &str = "--user-data-dir=/data/profile --no-first-run --no-default-browser-check \
    --disable-search-engine-choice-screen --noerrdialogs --hide-crash-restore-bubble \
    --password-store=basic --no-memcheck --disable-component-update";

fn process(command: &str) -> Process {
    Process {
        id: "kiosk".parse().unwrap(),
        name: "Kiosk".into(),
        kind: Kind::Chromium,
        command: Some(command.to_owned()),
        url: None,
        display: None,
        enabled: true,
        autostart: true,
        restart: Restart::OnCrash,
        flags: PLAIN,
        user: None,
        cwd: None,
        env: Vec::new(),
        depends_on: Vec::new(),
        ready: Ready {
            sign: ReadySign::Started,
            timeout: Duration::from_secs(30),
        },
        limits: Limits::default(),
        stop_signal: StopSignal::Term,
        stop_timeout: Duration::from_secs(10),
        log: Log {
            memory_kib: 256,
            persist: None,
        },
    }
}

fn run(process: &Process) -> Launch {
    launch(process, Path::new(PROFILE), |_| true).unwrap()
}

fn line(process: &Process) -> String {
    run(process).argv.join(" ")
}

/// The command line without those switches.
fn essence(process: &Process) -> String {
    let line = line(process);
    assert!(line.contains(NEEDED), "{line}");
    line.replace(&format!(" {NEEDED}"), "")
        .replace(" --remote-debugging-pipe", "")
        .replace(" --disable-features=Translate", "")
}

#[test]
fn the_plans_own_display_process() {
    let mut gallery = process("chromium --kiosk https://lumencanvas.studio/canvas/abc");
    gallery.display = Some(Display::X(0));
    gallery.flags = Flags {
        kiosk: true,
        webgpu: true,
        autoplay: true,
        cursor: false,
    };
    assert_eq!(
        line(&gallery),
        format!(
            "chromium --kiosk --ozone-platform=x11 {NEEDED} --window-position=0,0 \
             --overscroll-history-navigation=0 \
             --autoplay-policy=no-user-gesture-required --enable-unsafe-webgpu \
             --remote-debugging-pipe \
             --enable-features=Vulkan,VulkanFromANGLE,DefaultANGLEVulkan \
             --disable-features=Translate https://lumencanvas.studio/canvas/abc"
        )
    );
}

#[test]
fn each_flag_adds_its_switches() {
    for (flags, display, switches) in [
        (PLAIN, Some(Display::X(1)), " --ozone-platform=x11"),
        (
            PLAIN,
            Some(Display::Wayland(0)),
            " --ozone-platform=wayland",
        ),
        (PLAIN, None, ""),
        (
            Flags {
                kiosk: true,
                ..PLAIN
            },
            None,
            " --kiosk --window-position=0,0 --overscroll-history-navigation=0",
        ),
        (
            Flags {
                autoplay: true,
                ..PLAIN
            },
            None,
            " --autoplay-policy=no-user-gesture-required",
        ),
        (
            Flags {
                webgpu: true,
                ..PLAIN
            },
            None,
            " --enable-unsafe-webgpu \
             --enable-features=Vulkan,VulkanFromANGLE,DefaultANGLEVulkan",
        ),
        (
            Flags {
                webgpu: true,
                ..PLAIN
            },
            Some(Display::Wayland(0)),
            " --ozone-platform=wayland --enable-unsafe-webgpu",
        ),
        (
            Flags {
                cursor: true,
                ..PLAIN
            },
            None,
            "",
        ),
    ] {
        let mut process = process("chromium");
        (process.flags, process.display) = (flags, display);
        assert_eq!(essence(&process), format!("chromium{switches}"));
    }
}

#[test]
fn what_the_operator_set_is_not_added_again() {
    for (written, not_added) in [
        ("-kiosk", "--kiosk"),
        ("--password-store=gnome", "--password-store=basic"),
        (
            "--autoplay-policy=user-gesture-required",
            "--autoplay-policy=no-user-gesture-required",
        ),
        (
            "--overscroll-history-navigation=1",
            "--overscroll-history-navigation=0",
        ),
        ("--ozone-platform=x11", "--ozone-platform=wayland"),
        ("--ozone-platform-hint=auto", "--ozone-platform=wayland"),
        ("--headless=new", "--ozone-platform=wayland"),
        (
            "--enable-features=Translate",
            "--disable-features=Translate",
        ),
        (
            "'--enable-features=*Translate<Trial:lang/de'",
            "--disable-features=Translate",
        ),
        (
            "'--disable-features=Translate<Trial'",
            "--disable-features=Translate",
        ),
    ] {
        let mut process = process(&format!("chromium {written}"));
        process.display = Some(Display::Wayland(0));
        process.flags = Flags {
            kiosk: true,
            autoplay: true,
            ..PLAIN
        };
        let argv = run(&process).argv;
        let count = |word: &str| argv.iter().filter(|other| *other == word).count();
        assert_eq!(count(written.trim_matches('\'')), 1, "{argv:?}");
        assert_eq!(count(not_added), 0, "{argv:?}");
    }
}

#[test]
fn each_switch_is_there_once() {
    for (written, run) in [
        // Of two the later one counts, as in Chromium.
        ("--window-size=1,1 --window-size=2,2", "--window-size=2,2"),
        (
            "--disable-features=A --disable-features=B,A",
            "--disable-features=A,B,Translate",
        ),
        (
            "--disable-blink-features=A --disable-blink-features=B",
            "--disable-blink-features=A,B",
        ),
        ("--enable-blink-features=,A,,", "--enable-blink-features=A"),
        ("--kiosk --kiosk", "--kiosk"),
        (
            "--disable-features=Translate",
            "--disable-features=Translate",
        ),
    ] {
        let mut process = process(&format!("chromium {written}"));
        process.flags.kiosk = true;
        let argv = self::run(&process).argv;
        assert!(argv.iter().any(|word| word == run), "{argv:?}");
        for word in &argv {
            let same = argv.iter().filter(|other| name(other) == name(word));
            assert_eq!(same.count(), 1, "{word} in {argv:?}");
        }
    }
}

#[test]
fn a_feature_the_operator_disables_is_not_enabled() {
    let mut process = process("chromium --disable-features=Vulkan");
    process.flags.webgpu = true;
    let line = line(&process);
    assert!(
        line.contains("--enable-features=VulkanFromANGLE,DefaultANGLEVulkan "),
        "{line}"
    );
    assert!(
        line.contains("--disable-features=Vulkan,Translate"),
        "{line}"
    );
}

#[test]
fn lists_are_merged_into_one() {
    let mut process = process("chromium --enable-features=A,B --enable-features=C");
    process.flags.webgpu = true;
    let line = line(&process);
    let merged = "--enable-features=A,B,C,Vulkan,VulkanFromANGLE,DefaultANGLEVulkan";
    assert!(line.contains(merged), "{line}");
    assert_eq!(line.matches("--enable-features").count(), 1);
}

#[test]
fn webgpu_follows_the_platform_the_operator_chose() {
    let mut process = process("chromium --ozone-platform=x11");
    process.display = Some(Display::Wayland(0));
    process.flags.webgpu = true;
    assert!(line(&process).contains("--enable-features=Vulkan,"));
}

#[test]
fn a_profile_of_the_operator_is_kept() {
    for own in ["--user-data-dir=/mine", "--temp-profile"] {
        let line = line(&process(&format!("chromium {own}")));
        assert!(line.contains(own) && !line.contains(PROFILE), "{line}");
    }
}

#[test]
fn without_kiosk_nothing_the_operator_wrote_is_removed() {
    assert_eq!(
        essence(&process("chromium --kiosk x")),
        "chromium --kiosk x"
    );
}

#[test]
fn the_sandbox_is_never_disabled_by_default() {
    let mut everything = process("chromium");
    everything.flags = Flags {
        kiosk: true,
        webgpu: true,
        autoplay: true,
        cursor: true,
    };
    assert!(!line(&everything).contains("sandbox"));
    assert!(line(&process("chromium --no-sandbox")).contains("--no-sandbox"));
}

#[test]
fn the_configured_url_replaces_that_of_the_command() {
    for (command, url, shown) in [
        ("chromium a b", None, "chromium a b"),
        ("chromium a b", Some("c"), "chromium c"),
        ("chromium --app=a", Some("c"), "chromium --app=c"),
        ("chromium -- --odd", None, "chromium -- --odd"),
        ("chromium -- plain", None, "chromium plain"),
        (
            "chromium 'http://x/?a=1&b=2'",
            None,
            "chromium http://x/?a=1&b=2",
        ),
    ] {
        let mut process = process(command);
        process.url = url.map(str::to_owned);
        let essence = essence(&process);
        assert_eq!(essence, shown, "{command}");
    }
}

#[test]
fn leading_pairs_stay_in_the_environment() {
    let launch = run(&process("LANG=de_DE.UTF-8 TZ=UTC chromium x"));
    assert_eq!(
        launch.env,
        [
            ("LANG".into(), "de_DE.UTF-8".into()),
            ("TZ".into(), "UTC".into())
        ]
    );
    assert_eq!(launch.argv[0], "chromium");
}

#[test]
fn chromium_is_recognised_by_its_name_anywhere_in_a_command() {
    for command in [
        "chromium",
        "/usr/bin/chromium-browser",
        "google-chrome-stable",
        "/opt/brave.com/brave/brave-browser",
        "microsoft-edge",
        "nice -n 5 chromium",
        "dbus-run-session -- cage -d -- /usr/bin/chromium",
        "env -u LANG chromium",
    ] {
        assert_eq!(essence(&process(command)), command);
    }
}

#[test]
fn the_program_determines_how_its_page_is_driven() {
    for (command, driven) in [
        ("chromium", Driven::ByPipe),
        ("nice -n 5 /usr/bin/chromium x", Driven::ByPipe),
        ("cog", Driven::ByCogctl),
        ("dbus-run-session cog https://x/", Driven::ByCogctl),
        ("firefox --kiosk", Driven::Not),
        // The operator drives it.
        ("chromium --remote-debugging-port=9222", Driven::Not),
        ("chromium --remote-debugging-pipe", Driven::Not),
        // Its position in a shell command is unknown.
        ("sleep 1; chromium", Driven::Not),
    ] {
        let launch = run(&process(command));
        assert_eq!(launch.driven, driven, "{command}");
        let written = |word: &&String| word.starts_with("--remote-debugging");
        let count = launch.argv.iter().filter(written).count();
        let own = command.contains("--remote-debugging");
        assert_eq!(
            count,
            usize::from(own || driven == Driven::ByPipe),
            "{command}"
        );
    }
}

#[test]
fn other_programs_run_as_written() {
    for command in [
        "sleep 60",
        "firefox --kiosk x",
        "mpv --fs film.mkv",
        "./my-chromium",
        "cog -P drm",
    ] {
        let mut process = process(command);
        process.flags.kiosk = true;
        assert_eq!(line(&process), command);
    }
}

#[test]
fn cog_gets_the_url_as_its_argument() {
    let mut process = process("cog -P drm");
    process.url = Some("https://x/".into());
    assert_eq!(line(&process), "cog -P drm https://x/");
    process.command = Some("sleep 60".into());
    assert_eq!(line(&process), "sleep 60");
}

#[test]
fn a_url_without_a_command_is_shown_by_the_first_installed_browser() {
    let mut process = process("");
    process.command = None;
    process.url = Some("https://x/".into());
    for (installed, program) in [
        (
            &["cog", "chromium-browser", "chromium"][..],
            Some("chromium"),
        ),
        (
            &["google-chrome-stable", "chromium-browser"],
            Some("chromium-browser"),
        ),
        (&["cog"], Some("cog")),
        (&["firefox"], None),
    ] {
        let launch = launch(&process, Path::new(PROFILE), |name| {
            installed.contains(&name)
        });
        match program {
            Some(program) => {
                let argv = launch.unwrap().argv;
                assert_eq!(
                    (argv[0].as_str(), argv.last().unwrap().as_str()),
                    (program, "https://x/")
                );
            }
            None => assert_eq!(
                launch.unwrap_err().to_string(),
                "no browser is installed; tried chromium, chromium-browser, \
                 google-chrome-stable, cog"
            ),
        }
    }
}

#[test]
fn a_shell_command_gets_the_switches_in_its_environment() {
    let command = "cd /srv && exec chromium $OSSUARY_BROWSER_SWITCHES \"$OSSUARY_URL\"";
    let mut process = process(command);
    process.url = Some("https://x/".into());
    let launch = run(&process);
    assert_eq!(launch.argv, ["/bin/sh", "-c", command]);
    assert_eq!(
        launch.env,
        [
            (
                "OSSUARY_BROWSER_SWITCHES".to_owned(),
                format!("{NEEDED} --disable-features=Translate")
            ),
            ("OSSUARY_URL".to_owned(), "https://x/".to_owned()),
        ]
    );
}

#[test]
fn a_built_command_line_does_not_change_when_it_is_built_again() {
    let mut process = process("chromium --enable-features=A x");
    process.display = Some(Display::X(0));
    process.flags = Flags {
        kiosk: true,
        webgpu: true,
        autoplay: true,
        cursor: false,
    };
    let once = line(&process);
    process.command = Some(once.clone());
    assert_eq!(line(&process), once);
}
