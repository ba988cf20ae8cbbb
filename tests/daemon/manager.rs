//! A service manager that only listens: what sd_notify(3) sends, variable by variable.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// Longer than anything here takes on a busy machine; only a test that fails waits this long.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Manager {
    /// Every variable, as it comes.
    pub heard: Receiver<String>,
}

impl Manager {
    /// Listens in this directory. It always listens: a full queue would hold the daemon up.
    pub fn in_dir(dir: &Path) -> Manager {
        let socket = UnixDatagram::bind(dir.join("notify")).unwrap();
        super::kiosk::open_to_all(&dir.join("notify"));
        let (sender, heard) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(size) = socket.recv(&mut buffer) {
                for variable in String::from_utf8_lossy(&buffer[..size]).lines() {
                    if sender.send(variable.to_owned()).is_err() {
                        return;
                    }
                }
            }
        });
        Manager { heard }
    }

    /// The environment that a daemon needs for it.
    pub fn environment(dir: &Path) -> Vec<(String, String)> {
        let socket = dir.join("notify").display().to_string();
        vec![("NOTIFY_SOCKET".to_owned(), socket)]
    }

    /// Waits for a variable that looks like this.
    pub fn until(&self, looks_right: impl Fn(&str) -> bool) -> String {
        let mut heard = Vec::new();
        loop {
            match self.heard.recv_timeout(PATIENCE) {
                Ok(variable) if looks_right(&variable) => return variable,
                Ok(variable) => heard.push(variable),
                Err(_) => panic!("it was not said; only: {heard:#?}"),
            }
        }
    }

    /// Waits for this variable.
    pub fn until_said(&self, variable: &str) {
        self.until(|said| said == variable);
    }
}
