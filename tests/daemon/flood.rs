//! A child that floods its output costs bounded memory and delays no client.

use crate::kiosk::Kiosk;
use serde_json::json;
use std::fs;

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// 1 GiB of numbered lines while the API is polled: memory stays in its bound, the API answers,
/// the order of the lines is kept, and lost lines are reported.
#[test]
fn a_gibibyte_of_output_stays_in_its_bound() {
    // 100-byte lines, 2^30 bytes of them, each beginning with its number.
    let script = "import sys\n\
        w=sys.stdout.buffer.write\n\
        n=0\n\
        while n<10737419:\n\
        \x20 w(b''.join(b'%09d %089d\\n'%(i,i) for i in range(n,min(n+2000,10737419))))\n\
        \x20 n+=2000\n\
        sys.stdout.flush()\n\
        print('the end',flush=True)\n\
        import time\n\
        time.sleep(1000)\n";
    let dir = crate::kiosk::fresh_dir();
    let program = dir.join("flood.py");
    fs::write(&program, script).unwrap();
    let kiosk = Kiosk::with(json!({
        "flood": {"command": format!("python3 {}", program.display()), "log": {"memory_kib": 256}},
        "calm": {"command": "echo still here; exec sleep 1000"}
    }));
    kiosk.until_logged("calm", "still here");
    let before = resident_kib(kiosk.pid());
    let mut polls = 0;
    loop {
        assert_eq!(kiosk.get("/api/processes").status, 200);
        polls += 1;
        let tail = kiosk.get("/api/processes/flood/logs?lines=3").text();
        if tail.contains("the end") {
            break;
        }
    }
    assert!(polls > 10, "the flood was over too soon");
    let grown = resident_kib(kiosk.pid()).saturating_sub(before);
    assert!(grown < 4096, "{grown} KiB more for a ring of 256 KiB");

    let mut numbers = Vec::new();
    for line in kiosk.log("flood").lines() {
        let text = line.splitn(3, ' ').nth(2).unwrap_or_default();
        if let Some(number) = text
            .split(' ')
            .next()
            .and_then(|word| word.parse::<u64>().ok())
        {
            numbers.push(number);
        }
    }
    assert!(
        numbers.len() > 1000,
        "only {} lines are left",
        numbers.len()
    );
    assert!(
        numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]),
        "the order is lost"
    );
    assert_eq!(numbers.last(), Some(&10_737_418));
    // The cut is announced: the oldest line that is left is far from the first there was.
    let log = crate::hostile::get_json(&kiosk, "/api/processes/flood/logs?lines=10000");
    assert!(
        log["first"].as_u64().unwrap() > 10_000_000,
        "{}",
        log["first"]
    );
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_line_that_is_too_long_is_cut_and_says_so() {
    let kiosk = Kiosk::with(json!({"long": {
        "command": "head -c 20000 /dev/zero | tr '\\0' x; echo; echo after; exec sleep 1000"
    }}));
    kiosk.until_logged("long", "after");
    let lines = crate::hostile::get_json(&kiosk, "/api/processes/long/logs?lines=10");
    let cut = lines["lines"]
        .as_array()
        .unwrap()
        .iter()
        .find(|line| line["cut"] == true)
        .expect("a line is marked as cut");
    assert_eq!(cut["text"].as_str().unwrap().len(), 8192);
}
