//! What a kiosk needs of its browser: the one list of programs and switches.

/// Programs that can show a page, the best first: under these names Debian,
/// Raspberry Pi OS and Google ship Chromium, and Buildroot its WPE browser.
pub(super) const BROWSERS: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome-stable", COG];

/// The launcher of WPE, which takes the page as its argument.
pub(super) const COG: &str = "cog";

/// Programs that understand Chromium's switches.
pub(super) const KIN: [&str; 14] = [
    "chromium",
    "chromium-browser",
    "ungoogled-chromium",
    "chrome",
    "google-chrome",
    "google-chrome-stable",
    "google-chrome-beta",
    "google-chrome-unstable",
    "brave",
    "brave-browser",
    "microsoft-edge",
    "microsoft-edge-stable",
    "vivaldi",
    "vivaldi-stable",
];

/// Programs that start the program behind them, with the same arguments.
pub(super) const WRAPPERS: [&str; 9] = [
    "cage",
    "chrt",
    "dbus-run-session",
    "env",
    "ionice",
    "nice",
    "stdbuf",
    "systemd-cat",
    "taskset",
];

/// Has the browser driven on the descriptors 3 and 4, where neither its page nor another program gets at it.
pub(super) const DEBUGGING: &str = "--remote-debugging-pipe";

/// Switches by which the operator drives the browser: two at a time would pull it to and fro.
pub(super) const OWN_DEBUGGING: [&str; 2] = ["remote-debugging-pipe", "remote-debugging-port"];

/// Switches whose value is a list: Chromium takes only the last one of a name,
/// so what stands in several is merged into one.
pub(super) const LISTS: [&str; 4] = [
    "enable-features",
    "disable-features",
    "enable-blink-features",
    "disable-blink-features",
];

/// What something stands for, in Chromium's words: every name stands in the binary of Chromium 156.
pub(super) struct Meaning {
    /// Switches, as they are written.
    pub switches: &'static [&'static str],
    /// Entries of `--enable-features`.
    pub enable: &'static [&'static str],
    /// Entries of `--disable-features`.
    pub disable: &'static [&'static str],
}

pub(super) const NOTHING: Meaning = Meaning {
    switches: &[],
    enable: &[],
    disable: &[],
};

/// What every kiosk needs.
pub(super) const ALWAYS: Meaning = Meaning {
    switches: &[
        // Nobody is there to welcome, to ask for the default browser, or to
        // choose a search engine.
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-search-engine-choice-screen",
        // Nobody is there to close a dialog, or the bubble that offers the old
        // pages after the power was cut.
        "--noerrdialogs",
        "--hide-crash-restore-bubble",
        // Nobody is there to unlock a keyring.
        "--password-store=basic",
        // Raspberry Pi OS starts Chromium by a script that asks on a board with 1 GB of memory or less whether it is
        // meant, in a dialog that waits for a click. Chromium itself ignores the switch.
        "--no-memcheck",
        // Downloads that nobody asked for, onto a card that wears out.
        "--disable-component-update",
    ],
    enable: &[],
    disable: &["Translate"],
};

/// `kiosk`: full screen, and a swipe from the edge does not leave the page.
/// On an X server without a window manager nobody moves the window into the
/// corner; elsewhere full screen overrules the position.
pub(super) const KIOSK: Meaning = Meaning {
    switches: &[
        "--kiosk",
        "--window-position=0,0",
        "--overscroll-history-navigation=0",
    ],
    ..NOTHING
};

/// `autoplay`: sound and video start by themselves.
pub(super) const AUTOPLAY: Meaning = Meaning {
    switches: &["--autoplay-policy=no-user-gesture-required"],
    ..NOTHING
};

/// `webgpu` on X: Chromium on Linux keeps WebGPU behind a switch, and is reported
/// to find the GPU only where it draws with Vulkan itself (gpuweb/gpuweb#5022);
/// without Vulkan it falls back and still paints. The older program's
/// `UseSkiaRenderer` and `WebGPU` are no features any more; its
/// `--disable-gpu-sandbox` opens a wall, which only the operator may do.
pub(super) const WEBGPU: Meaning = Meaning {
    switches: &["--enable-unsafe-webgpu"],
    enable: &["Vulkan", "VulkanFromANGLE", "DefaultANGLEVulkan"],
    ..NOTHING
};

/// `webgpu` on Wayland: Chromium has no Vulkan surfaces there, and with Vulkan
/// forced it draws everything in software (brave/brave-browser#55345). A page
/// that needs the GPU through WebGPU is better off on an X display; Xwayland's will do.
pub(super) const WEBGPU_ON_WAYLAND: Meaning = Meaning {
    switches: &["--enable-unsafe-webgpu"],
    ..NOTHING
};

/// `cursor`, either way: Chromium has no switch for the pointer. Where it is not wanted, the driver
/// hides it on each page; over everything else it is the display server's (`-nocursor`).
pub(super) const CURSOR: Meaning = NOTHING;

/// Switches with which an operator has chosen what another one would choose:
/// where one of the right is written, the left one is not added.
pub(super) const CHOSEN_BY: [(&str, &[&str]); 2] = [
    ("ozone-platform", &["ozone-platform-hint", "headless"]),
    // Debian's launcher makes a profile for one run.
    ("user-data-dir", &["temp-profile"]),
];
