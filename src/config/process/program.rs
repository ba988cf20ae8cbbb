//! Finds out which program a command starts.

use super::shell_words::{self, Token, Word};

/// The file names of Chromium.
const CHROMIUM: &[&str] = &[
    "chrome",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-beta",
    "google-chrome-stable",
    "google-chrome-unstable",
    "org.chromium.Chromium",
];

/// Programs that open a display of their own and run their client on it.
const COMPOSITORS: &[&str] = &[
    "X",
    "Xorg",
    "cage",
    "gamescope",
    "kwin_wayland",
    "labwc",
    "startx",
    "sway",
    "weston",
    "xinit",
];

/// Programs that run the program named after them: with the number of their own arguments before it (`timeout 60`) and
/// those of their options that take a value.
const LAUNCHERS: &[(&str, usize, &[&str])] = &[
    ("chrt", 1, &[]),
    ("command", 0, &[]),
    ("dbus-launch", 0, &[]),
    ("dbus-run-session", 0, &["--config-file"]),
    ("env", 0, &["-u", "-C"]),
    ("exec", 0, &["-a"]),
    ("flatpak", 1, &[]),
    ("ionice", 0, &["-c", "-n"]),
    ("nice", 0, &["-n"]),
    ("nohup", 0, &[]),
    ("setsid", 0, &[]),
    ("stdbuf", 0, &["-i", "-o", "-e"]),
    ("sudo", 0, &["-u", "-g", "-h", "-p", "-C", "-D", "-T"]),
    ("systemd-inhibit", 0, &[]),
    ("taskset", 1, &[]),
    ("time", 0, &[]),
    ("timeout", 1, &["-s", "-k"]),
];

/// Words of the shell after which a command starts.
const OPENERS: &[&str] = &[
    "!", "do", "elif", "else", "if", "then", "until", "while", "{",
];

/// Shells, which run the argument after `-c`.
const SHELLS: &[&str] = &["bash", "dash", "sh", "su"];

/// How deep nested `sh -c "sh -c …"` is followed.
const MAX_NESTING: usize = 4;

/// Whether `command` starts Chromium: the program of one of its simple commands, after `NAME=value` pairs and launchers
/// such as `sudo -u pi`, has such a name. The name anywhere else (in a path, as an argument of `pkill`) does not count.
pub fn starts_chromium(command: &str) -> bool {
    starts_any(CHROMIUM, command, MAX_NESTING)
}

/// Whether `command` starts a program that opens a display of its own, so that there is none to wait for.
pub fn opens_its_own_display(command: &str) -> bool {
    starts_any(COMPOSITORS, command, MAX_NESTING)
}

fn starts_any(programs: &[&str], command: &str, nesting: usize) -> bool {
    let Ok(words) = shell_words::split(command) else {
        return false;
    };
    let mut simple = Vec::new();
    let mut tokens = words.tokens.iter();
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(word) => simple.push(word),
            Token::Redirect => {
                tokens.next();
            }
            Token::Separator | Token::Newline => {
                if simple_starts_any(programs, &simple, nesting) {
                    return true;
                }
                simple.clear();
            }
        }
    }
    simple_starts_any(programs, &simple, nesting)
}

/// Follows the launchers of one simple command to its program.
fn simple_starts_any(programs: &[&str], words: &[&Word], nesting: usize) -> bool {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word.name.is_some() || OPENERS.contains(&word.text.as_str()) {
            continue;
        }
        let program = word.text.rsplit('/').next().unwrap_or_default();
        if programs.contains(&program) {
            return true;
        }
        if SHELLS.contains(&program) {
            let is_c = |word: &Word| word.text.starts_with('-') && word.text.ends_with('c');
            let inner = words.skip_while(|word| !is_c(word)).nth(1);
            let starts = |word: &&Word| starts_any(programs, &word.text, nesting - 1);
            return nesting > 0 && inner.is_some_and(starts);
        }
        let Some((_, own_words, valued)) = LAUNCHERS.iter().find(|(name, ..)| *name == program)
        else {
            return false;
        };
        let mut own_words = *own_words;
        // Skip the options and arguments of the launcher; the next word is the program.
        while let Some(next) = words.as_slice().first() {
            if valued.contains(&next.text.as_str()) {
                words.next();
            } else if !next.text.starts_with('-') {
                if own_words == 0 {
                    break;
                }
                own_words -= 1;
            }
            words.next();
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_is_found_where_it_is_started() {
        for command in [
            "chromium --kiosk https://example.com",
            "/usr/bin/chromium-browser",
            "XDG_RUNTIME_DIR=/run/user/1000 WAYLAND_DISPLAY=wayland-0 chromium \"https://x/?a=b\"",
            "google-chrome-stable https://x",
            "sudo -u pi chromium",
            "nice -n 5 sudo -E -u pi /usr/bin/chromium",
            "timeout -s INT 60 chromium",
            "env -u LANG A=b chromium",
            "sleep 5 && chromium --kiosk https://x",
            "xset s off; unclutter & exec chromium",
            "while true; do chromium > /dev/null 2>&1; done",
            "cd /srv\nchromium",
            "sh -c 'sleep 5; DISPLAY=:0 chromium'",
            "su pi -c chromium",
            "$HOME/bin/chromium",
            "flatpak run org.chromium.Chromium",
        ] {
            assert!(starts_chromium(command), "{command}");
        }
    }

    #[test]
    fn the_name_of_the_browser_elsewhere_does_not_count() {
        for command in [
            "python3 /home/pi/chromium/sync.py",
            "node chromium",
            "/opt/chromium/run",
            "pkill chromium",
            "sudo pkill chromium; python3 app.py",
            "python3 app.py > chromium",
            "firefox --kiosk https://chromium.org",
            "A=chromium node x",
            "echo 'then run chromium; chromium'",
            "chromium 'unclosed",
            "",
        ] {
            assert!(!starts_chromium(command), "{command}");
        }
    }
}
