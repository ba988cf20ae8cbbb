//! Any bytes are a configuration or a list of problems; what is one stays one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ossuary::config::{Command, Document, Loaded, parse_json, check_report, starts_chromium};
use ossuary::config::process::quote;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let _ = report(Loaded::from_bytes(bytes));
    if let Ok(text) = std::str::from_utf8(bytes) {
        command(text);
    }
    match Loaded::from_bytes(bytes) {
        Ok(loaded) => sound(&loaded),
        Err(problems) => assert!(!problems.is_empty(), "a refusal has a reason"),
    }
    let Ok(Value::Object(fields)) = parse_json(bytes) else {
        return;
    };
    // The same bytes as what a client sends.
    if let Ok((loaded, id)) = Loaded::empty().with_process(fields.clone()) {
        written_and_read(&loaded);
        if let Ok(changed) = loaded.with_changes(&id, fields.clone()) {
            written_and_read(&changed);
        }
    }
    if let Ok(replaced) = Loaded::empty().replaced_by(Value::Object(fields)) {
        written_and_read(&replaced);
    }
});

fn command(text: &str) {
    let _ = starts_chromium(text);
    if let Ok(Command::Direct { argv, .. }) = Command::parse(text) {
        assert!(!argv.is_empty());
        let again = Command::parse(&quote(&argv));
        // Quotes make a line longer, perhaps longer than a command may be.
        if let Ok(again) = again {
            assert_eq!(
                again,
                Command::Direct {
                    env: Vec::new(),
                    argv
                }
            );
        }
    }
}

/// Every edit of a sound configuration is sound, or refused.
fn sound(loaded: &Loaded) {
    written_and_read(loaded);
    // Rules without an id are written with the one they were read with; what is there then stays.
    let same = replaced_by_itself(loaded);
    assert_eq!(same.config, loaded.config);
    assert_eq!(replaced_by_itself(&same).document, same.document);
    for process in loaded.config.processes.iter().take(4) {
        let shown = serde_json::to_value(process).expect("a process can be shown");
        let Value::Object(shown) = shown else {
            panic!("a process is shown as an object")
        };
        let same = loaded
            .with_changes(&process.id, shown)
            .expect("what was read may be sent");
        assert_eq!(same.document, loaded.document);
        written_and_read(&loaded.with_active_display(Some(&process.id)));
        if let Ok(without) = loaded.without_process(&process.id) {
            written_and_read(&without);
        }
    }
}

fn replaced_by_itself(loaded: &Loaded) -> Loaded {
    let document = Value::Object(loaded.document.as_map().clone());
    (loaded.replaced_by(document)).expect("a document may replace itself")
}

fn written_and_read(loaded: &Loaded) {
    let bytes = loaded.document.to_bytes();
    assert!(bytes.len() <= Document::MAX_BYTES);
    let again = Loaded::from_bytes(&bytes).expect("what is written can be read");
    assert_eq!(again.document, loaded.document);
    assert_eq!(again.document.to_bytes(), bytes);
    assert_eq!(again.config, loaded.config);
    assert!(again.migration.is_none());
}
