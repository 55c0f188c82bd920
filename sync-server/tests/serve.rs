//! `farmtally-server serve` as an operator starts it.

#![expect(clippy::expect_used, reason = "tests may panic: that is how they fail")]

mod program;

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;

use farmtally_core::environment::Environment;
use farmtally_sync_server::{ReferenceFile, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

fn serve(folder: &Path) -> Child {
    let mut command = program::command(folder, ".", &["serve", "--port", "0"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the server runs")
}

#[test]
fn one_process_serves_a_folder_and_another_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::open(folder.path(), Environment::system()).expect("a server");
    let india = "IN".parse().expect("a country");
    server.create_organisation("Kolar growers", &india, 330, None, &ReferenceFile::default()).expect("created");
    drop(server);
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

/// In virtual time: whatever the server would wait for, it waits for here.
#[tokio::test(start_paused = true)]
async fn a_head_without_end_holds_no_connection() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::open(folder.path(), Environment::system()).expect("a server");
    let running = farmtally_sync_server::serve(Arc::new(server), IpAddr::V4(Ipv4Addr::LOCALHOST), 0).await;
    let running = running.expect("it listens");
    for head in ["", "POST /v1/sync HTTP/1.1\r\nhost: a\r\nx: "] {
        let began = Instant::now();
        let mut slow = TcpStream::connect(running.address()).await.expect("a connection");
        slow.write_all(head.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        // An end or a reset: the server closes it either way.
        drop(slow.read_to_end(&mut answer).await);
        assert_eq!(String::from_utf8_lossy(&answer), "");
        assert_eq!(began.elapsed().as_secs(), 30);
    }
    let mut quick = TcpStream::connect(running.address()).await.expect("a connection");
    quick.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.expect("sent");
    let mut answer = String::new();
    quick.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.ends_with("ok\n"), "{answer}");
    running.stop().await.expect("it stops");
}

#[tokio::test]
async fn every_answer_that_a_browser_may_show_has_the_headers_of_the_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::open(folder.path(), Environment::system()).expect("a server");
    let running = farmtally_sync_server::serve(Arc::new(server), IpAddr::V4(Ipv4Addr::LOCALHOST), 0).await;
    let running = running.expect("it listens");
    for (request, status) in [
        ("GET /", 200),
        ("GET /?date=yesterday", 422),
        ("GET /?date=2026-11-21&date=2026-11-22", 400),
        ("GET /?organisation=%ff", 422),
        ("GET /?organisation=00000000-0000-7000-8000-000000000000", 404),
        ("GET /nowhere", 404),
        ("GET /v1/sync", 405),
        ("DELETE /", 405),
        ("GET /healthz", 200),
    ] {
        let mut browser = TcpStream::connect(running.address()).await.expect("a connection");
        let head = format!("{request} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        browser.write_all(head.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        browser.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        for header in [
            "content-security-policy: default-src 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
        ] {
            assert_eq!(answer.matches(header).count(), 1, "{request}: {answer}");
        }
    }
    running.stop().await.expect("it stops");
}
