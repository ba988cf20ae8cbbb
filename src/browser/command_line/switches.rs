//! The browsers that are known, and the switches that a kiosk needs.

/// Programs that can show a page, preferred first: the names under which Debian, Raspberry Pi OS and Google ship
/// Chromium, and Buildroot its WPE browser.
pub(super) const BROWSERS: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome-stable", COG];

/// The launcher of WPE, which takes the page as its argument.
pub(super) const COG: &str = "cog";

/// Programs that accept Chromium's switches.
pub(super) const CHROMIUM_BASED: [&str; 14] = [
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

/// Programs that execute the program in their arguments.
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

/// Enables the DevTools protocol on descriptors 3 and 4, which neither the page nor another program can reach.
pub(super) const DEBUGGING: &str = "--remote-debugging-pipe";

/// Switches with which the operator drives the browser: two drivers would interfere.
pub(super) const OWN_DEBUGGING: [&str; 2] = ["remote-debugging-pipe", "remote-debugging-port"];

/// Switches whose value is a list. Chromium uses only the last one of a name, so several are merged.
pub(super) const LISTS: [&str; 4] = [
    "enable-features",
    "disable-features",
    "enable-blink-features",
    "disable-blink-features",
];

/// What a flag means for Chromium. Every name exists in the binary of Chromium 156.
pub(super) struct Switches {
    /// Switches.
    pub switches: &'static [&'static str],
    /// Entries of `--enable-features`.
    pub enable: &'static [&'static str],
    /// Entries of `--disable-features`.
    pub disable: &'static [&'static str],
}

pub(super) const NO_SWITCHES: Switches = Switches {
    switches: &[],
    enable: &[],
    disable: &[],
};

/// The switches of every kiosk.
pub(super) const ALWAYS: Switches = Switches {
    switches: &[
        // No user is there to answer questions at the first start.
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-search-engine-choice-screen",
        // No user is there to close an error dialog, or the bubble that offers to restore pages after a power loss.
        "--noerrdialogs",
        "--hide-crash-restore-bubble",
        // No user is there to unlock a keyring.
        "--password-store=basic",
        // The Chromium wrapper script of Raspberry Pi OS shows a dialog on a board with 1 GB of memory or less and waits
        // for a click. Chromium itself ignores the switch.
        "--no-memcheck",
        // Downloads wear out the card.
        "--disable-component-update",
    ],
    enable: &[],
    disable: &["Translate"],
};

/// `kiosk`: full screen, and a swipe from the edge does not leave the page.
/// On an X server without a window manager nothing else moves the window to the corner; elsewhere full screen
/// overrides the position.
pub(super) const KIOSK: Switches = Switches {
    switches: &[
        "--kiosk",
        "--window-position=0,0",
        "--overscroll-history-navigation=0",
    ],
    ..NO_SWITCHES
};

/// `autoplay`: sound and video start automatically.
pub(super) const AUTOPLAY: Switches = Switches {
    switches: &["--autoplay-policy=no-user-gesture-required"],
    ..NO_SWITCHES
};

/// `webgpu` on X: Chromium on Linux keeps WebGPU behind a switch, and reportedly finds the GPU only if it paints with
/// Vulkan (gpuweb/gpuweb#5022); without Vulkan it falls back and still paints. The older program's `UseSkiaRenderer`
/// and `WebGPU` no longer exist; its `--disable-gpu-sandbox` weakens the sandbox, which is the operator's decision.
pub(super) const WEBGPU: Switches = Switches {
    switches: &["--enable-unsafe-webgpu"],
    enable: &["Vulkan", "VulkanFromANGLE", "DefaultANGLEVulkan"],
    ..NO_SWITCHES
};

/// `webgpu` on Wayland: Chromium has no Vulkan surfaces there, and forced Vulkan paints everything in software
/// (brave/brave-browser#55345). A page that needs WebGPU on the GPU should use an X display, such as Xwayland's.
pub(super) const WEBGPU_ON_WAYLAND: Switches = Switches {
    switches: &["--enable-unsafe-webgpu"],
    ..NO_SWITCHES
};

/// `cursor`: Chromium has no switch for the pointer. Unless it is wanted, the driver hides it on each page; elsewhere
/// the display server decides (`-nocursor`).
pub(super) const CURSOR: Switches = NO_SWITCHES;

/// Switches that replace others: if one on the right is present, the left one is not added.
pub(super) const CHOSEN_BY: [(&str, &[&str]); 2] = [
    ("ozone-platform", &["ozone-platform-hint", "headless"]),
    // Debian's launcher makes a profile for one run.
    ("user-data-dir", &["temp-profile"]),
];
