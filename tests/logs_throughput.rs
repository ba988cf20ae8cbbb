//! How fast output is taken in. `cargo test --release --test logs_throughput -- --ignored --nocapture` prints it.

use ossuary::logs::{Book, Stream};
use ossuary::time::Moment;
use std::time::{Duration, Instant};

#[test]
#[ignore = "measures; a figure of an unoptimised build says nothing"]
fn a_gibibyte_of_short_lines() {
    let line = [&[b'x'; 99][..], b"\n"].concat();
    let read = line.repeat(64 * 1024 / line.len() + 1);
    let read = &read[..64 * 1024];
    let log = Book::new().keep(&"flood".parse().unwrap(), 256 * 1024);
    let mut writer = log.writer(Stream::Stdout);
    let begun = Instant::now();
    let reads = (1 << 30) / read.len();
    for number in 0..reads {
        writer.append(
            read,
            Moment::from_boot(Duration::from_micros(number as u64)),
        );
    }
    let took = begun.elapsed();
    let megabytes = (reads * read.len()) as f64 / 1e6;
    println!(
        "{} lines, {:.0} MB/s",
        log.next_seq() - 1,
        megabytes / took.as_secs_f64()
    );
}
