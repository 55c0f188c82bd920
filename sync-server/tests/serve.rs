//! `farmtally-server serve` as an operator starts it.

#![expect(clippy::expect_used, reason = "tests may panic: that is how they fail")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

fn serve(folder: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farmtally-server"));
    command.args(["serve", "--port", "0", "--data"]).arg(folder).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the server runs")
}

#[test]
fn one_process_serves_a_folder_and_another_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    for _ in 0..2 {
        let mut first = serve(folder.path());
        let mut address = String::new();
        BufReader::new(first.stdout.as_mut().expect("a pipe")).read_line(&mut address).expect("a line");
        assert!(address.starts_with("http://127.0.0.1:"), "{address}");
        let second = serve(folder.path()).wait_with_output().expect("it ends");
        assert_eq!(second.status.code(), Some(1));
        let error = String::from_utf8_lossy(&second.stderr).into_owned();
        assert!(error.contains("another process serves"), "{error}");
        // However the first one ends, the next may begin.
        first.kill().expect("killed");
        first.wait().expect("it ends");
    }
}
